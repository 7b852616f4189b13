#include "runtime/plan/plan_ahead.hpp"

#include "runtime/plan/second_context.hpp"

namespace splitsim {

template <class Context>
PlanAhead<Context>::PlanAhead(Context& ctx, const Scene& scene)
    : ctx_(ctx),
      own_(second_context<Context>()),
      population_(planning(), scene.population),
      planner_(planning(), scene.population, population_, scene.config, scene.timing.profile, scene.timing,
               scene.schedules ? &*scene.schedules : nullptr) {}

template <class Context>
PlanAhead<Context>::~PlanAhead() {
  if (ahead_.valid()) ahead_.wait();
}

template <class Context>
std::uint64_t PlanAhead<Context>::schedule_bytes() const {
  return (own_ ? 2 : 1) * EpochPlanner<Context>::bytes(planner_.bounds());
}
template <class Context>
std::uint64_t PlanAhead<Context>::bytes_in_use() const {
  return own_ ? own_->counters().bytes_in_use : 0;
}
template <class Context>
std::uint64_t PlanAhead<Context>::bytes_peak() const {
  if (ahead_.valid()) ahead_.wait();  // its thread counts
  return own_ ? own_->counters().bytes_peak : 0;
}

template <class Context>
void PlanAhead<Context>::start(std::int32_t first, const ClockState* clock) {
  planner_.start();
  if (own_) current_.emplace(ctx_, planner_.bounds());
  if (clock != nullptr) planner_.clock().set_state(*clock);
  next_ = first;
}

template <class Context>
ScheduleView PlanAhead<Context>::schedule() const {
  return current_ ? current_->view() : planner_.schedule();
}

template <class Context>
EpochPlan PlanAhead<Context>::make(std::int32_t epoch) {
  EpochPlan plan = planner_.plan(static_cast<std::uint32_t>(epoch), true);
  plan.schedule_sha256 = plan.schedule.sha256();
  plan.timeline_sha256 = plan.timeline.sha256();
  plan.clock = planner_.clock().state();
  return plan;
}

template <class Context>
EpochPlan PlanAhead<Context>::take(bool more) {
  EpochPlan plan = ahead_.valid() ? ahead_.get() : make(next_);
  ++next_;
  if constexpr (Context::kIsDevice) {
    const ScheduleView from = planner_.schedule();
    const auto slots = static_cast<std::size_t>(plan.schedule.slots()) * sizeof(std::int32_t);
    const auto ends = static_cast<std::size_t>(plan.schedule.steps() + 1) * sizeof(std::int32_t);
    const std::size_t active = plan.schedule.active_client.size() * sizeof(std::int32_t);
    ctx_.copy(current_->sample.data(), from.sample, slots);
    ctx_.copy(current_->client.data(), from.client, slots);
    ctx_.copy(current_->step_first.data(), from.step_first, ends);
    ctx_.copy(current_->active_first.data(), from.active_first, ends);
    ctx_.copy(current_->active_client.data(), from.active_client, active);
    ctx_.copy(current_->active_slot.data(), from.active_slot, active);
    own_->wait_for(ctx_);  // the next schedule is written where this one was
    if (more) ahead_ = std::async(std::launch::async, [this, epoch = next_] { return make(epoch); });
  }
  return plan;
}

template class PlanAhead<CpuContext>;
#if SPLITSIM_WITH_CUDA
template class PlanAhead<CudaContext>;
#endif

}  // namespace splitsim
