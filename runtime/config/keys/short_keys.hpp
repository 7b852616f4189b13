// Short keys: one name for several keys, where people mean all of them ("train.lr" is the rate of both sides), and the
// names that people from other programs try.
#pragma once

#include <string>
#include <vector>

namespace splitsim {

struct ShortKey {
  std::string path;                ///< dotted, as in --set
  std::vector<std::string> means;  ///< paths of keys of the table
};

/// train.optimizer is a short table too: train.optimizer.lr, train.optimizer = { kind = ..., lr = ... }.
const std::vector<ShortKey>& short_keys();

/// The keys that a short key means; none if it is not one. Of "train.optimizer.x": "train.client_optimizer.x" and
/// "train.server_optimizer.x", whatever x is.
std::vector<std::string> meant_by(const std::string& path);

/// What may be meant by a path that is unknown: "train.lr" for "lr" or "learning_rate", "partition.clients" for "K".
/// Empty if nothing comes to mind.
std::string meant_by_unknown(const std::string& path);

}  // namespace splitsim
