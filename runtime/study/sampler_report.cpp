#include "runtime/study/sampler_report.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "base/hash.hpp"
#include "base/stopwatch.hpp"
#include "runtime/record/metrics.hpp"
#include "samplers/registry.hpp"

namespace splitsim {

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  Spread spread;
  for (const double value : values) spread.mean += value;
  spread.mean /= static_cast<double>(values.size());
  spread.p95 = values[(values.size() * 95 + 99) / 100 - 1];
  spread.max = values.back();
  return spread;
}

double serfling_bound(std::int64_t samples, std::int32_t classes, std::int64_t batch, double failure) {
  const double b = static_cast<double>(batch);
  const double left = 1.0 - (b - 1.0) / static_cast<double>(samples);
  return std::sqrt(left * std::log(2.0 * classes / failure) / (2.0 * b));
}

std::vector<double> largest_class_deviation(const Schedule& schedule, const Population& population) {
  const auto classes = static_cast<std::size_t>(population.classes);
  const double samples = static_cast<double>(population.samples());
  std::vector<std::int64_t> count(classes);
  std::vector<double> deviation(static_cast<std::size_t>(schedule.steps()));
  for (std::size_t t = 0; t < deviation.size(); ++t) {
    std::fill(count.begin(), count.end(), 0);
    const auto first = static_cast<std::size_t>(schedule.step_first[t]);
    const auto end = static_cast<std::size_t>(schedule.step_first[t + 1]);
    for (std::size_t s = first; s < end; ++s) {
      const auto sample = static_cast<std::size_t>(schedule.sample[s]);
      ++count[static_cast<std::size_t>(population.label[sample])];
    }
    const double batch = static_cast<double>(end - first);
    for (std::size_t c = 0; c < classes && end > first; ++c) {
      const double pooled = static_cast<double>(population.class_total[c]) / samples;
      deviation[t] = std::max(deviation[t], std::abs(static_cast<double>(count[c]) / batch - pooled));
    }
  }
  return deviation;
}

template <class Context>
SamplerReport measure_sampler(Context& ctx, const Population& population,
                              const DevicePopulation<Context>& device_population, const Timing& timing,
                              const Config& config, const std::string& name, std::int32_t epochs,
                              const std::function<void(std::int32_t, const EpochPlan&)>& on_epoch) {
  SamplerReport report;
  report.name = name;
  report.epochs = epochs;
  const std::uint64_t bytes_before = ctx.counters().bytes_in_use;
  const auto setup_start = std::chrono::steady_clock::now();
  EpochPlanner<Context> planner(ctx, population, device_population, config, timing.profile, timing);
  planner.start();
  ctx.synchronize();
  report.setup_s = seconds_since(setup_start);

  std::vector<double> l1, drift, class_deviation, step_s;
  std::int64_t active = 0, slots = 0;
  report.active_min = std::numeric_limits<std::int64_t>::max();
  Sha256 schedules, timelines;
  for (std::int32_t epoch = 0; epoch < epochs; ++epoch) {
    const EpochPlan plan = planner.plan(static_cast<std::uint32_t>(epoch));
    const std::vector<double> per_class = largest_class_deviation(plan.schedule, population);
    l1.insert(l1.end(), plan.deviation.begin(), plan.deviation.end());
    class_deviation.insert(class_deviation.end(), per_class.begin(), per_class.end());
    for (std::size_t t = 0; t < per_class.size(); ++t) {
      const std::int64_t clients = plan.schedule.active_first[t + 1] - plan.schedule.active_first[t];
      active += clients;
      const std::int32_t first = plan.schedule.step_first[t];
      if (first > 0 && plan.schedule.step_first[t + 1] > first) drift.push_back(plan.drift[t]);
      report.active_min = std::min(report.active_min, clients);
      report.active_max = std::max(report.active_max, clients);
      step_s.push_back(static_cast<double>(plan.timeline.end_ns[t] - plan.timeline.start_ns[t]) * 1e-9);
    }
    slots += plan.schedule.slots();
    report.construction_s += plan.construction_s;
    schedules.add(plan.schedule.sha256());
    timelines.add(plan.timeline.sha256());
    if (on_epoch) on_epoch(epoch, plan);
  }
  const double steps = static_cast<double>(l1.size());
  report.steps_per_epoch = steps / epochs;
  report.active_mean = static_cast<double>(active) / steps;
  report.deviation = spread_of(std::move(l1));
  report.drift_mean = spread_of(std::move(drift)).mean;
  report.class_deviation = spread_of(std::move(class_deviation));
  report.serfling_bound = serfling_bound(population.samples(), population.classes, config.sampler.batch);
  report.virtual_time_s = static_cast<double>(planner.clock().now_ns()) * 1e-9;
  report.step_s = spread_of(std::move(step_s));
  const ClientWaiting waiting = planner.clock().waiting();
  const WaitingShares shares = waiting_shares(waiting.waiting_ns, waiting.total_ns);
  report.waiting_mean = shares.mean;
  report.waiting_max = shares.max;
  report.samples_per_s = static_cast<double>(slots) / std::max(report.construction_s, 1e-9);
  report.construction_s /= epochs;
  report.memory_bytes = ctx.counters().bytes_in_use - bytes_before;
  report.schedule_sha256 = schedules.hex();
  report.timeline_sha256 = timelines.hex();
  return report;
}

template SamplerReport measure_sampler(CpuContext&, const Population&, const DevicePopulation<CpuContext>&,
                                       const Timing&, const Config&, const std::string&, std::int32_t,
                                       const std::function<void(std::int32_t, const EpochPlan&)>&);
#if SPLITSIM_WITH_CUDA
template SamplerReport measure_sampler(CudaContext&, const Population&, const DevicePopulation<CudaContext>&,
                                       const Timing&, const Config&, const std::string&, std::int32_t,
                                       const std::function<void(std::int32_t, const EpochPlan&)>&);
#endif

}  // namespace splitsim
