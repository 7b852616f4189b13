// The plans of a run's epochs, one after the other. On a GPU they are made on a stream and a host thread of their own,
// an epoch ahead of the training; on the CPU when they are asked for, since there every thread already trains. Learning
// never changes a schedule, so this changes when work is done and no bit of it. Determinism: exact.
#pragma once

#include <cstdint>
#include <future>
#include <optional>

#include "runtime/clock/timeline.hpp"
#include "runtime/plan/epoch_plan.hpp"

namespace splitsim {

template <class Context>
class PlanAhead {
 public:
  /// Plans memory only. ctx trains; ctx and scene must outlive this. Errors: InputError of sampler and clock.
  PlanAhead(Context& ctx, const Scene& scene);
  ~PlanAhead();
  PlanAhead(const PlanAhead&) = delete;
  PlanAhead& operator=(const PlanAhead&) = delete;

  const ScheduleBounds& bounds() const { return planner_.bounds(); }
  /// Of all schedules that are kept, in bytes.
  std::uint64_t schedule_bytes() const;
  /// Device memory in use, now and at most, beside that of ctx.
  std::uint64_t bytes_in_use() const;
  std::uint64_t bytes_peak() const;

  /// Allocates. The first epoch is `first`; clock: where the clock goes on; null: at 0.
  void start(std::int32_t first, const ClockState* clock);
  /// Where every epoch's schedule is for work on ctx.
  ScheduleView schedule() const;
  /// The plan of the next epoch; behind this call its schedule is at schedule(), in the order of ctx's work. `more`: a
  /// further epoch will follow. Waits for the plan. Errors: those of its making.
  EpochPlan take(bool more);

 private:
  EpochPlan make(std::int32_t epoch);
  Context& planning() { return own_ ? *own_ : ctx_; }

  Context& ctx_;
  std::optional<Context> own_;  // a stream of its own, on a GPU
  DevicePopulation<Context> population_;
  EpochPlanner<Context> planner_;
  std::optional<ScheduleBuffer<Context>> current_;  // what ctx trains on, on a GPU
  std::int32_t next_ = 0;
  std::future<EpochPlan> ahead_;
};

}  // namespace splitsim
