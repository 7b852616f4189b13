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

namespace {

// max_c |p_hat_c - p_c| of steps [t, ..), whose samples these are.
class ClassDeviation {
 public:
  explicit ClassDeviation(const Population& population)
      : population_(population), count_(static_cast<std::size_t>(population.classes)) {}

  double of(const std::int32_t* samples, std::int64_t batch) {
    std::fill(count_.begin(), count_.end(), 0);
    for (std::int64_t i = 0; i < batch; ++i) {
      ++count_[static_cast<std::size_t>(population_.label[static_cast<std::size_t>(samples[i])])];
    }
    double largest = 0.0;
    for (std::size_t c = 0; c < count_.size() && batch > 0; ++c) {
      const double pooled =
          static_cast<double>(population_.class_total[c]) / static_cast<double>(population_.samples());
      largest = std::max(largest, std::abs(static_cast<double>(count_[c]) / static_cast<double>(batch) - pooled));
    }
    return largest;
  }

 private:
  const Population& population_;
  std::vector<std::int64_t> count_;
};

// Calls visit(values, first step, its end) for runs of whole steps, at most `most` slots if these are one step's or more,
// of an array of slots on the device.
template <class Context, class Visit>
void for_pieces(Context& ctx, const std::int32_t* slots, const std::vector<std::int32_t>& step_first, std::int64_t most,
                Visit visit) {
  const std::size_t steps = step_first.size() - 1;
  std::vector<std::int32_t> piece;
  for (std::size_t from = 0; from < steps;) {
    std::size_t to = from + 1;
    while (to < steps && step_first[to + 1] - step_first[from] <= most) ++to;
    piece.resize(static_cast<std::size_t>(step_first[to] - step_first[from]));
    ctx.download(piece.data(), slots + step_first[from], piece.size() * sizeof piece[0]);
    visit(piece, from, to);
    from = to;
  }
}

// The deviations of an epoch whose slots are on the device, and the schedule's hash: Schedule::sha256().
template <class Context>
std::vector<double> read_slots(Context& ctx, const ScheduleView& slots, const std::vector<std::int32_t>& step_first,
                               const Population& population, std::int64_t most, std::string& sha256) {
  std::vector<double> deviation;
  ClassDeviation of_step(population);
  Sha256 hash;
  for_pieces(ctx, slots.sample, step_first, most,
             [&](const std::vector<std::int32_t>& piece, std::size_t from, std::size_t to) {
               hash.add(piece);
               for (std::size_t t = from; t < to; ++t) {
                 deviation.push_back(
                     of_step.of(piece.data() + (step_first[t] - step_first[from]), step_first[t + 1] - step_first[t]));
               }
             });
  for_pieces(ctx, slots.client, step_first, most,
             [&](const std::vector<std::int32_t>& piece, std::size_t, std::size_t) { hash.add(piece); });
  hash.add(step_first);
  sha256 = hash.hex();
  return deviation;
}

}  // namespace

std::vector<double> largest_class_deviation(const Schedule& schedule, const Population& population) {
  std::vector<double> deviation;
  ClassDeviation of_step(population);
  for (std::size_t t = 0; t < static_cast<std::size_t>(schedule.steps()); ++t) {
    deviation.push_back(of_step.of(schedule.sample.data() + schedule.step_first[t],
                                   schedule.step_first[t + 1] - schedule.step_first[t]));
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
  Timing of_sampler = timing;
  const std::int64_t piece = timing.mode.held_entries > 0 ? timing.mode.held_entries : std::int64_t{1} << 22;
  of_sampler.mode.held_entries = on_epoch ? 0 : piece;
  EpochPlanner<Context> planner(ctx, population, device_population, config, timing.profile, of_sampler);
  planner.start();
  ctx.synchronize();
  report.setup_s = seconds_since(setup_start);

  std::vector<double> l1, drift, class_deviation, step_s;
  std::int64_t active = 0, slots = 0;
  report.active_min = std::numeric_limits<std::int64_t>::max();
  Sha256 schedules, timelines;
  for (std::int32_t epoch = 0; epoch < epochs; ++epoch) {
    const auto number = static_cast<std::uint32_t>(epoch);
    const EpochPlan plan = on_epoch ? planner.plan(number) : planner.outline(number);
    std::string schedule_sha256;
    const std::vector<double> per_class =
        read_slots(ctx, planner.schedule(), plan.schedule.step_first, population, piece, schedule_sha256);
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
    slots += plan.schedule.step_first.back();
    report.construction_s += plan.construction_s;
    schedules.add(schedule_sha256);
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
