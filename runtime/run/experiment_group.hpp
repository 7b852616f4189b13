// Experiments from end to end, each in three rooms: the scene (values before learning), the trainer (what is on the device)
// and the recorder (what is left behind). One direction: each reads what the one before it says. Several are trained as one:
// they share an engine, whose steps have the slots of all, and nothing else. Determinism: on the CPU what an experiment leaves
// behind has the bits that it has alone; on a GPU up to rounding, where others are beside it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/device/context.hpp"
#include "runtime/config/config.hpp"
#include "runtime/record/records.hpp"
#include "runtime/run/experiment_plan.hpp"
#include "runtime/run/trainer.hpp"

namespace splitsim {

struct RunOptions {
  std::string out_dir = {};  ///< prepared run directory; empty: write nothing
  /// Continue from out_dir's checkpoint, or from the start if there is none. A run that is finished is left alone, its
  /// summary returned.
  bool resume = false;
  const std::atomic<bool>* interrupt = nullptr;                ///< becomes true: stop at the next step
  std::function<void(const ProgressState&)> on_progress = {};  ///< called now and then from the host loop
  std::function<void(const EpochRecord&)> on_epoch = {};       ///< called after each epoch
};

template <class Context>
class ExperimentGroup {
 public:
  /// Loads the data, partitions it, draws the profiles and plans, of every config. given: of each, see make_scene(); may be
  /// empty. Errors: InputError, also of configs that
  /// cannot be trained together (runtime/config/together.hpp).
  ExperimentGroup(Context& ctx, const std::vector<Config>& configs, std::vector<SceneParts> given = {});
  ~ExperimentGroup();

  /// Of an experiment; memory: of the group.
  const ExperimentPlan& plan(std::size_t experiment) const;
  const Scene& scene(std::size_t experiment) const;

  /// Whether nothing is left to do for its run in a directory. Errors: InputError if its inputs had other content.
  bool finished(std::size_t experiment, const std::string& out_dir) const;
  /// Trains all of them, each from where it is; options: of each; interrupt: that of the first. A summary's status is
  /// "completed", "diverged" or "interrupted": a run that diverges ends, the others go on; one that was interrupted leaves its
  /// records and checkpoint behind, but neither summary nor models. Errors: check_memory()'s; InputError for a checkpoint that
  /// does not fit or is of inputs with other content, before anything is written.
  std::vector<Summary> run(const std::vector<RunOptions>& options);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace splitsim
