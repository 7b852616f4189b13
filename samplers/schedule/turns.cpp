#include "samplers/schedule/turns.hpp"

#include <algorithm>
#include <numeric>

namespace splitsim {

namespace {

// Sorts a step's entries into the order in which they are served.
void put_in_order(std::vector<std::int32_t>& entries, const Schedule& schedule, const TurnRules& rules,
                  std::uint32_t epoch, std::int64_t step) {
  const auto client = [&](std::int32_t e) { return schedule.active_client[static_cast<std::size_t>(e)]; };
  const auto by = [&](auto key) {
    std::stable_sort(entries.begin(), entries.end(), [&](std::int32_t a, std::int32_t b) { return key(a) < key(b); });
  };
  if (rules.has_groups()) {
    const ServiceOrder order = rules.turns == Turns::kByGroup ? rules.order : ServiceOrder::kCyclic;
    by([&](std::int32_t e) {
      return group_turn_key(order, rules.seed, epoch, step, rules.groups.of_client(client(e)), rules.groups.count);
    });
  } else if (rules.order == ServiceOrder::kReverse) {
    std::reverse(entries.begin(), entries.end());
  } else if (rules.order == ServiceOrder::kRandom) {
    by([&](std::int32_t e) { return service_key(rules.seed, epoch, step, client(e)); });
  }
}

}  // namespace

DealtSchedule deal(const Schedule& schedule, const TurnRules& rules, std::uint32_t epoch) {
  DealtSchedule dealt;
  Schedule& out = dealt.schedule;
  out.sample.reserve(schedule.sample.size());
  out.client.reserve(schedule.client.size());
  out.step_first = out.active_first = {0};
  if (rules.has_groups()) dealt.group_first = {0};
  const ScheduleView view = schedule.view();
  const auto end_micro_step = [&](std::int64_t t) {
    out.step_first.push_back(static_cast<std::int32_t>(out.sample.size()));
    out.active_first.push_back(static_cast<std::int32_t>(out.active_client.size()));
    if (rules.has_groups()) dealt.group_first.push_back(static_cast<std::int32_t>(dealt.group_id.size()));
    if (rules.turns != Turns::kTogether) dealt.parent.push_back(static_cast<std::int32_t>(t));
  };
  std::vector<std::int32_t> turns;  // entries of the step
  for (std::int64_t t = 0; t < schedule.steps(); ++t) {
    const std::int32_t first = view.active_first[t], end = view.active_first[t + 1];
    turns.resize(static_cast<std::size_t>(end - first));
    std::iota(turns.begin(), turns.end(), first);
    put_in_order(turns, schedule, rules, epoch, t);
    std::int32_t before = -1;  // group of the entry before
    for (const std::int32_t e : turns) {
      const std::int32_t client = view.active_client[e];
      const std::int32_t group = rules.has_groups() ? rules.groups.of_client(client) : 0;
      const bool first_turn = e == turns.front();
      const bool opens = rules.turns == Turns::kByClient || (rules.turns == Turns::kByGroup && group != before);
      if (opens && !first_turn) end_micro_step(t);
      const auto slot = static_cast<std::int32_t>(out.sample.size());
      if (rules.has_groups() && (opens || group != before)) {
        dealt.group_id.push_back(group);
        dealt.group_slot.push_back(slot);
      }
      before = group;
      out.active_client.push_back(client);
      out.active_slot.push_back(slot);
      const auto from = view.active_slot[e], to = from + view.samples_of(t, e);
      out.sample.insert(out.sample.end(), view.sample + from, view.sample + to);
      out.client.insert(out.client.end(), view.client + from, view.client + to);
    }
    end_micro_step(t);  // an empty step has a turn of nobody, so that every step has an end
  }
  return dealt;
}

ScheduleBounds dealt_bounds(const ScheduleBounds& bounds, const Population& population, const TurnRules& rules) {
  if (rules.turns == Turns::kTogether) return bounds;
  const bool by_group = rules.turns == Turns::kByGroup;
  const std::vector<std::int64_t> sizes = by_group ? rules.groups.sums(population.sizes()) : population.sizes();
  const std::int64_t most = std::max<std::int64_t>(1, *std::max_element(sizes.begin(), sizes.end()));
  const std::int64_t turns = by_group ? std::min<std::int64_t>(bounds.active, rules.groups.count) : bounds.active;
  ScheduleBounds dealt = bounds;
  // A turn has a sample, but for that of an empty step.
  dealt.steps = std::min(bounds.slots + bounds.steps, bounds.steps * std::max<std::int64_t>(1, turns));
  // A schedule may use every sample several times.
  const std::int64_t samples = std::max<std::int64_t>(1, population.samples());
  dealt.batch = std::min(bounds.batch, most * ((bounds.slots + samples - 1) / samples));
  dealt.active = by_group ? std::min(bounds.active, rules.groups.most_clients()) : 1;
  return dealt;
}

}  // namespace splitsim
