// Turns: where clients are served one after another (sflv2, sl), a step of the schedule is dealt into micro-steps of
// one client each. Learning runs the micro-steps, the clock runs the steps they belong to. Determinism: exact.
#pragma once

#include <cstdint>
#include <vector>

#include "samplers/population/population.hpp"
#include "samplers/schedule/schedule.hpp"
#include "samplers/schedule/service_order.hpp"

namespace splitsim {

/// A schedule whose steps have one client each, and the step of the original schedule that each belongs to. Without
/// dealing, `parent` is empty: every step its own.
struct DealtSchedule {
  Schedule schedule;
  std::vector<std::int32_t> parent;  ///< [micro-steps], ascending

  std::int32_t parent_of(std::size_t step) const {
    return parent.empty() ? static_cast<std::int32_t>(step) : parent[step];
  }
  /// Whether step m is the last one of its step of the original schedule.
  bool ends_step(std::size_t m) const {
    return m + 1 == static_cast<std::size_t>(schedule.steps()) || parent_of(m + 1) != parent_of(m);
  }
};

/// Deals every step in service order; the samples of a client keep their order. Active lists are filled in. `schedule`
/// needs its own; a step without active clients gives one empty micro-step.
DealtSchedule deal(const Schedule& schedule, ServiceOrder order, std::uint64_t seed, std::uint32_t epoch);

/// What dealt schedules need at most.
ScheduleBounds dealt_bounds(const ScheduleBounds& bounds, const Population& population);

/// A dealt epoch on the device.
template <class Context>
class DealtBuffer {
 public:
  DealtBuffer(Context& ctx, const ScheduleBounds& bounds)
      : schedule_(ctx, bounds), parent_(ctx, bounds.steps), active_lists_(ctx, bounds) {}

  void upload(const DealtSchedule& dealt) {
    splitsim::upload(dealt.schedule, schedule_, active_lists_);
    parent_.upload(dealt.parent);
  }
  ScheduleView view() const {
    ScheduleView view = schedule_.view();
    view.parent = parent_.data();
    return view;
  }
  static std::uint64_t bytes(const ScheduleBounds& bounds) {
    return ScheduleBuffer<Context>::bytes(bounds) + 4u * static_cast<std::uint64_t>(bounds.steps);
  }

 private:
  ScheduleBuffer<Context> schedule_;
  Buffer<std::int32_t, Context> parent_;
  ActiveLists<Context> active_lists_;
};

}  // namespace splitsim
