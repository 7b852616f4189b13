// What one run costs, measured by some of its steps in a process of its own: memory, and the time of steps and tests.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "runtime/config/config.hpp"

namespace splitsim {

struct RunCost {
  std::uint64_t planned_bytes = 0;  ///< of the device (experiment_plan.hpp)
  std::uint64_t host_bytes = 0;     ///< resident at most, of the process that was measured
  std::int64_t steps_per_epoch = 0;
  double setup_s = 0.0;  ///< from the process' start to its first step
  double step_s = 0.0;
  double test_s = 0.0;  ///< of the test at an epoch's end, estimated as forward passes
};

/// Seconds that a whole run takes at this cost, from its start or after `epochs` epochs.
double run_seconds(const RunCost& cost, const Config& config, std::int32_t epochs = 0);

/// Plans the experiment and trains it for `seconds`, for kProbeSteps, or for an epoch, if that is shorter; writes nothing
/// but its data set to data_cache, if that is not empty (data_cache.hpp). Errors: as Experiment.
template <class Context>
RunCost measure_run(Context& ctx, const Config& config, double seconds, const std::string& data_cache = "");
constexpr std::int64_t kProbeSteps = 100;

std::string to_json(const RunCost& cost);
/// Nothing if it is not what to_json() writes.
std::optional<RunCost> cost_from_json(const std::string& text);

/// Configs of equal shape cost the same: all keys but seeds and paths.
std::string shape_sha256(const Config& config);

}  // namespace splitsim
