// What a run needs to go on after a stop with the same bits: weights, optimiser state, and where virtual time and the
// records were. One safetensors file, written beside and renamed, so that a kill at any moment leaves the last whole
// checkpoint.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/clock/timeline.hpp"
#include "runtime/model/network.hpp"
#include "runtime/record/ledger.hpp"
#include "runtime/record/safetensors.hpp"
#include "runtime/train/engine.hpp"

namespace splitsim {

/// The part of a run's state that is neither weights nor in epochs.jsonl; after `epochs` finished epochs.
struct RunState {
  std::int32_t epochs = 0;
  ClockState clock;
  Participation participation;
};

/// Writes dir/checkpoint/state.safetensors. config_sha256 ties it to its experiment.
void save_checkpoint(const std::string& dir, const std::string& config_sha256, const RunState& state,
                     const TrainingState& training);

/// Errors: InputError if there is no checkpoint, it is damaged, or it belongs to another config.
void load_checkpoint(const std::string& dir, const std::string& config_sha256, RunState& state,
                     TrainingState& training);

/// The model as named tensors, "client.conv1.weight" and so on, in the shapes of torch.nn; with G > 1 replicas a
/// leading dimension G. The tensors' values live in `storage`.
std::vector<TensorView> model_tensors(const Network& network, const TrainingState& training,
                                      std::vector<std::vector<float>>& storage);

}  // namespace splitsim
