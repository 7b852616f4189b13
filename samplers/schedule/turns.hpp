// Turns: a step of the schedule is dealt into micro-steps of those who train together, one client (sflv2, sl) or one
// group (cpsl) each; and slots that share a replica of a group lie side by side. Learning runs what is dealt, the clock
// runs the steps that it belongs to. Determinism: exact.
#pragma once

#include <cstdint>
#include <vector>

#include "samplers/population/groups.hpp"
#include "samplers/population/population.hpp"
#include "samplers/schedule/schedule.hpp"
#include "samplers/schedule/service_order.hpp"

namespace splitsim {

/// Who of a step's clients trains together.
enum class Turns : std::uint8_t {
  kTogether,
  kByGroup,   ///< micro-steps of one group each
  kByClient,  ///< micro-steps of one client each
};

struct TurnRules {
  Turns turns = Turns::kByClient;
  ServiceOrder order = ServiceOrder::kCyclic;
  std::uint64_t seed = 1;  ///< of random orders
  Groups groups = {};      ///< kByGroup, and kTogether where groups have replicas; else without clients

  bool has_groups() const { return !groups.of.empty(); }
};

/// A schedule as it is trained, and the step of the original schedule that each step belongs to. `parent` is empty
/// where every step is its own.
struct DealtSchedule {
  Schedule schedule;
  std::vector<std::int32_t> parent = {};                                       ///< [micro-steps], ascending
  std::vector<std::int32_t> group_first = {}, group_id = {}, group_slot = {};  ///< runs by group, if there are groups

  std::int32_t parent_of(std::size_t step) const {
    return parent.empty() ? static_cast<std::int32_t>(step) : parent[step];
  }
  /// Whether step m is the last one of its step of the original schedule.
  bool ends_step(std::size_t m) const {
    return m + 1 == static_cast<std::size_t>(schedule.steps()) || parent_of(m + 1) != parent_of(m);
  }
};

/// Deals every step in service order; the samples of a client keep their order. With groups, a micro-step's clients are
/// sorted by group, then by id. Active lists are filled in. `schedule` needs its own; a step without active clients
/// gives one empty micro-step.
DealtSchedule deal(const Schedule& schedule, const TurnRules& rules, std::uint32_t epoch);

/// What dealt schedules need at most.
ScheduleBounds dealt_bounds(const ScheduleBounds& bounds, const Population& population, const TurnRules& rules);

/// A dealt epoch on the device.
template <class Context>
class DealtBuffer {
 public:
  DealtBuffer(Context& ctx, const ScheduleBounds& bounds)
      : schedule_(ctx, bounds),
        parent_(ctx, bounds.steps),
        group_first_(ctx, bounds.steps + 1),
        group_id_(ctx, bounds.slots),
        group_slot_(ctx, bounds.slots) {}

  /// `dealt` must fit into the bounds.
  void upload(const DealtSchedule& dealt) {
    upload_complete(dealt.schedule, schedule_);
    parent_.upload(dealt.parent);
    group_first_.upload(dealt.group_first);
    group_id_.upload(dealt.group_id);
    group_slot_.upload(dealt.group_slot);
  }
  ScheduleView view(const TurnRules& rules) const {
    ScheduleView view = schedule_.view();
    if (rules.turns != Turns::kTogether) view.parent = parent_.data();
    if (rules.has_groups()) view.groups = {group_first_.data(), group_id_.data(), group_slot_.data()};
    return view;
  }
  static std::uint64_t bytes(const ScheduleBounds& bounds) {
    return ScheduleBuffer<Context>::bytes(bounds) +
           4u * static_cast<std::uint64_t>(2 * bounds.steps + 1 + 2 * bounds.slots);
  }

 private:
  ScheduleBuffer<Context> schedule_;
  Buffer<std::int32_t, Context> parent_, group_first_, group_id_, group_slot_;
};

}  // namespace splitsim
