// Saves a run's checkpoints. On a GPU in the background: the training's state is copied to pinned memory in the order of
// the device's work, and a host thread puts it in order, writes and flushes it while the next epoch trains; a kill loses
// the checkpoint under way, as it would have before. On the CPU, where every thread trains, at once.
#pragma once

#include <cstdint>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "kernels/device/buffer.hpp"
#include "runtime/run/checkpoint.hpp"
#include "runtime/train/engine.hpp"

namespace splitsim {

template <class Context>
class CheckpointWriter {
 public:
  /// dir: the run directory of an experiment of the engine's. ctx and engine, which trains on it, must outlive this.
  CheckpointWriter(Context& ctx, const Engine<Context>& engine, std::string dir, RunIdentity identity,
                   std::size_t experiment = 0);
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  /// Saves where the run is, with the engine's weights behind the work that it has been given so far. Waits for the save
  /// before. Errors: those of a save, this one's or the one's before: InputError.
  void save(RunState state);
  /// Waits for the last save. Errors: its own.
  void finish();

 private:
  Context& ctx_;
  const Engine<Context>& engine_;
  std::string dir_;
  RunIdentity identity_;
  std::size_t experiment_;
  std::optional<Context> behind_;  // what waits for the copies, on a GPU
  SharedBuffer<unsigned char, Context> copy_;
  std::future<void> under_way_;
};

}  // namespace splitsim
