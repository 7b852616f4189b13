#include "runtime/plan/epoch_plan.hpp"

#include <chrono>

#include "base/stopwatch.hpp"
#include "kernels/device/profile_range.hpp"
#include "samplers/schedule/deviation.hpp"

namespace splitsim {

namespace {

// What clients waited is known of every run.
ClockMode with_waiting(ClockMode mode) {
  mode.track_waiting = true;
  return mode;
}

}  // namespace

template <class Context>
EpochPlanner<Context>::EpochPlanner(Context& ctx, const Population& population,
                                    const DevicePopulation<Context>& device_population, const Config& config,
                                    const Profile& seen, const Timing& timing, const ScheduleSource* given)
    : ctx_(ctx),
      population_(device_population),
      sampler_seed_(seeds_of(config).sampler),
      clock_seed_(timing.seed),
      sampler_(make_sampler(ctx, population, device_population, seen, config.sampler, given)),
      bounds_(sampler_->bounds()),
      clock_(ctx, timing.profile, timing.latency, bounds_, with_waiting(timing.mode)),
      latency_(timing.latency),
      on_absence_(config.clients.on_absence) {
  if (!config.clients.all_there()) {
    presence_.emplace(config.clients, population.clients, StepGrid{bounds_.steps, {config.train.round}}, sampler_seed_);
  }
}

template <class Context>
void EpochPlanner<Context>::start() {
  schedule_ = std::make_unique<ScheduleBuffer<Context>>(ctx_, bounds_);
  deviation_ = Buffer<double, Context>(ctx_, bounds_.steps);
  drift_ = Buffer<double, Context>(ctx_, bounds_.steps);
}

template <class Context>
std::vector<std::int64_t> EpochPlanner<Context>::transform(std::uint32_t epoch, bool whole, EpochPlan& plan) {
  if (!whole && !presence_ && !latency_.drops_late()) {
    plan.schedule.step_first = schedule_->step_first.download(schedule_->steps + 1);
    plan.schedule.active_first = schedule_->active_first.download(schedule_->steps + 1);
    plan.losses = Losses(schedule_->steps);
    return {};
  }
  plan.schedule = download(*schedule_);
  plan.losses = Losses(plan.schedule.steps());
  if (presence_) {
    plan.schedule = without_absent(plan.schedule, *presence_, on_absence_, bounds_.batch, epoch, plan.losses);
    upload_complete(plan.schedule, *schedule_);
  }
  if (!latency_.drops_late()) return {};
  const auto entries = static_cast<std::int64_t>(plan.schedule.active_client.size());
  Lateness late = lateness(plan.schedule, clock_.entry_times(*schedule_, entries, clock_seed_, epoch), latency_);
  if (late.any()) {
    plan.schedule = without_late(plan.schedule, late.late, plan.losses);
    upload_complete(plan.schedule, *schedule_);
  }
  return std::move(late.earliest_ns);
}

template <class Context>
EpochPlan EpochPlanner<Context>::plan(std::uint32_t epoch, bool waiting) {
  return plan(epoch, waiting, true);
}

template <class Context>
EpochPlan EpochPlanner<Context>::outline(std::uint32_t epoch) {
  return plan(epoch, false, false);
}

template <class Context>
EpochPlan EpochPlanner<Context>::plan(std::uint32_t epoch, bool waiting, bool whole) {
  const Range range("schedule and timeline");
  EpochPlan plan;
  ctx_.synchronize();
  const auto start = std::chrono::steady_clock::now();
  sampler_->build(sampler_seed_, epoch, *schedule_);
  ctx_.synchronize();
  plan.construction_s = seconds_since(start);
  const std::vector<std::int64_t> earliest_ns = transform(epoch, whole, plan);
  batch_distances(ctx_, population_, *schedule_, deviation_.view(), drift_.view());
  plan.timeline = clock_.build(*schedule_, clock_seed_, epoch, earliest_ns);
  plan.deviation = deviation_.download(schedule_->steps);
  plan.drift = drift_.download(schedule_->steps);
  if (waiting) plan.waiting = clock_.entry_waiting(static_cast<std::int64_t>(plan.schedule.active_client.size()));
  return plan;
}

template class EpochPlanner<CpuContext>;
#if SPLITSIM_WITH_CUDA
template class EpochPlanner<CudaContext>;
#endif

}  // namespace splitsim
