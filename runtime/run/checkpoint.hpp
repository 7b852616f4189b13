// What a run needs to go on after a stop with the same bits: weights, optimiser state, what steps remember, and where
// virtual time and the records were. One safetensors file, written beside and renamed, so that a kill at any moment
// leaves the last whole checkpoint.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/safetensors.hpp"
#include "runtime/clock/timeline.hpp"
#include "runtime/mode/ledger.hpp"
#include "runtime/model/network.hpp"
#include "runtime/train/engine.hpp"

namespace splitsim {

/// Where a run is, but for its records: after `epochs` finished epochs.
struct RunState {
  std::int32_t epochs = 0;
  ClockState clock;
  Participation participation;
  TrainingState training;  ///< on the host while it is saved or loaded
};

/// What ties a checkpoint to its experiment: the settings and the content of what it reads.
struct RunIdentity {
  std::string continuation_sha256;            ///< of the config, see runtime/config/continuation.hpp
  std::map<std::string, std::string> inputs;  ///< name -> SHA-256: images, labels, partition, schedule, trace, initial_model
};

/// Throws InputError naming the first input whose content is not what it was. dir: the run directory, for the message.
void check_inputs(const std::string& dir, const std::map<std::string, std::string>& recorded,
                  const std::map<std::string, std::string>& now);

/// Writes dir/checkpoint/state.safetensors.
void save_checkpoint(const std::string& dir, const RunIdentity& identity, const RunState& state);

/// Whether there is one, whatever is in it.
bool has_checkpoint(const std::string& dir);

/// `state`: as the experiment starts, with a place for every client.
/// Errors: InputError if there is no checkpoint, it is damaged, or it belongs to another config or to inputs of other
/// content.
void load_checkpoint(const std::string& dir, const RunIdentity& identity, RunState& state);

/// The model as named tensors, "client.conv1.weight" and so on, in the shapes of torch.nn; with G > 1 replicas a
/// leading dimension G. The tensors' values live in `storage`.
std::vector<TensorView> model_tensors(const Network& network, const std::vector<float> (&parameters)[2],
                                      std::vector<std::vector<float>>& storage);

}  // namespace splitsim
