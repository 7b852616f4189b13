// One experiment, end to end, in three rooms: the scene (values before learning), the trainer (what is on the device) and the
// recorder (what is left behind). One direction: each reads what the one before it says.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kernels/device/context.hpp"
#include "runtime/config/config.hpp"
#include "runtime/record/records.hpp"
#include "runtime/run/experiment_plan.hpp"
#include "runtime/run/trainer.hpp"

namespace splitsim {

struct RunOptions {
  std::string out_dir = {};                                    ///< prepared run directory; empty: write nothing
  /// Continue from out_dir's checkpoint, or from the start if there is none. A run that is finished is left alone, its
  /// summary returned.
  bool resume = false;
  const std::atomic<bool>* interrupt = nullptr;                ///< becomes true: stop at the next step
  std::function<void(const ProgressState&)> on_progress = {};  ///< called now and then from the host loop
  std::function<void(const EpochRecord&)> on_epoch = {};       ///< called after each epoch
};

template <class Context>
class Experiment {
 public:
  /// Loads the data, partitions it, draws the profile and plans. given: see make_scene(). Errors: InputError.
  Experiment(Context& ctx, const Config& config, SceneParts given = {});
  ~Experiment();

  const ExperimentPlan& plan() const;
  const Scene& scene() const;
  /// Errors: OutOfMemory if the plan needs more than is available, naming its largest part.
  void check_memory() const;
  /// Heat map of the partition.
  std::string partition_text() const;

  /// Whether nothing is left to do for the run in a directory. Errors: InputError if its inputs had other content.
  bool finished(const std::string& out_dir) const;
  /// Trains. The summary's status is "completed", "diverged" or "interrupted"; a run that was interrupted leaves its records
  /// and checkpoint behind, but neither summary nor models. Errors: check_memory()'s; InputError for a checkpoint that does
  /// not fit or is of inputs with other content, before anything is written.
  Summary run(const RunOptions& options);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace splitsim
