#include "runtime/config/keys/short_keys.hpp"

#include <algorithm>
#include <map>

#include "runtime/config/keys/keys.hpp"

namespace splitsim {

namespace {

constexpr const char* kBothSides = "train.optimizer";
constexpr const char* kClientTable = "train.client_optimizer";
constexpr const char* kServerTable = "train.server_optimizer";

std::vector<ShortKey> all_short_keys() {
  const auto sides = [](const std::string& rest) {
    return std::vector<std::string>{kClientTable + rest, kServerTable + rest};
  };
  std::vector<ShortKey> keys = {{"model.norm", {"model.client_norm", "model.server_norm"}},
                                {kBothSides, sides(".kind")}};
  const std::string prefix = std::string(kClientTable) + ".";
  for (const Key& key : config_keys()) {
    if (!key.path.starts_with(prefix)) continue;
    const std::string name = key.path.substr(prefix.size());
    if (name != "kind") keys.push_back({"train." + name, sides("." + name)});
  }
  return keys;
}

std::string last_part(const std::string& path) { return path.substr(path.rfind('.') + 1); }

}  // namespace

const std::vector<ShortKey>& short_keys() {
  static const std::vector<ShortKey> keys = all_short_keys();
  return keys;
}

std::vector<std::string> meant_by(const std::string& path) {
  for (const ShortKey& key : short_keys()) {
    if (key.path == path) return key.means;
  }
  const std::string table = std::string(kBothSides) + ".";
  if (!path.starts_with(table)) return {};
  const std::string rest = path.substr(table.size() - 1);
  return {kClientTable + rest, kServerTable + rest};
}

std::string meant_by_unknown(const std::string& path) {
  static const std::map<std::string, std::string> synonyms = {
      {"k", "partition.clients"},   {"num_clients", "partition.clients"}, {"n_clients", "partition.clients"},
      {"b", "sampler.batch"},       {"batch", "sampler.batch"},           {"batch_size", "sampler.batch"},
      {"bs", "sampler.batch"},      {"learning_rate", "train.lr"},        {"wd", "train.weight_decay"},
      {"dataset", "data.name"},     {"method", "sampler.kind"},           {"num_epochs", "train.epochs"},
      {"n_epochs", "train.epochs"}, {"optim", "train.optimizer"},         {"norm", "model.norm"},
      {"random_seed", "seed"},
  };
  const std::size_t dot = path.find('.');
  if (dot != std::string::npos && (path.substr(0, dot) != "train" || path.rfind('.') != dot)) return "";
  std::string name = last_part(path);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto known = synonyms.find(name);
  if (known != synonyms.end()) return known->second;
  // Else the only key of that name, short keys first.
  std::vector<std::string> found;
  for (const ShortKey& key : short_keys()) {
    if (last_part(key.path) == name) return key.path;
  }
  for (const Key& key : config_keys()) {
    if (last_part(key.path) == name) found.push_back(key.path);
  }
  return found.size() == 1 ? found.front() : "";
}

}  // namespace splitsim
