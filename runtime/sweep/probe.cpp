#include "runtime/sweep/probe.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/stopwatch.hpp"
#include "kernels/device/context.hpp"
#include "runtime/plan/data_cache.hpp"
#include "runtime/run/experiment.hpp"

namespace splitsim {

double run_seconds(const RunCost& cost, const Config& config, std::int32_t epochs) {
  const double left = std::max(config.train.epochs - epochs, 0);
  return cost.setup_s + left * (static_cast<double>(cost.steps_per_epoch) * cost.step_s + cost.test_s);
}

template <class Context>
RunCost measure_run(Context& ctx, const Config& config, double seconds, const std::string& data_cache) {
  const auto began = std::chrono::steady_clock::now();
  SceneParts given;
  if (!data_cache.empty()) given.dataset = load_dataset_once(config.data, seeds_of(config).data, data_cache);
  Experiment<Context> experiment(ctx, config, std::move(given));
  experiment.check_memory();
  const ExperimentPlan& plan = experiment.plan();
  RunCost cost;
  cost.planned_bytes = plan.memory_bytes;
  cost.steps_per_epoch = plan.steps_per_epoch;

  // The first step that comes back is warm-up.
  std::atomic<bool> stop{false};
  std::optional<std::chrono::steady_clock::time_point> first;
  std::int64_t first_step = 0, last_step = 0;
  double measured_s = 0.0;
  RunOptions options;
  options.interrupt = &stop;
  options.on_progress = [&](const ProgressState& state) {
    if (state.epoch > 0) stop = true;
    if (stop.load()) return;
    if (!first) {
      first = std::chrono::steady_clock::now();
      first_step = state.step;
      cost.setup_s = seconds_since(began);
      return;
    }
    last_step = state.step;
    measured_s = seconds_since(*first);
    if (measured_s >= seconds || last_step - first_step >= kProbeSteps) stop = true;
  };
  options.on_epoch = [&](const EpochRecord& epoch) {
    if (last_step > first_step || epoch.steps == 0) return;
    first_step = 0;  // an epoch of one step, or steps that came back all at once
    last_step = epoch.steps;
    measured_s = epoch.train_wall_s;
  };
  experiment.run(options);
  if (last_step > first_step) cost.step_s = measured_s / static_cast<double>(last_step - first_step);
  // A forward pass is about a third of a step.
  const double per_sample = cost.step_s / 3.0 / static_cast<double>(std::max<std::int64_t>(plan.slots_per_step, 1));
  cost.test_s = per_sample * static_cast<double>(plan.test_samples + plan.validation_samples);
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) cost.host_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  return cost;
}

std::string to_json(const RunCost& cost) {
  return nlohmann::ordered_json{{"planned_bytes", cost.planned_bytes},
                                {"host_bytes", cost.host_bytes},
                                {"steps_per_epoch", cost.steps_per_epoch},
                                {"setup_s", cost.setup_s},
                                {"step_s", cost.step_s},
                                {"test_s", cost.test_s}}
      .dump();
}

std::optional<RunCost> cost_from_json(const std::string& text) {
  try {
    const auto json = nlohmann::json::parse(text);
    return RunCost{json.at("planned_bytes"), json.at("host_bytes"), json.at("steps_per_epoch"),
                   json.at("setup_s"),       json.at("step_s"),     json.at("test_s")};
  } catch (const nlohmann::json::exception&) {
    return {};
  }
}

std::string shape_sha256(const Config& config) {
  Config shape = config;
  shape.seed = 1;
  shape.seeds = {};
  shape.train.epochs = 1;
  return config_sha256(shape);
}

template RunCost measure_run(CpuContext&, const Config&, double, const std::string&);
#if SPLITSIM_WITH_CUDA
template RunCost measure_run(CudaContext&, const Config&, double, const std::string&);
#endif

}  // namespace splitsim
