// One experiment, end to end: a group of one.
#pragma once

#include <string>
#include <utility>

#include "runtime/run/experiment_group.hpp"

namespace splitsim {

template <class Context>
class Experiment {
 public:
  /// Errors: as the group's, here and below.
  Experiment(Context& ctx, const Config& config, SceneParts given = {}) : group_(ctx, {config}, {std::move(given)}) {}

  const ExperimentPlan& plan() const { return group_.plan(0); }
  const Scene& scene() const { return group_.scene(0); }
  /// Errors: OutOfMemory if the plan needs more than is available, naming its largest part.
  void check_memory() const { splitsim::check_memory(plan(), Context::kName); }
  /// Heat map of the partition.
  std::string partition_text() const { return heat_map(scene().population); }

  bool finished(const std::string& out_dir) const { return group_.finished(0, out_dir); }
  Summary run(const RunOptions& options) { return group_.run({options}).front(); }

 private:
  ExperimentGroup<Context> group_;
};

}  // namespace splitsim
