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
                                    const DevicePopulation<Context>& device_population, const SamplerSettings& sampler,
                                    const Profile& seen, const Timing& timing, std::uint64_t sampler_seed)
    : ctx_(ctx),
      population_(device_population),
      sampler_seed_(sampler_seed),
      clock_seed_(timing.seed),
      sampler_(make_sampler(ctx, population, device_population, seen, sampler)),
      bounds_(sampler_->bounds()),
      clock_(ctx, timing.profile, timing.latency, bounds_, with_waiting(timing.mode)) {}

template <class Context>
void EpochPlanner<Context>::start() {
  schedule_ = std::make_unique<ScheduleBuffer<Context>>(ctx_, bounds_);
  deviation_ = Buffer<double, Context>(ctx_, bounds_.steps);
}

template <class Context>
EpochPlan EpochPlanner<Context>::plan(std::uint32_t epoch, bool waiting) {
  const Range range("schedule and timeline");
  EpochPlan plan;
  ctx_.synchronize();
  const auto start = std::chrono::steady_clock::now();
  sampler_->build(sampler_seed_, epoch, *schedule_);
  ctx_.synchronize();
  plan.construction_s = seconds_since(start);
  batch_deviation(ctx_, population_, *schedule_, deviation_.view());
  plan.timeline = clock_.build(*schedule_, clock_seed_, epoch);
  plan.deviation = deviation_.download(schedule_->steps);
  plan.schedule = download(*schedule_);
  if (waiting) plan.waiting = clock_.entry_waiting(static_cast<std::int64_t>(plan.schedule.active_client.size()));
  return plan;
}

template class EpochPlanner<CpuContext>;
#if SPLITSIM_WITH_CUDA
template class EpochPlanner<CudaContext>;
#endif

}  // namespace splitsim
