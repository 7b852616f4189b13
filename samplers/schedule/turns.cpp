#include "samplers/schedule/turns.hpp"

#include <algorithm>
#include <numeric>

namespace splitsim {

DealtSchedule deal(const Schedule& schedule, ServiceOrder order, std::uint64_t seed, std::uint32_t epoch) {
  DealtSchedule dealt;
  Schedule& out = dealt.schedule;
  out.sample.reserve(schedule.sample.size());
  out.client.reserve(schedule.client.size());
  out.step_first = out.active_first = {0};
  const ScheduleView view = schedule.view();
  const auto end_micro_step = [&](std::size_t t) {
    out.step_first.push_back(static_cast<std::int32_t>(out.sample.size()));
    out.active_first.push_back(static_cast<std::int32_t>(out.active_client.size()));
    dealt.parent.push_back(static_cast<std::int32_t>(t));
  };
  std::vector<std::int32_t> turns;  // entries of the step
  for (std::size_t t = 0; t < static_cast<std::size_t>(schedule.steps()); ++t) {
    const std::int32_t first = schedule.active_first[t], end = schedule.active_first[t + 1];
    turns.resize(static_cast<std::size_t>(end - first));
    std::iota(turns.begin(), turns.end(), first);
    if (order == ServiceOrder::kReverse) std::reverse(turns.begin(), turns.end());
    if (order == ServiceOrder::kRandom) {
      const auto key = [&](std::int32_t e) {
        return service_key(seed, epoch, static_cast<std::int64_t>(t),
                           schedule.active_client[static_cast<std::size_t>(e)]);
      };
      std::stable_sort(turns.begin(), turns.end(), [&](std::int32_t a, std::int32_t b) { return key(a) < key(b); });
    }
    for (const std::int32_t e : turns) {
      const auto entry = static_cast<std::size_t>(e);
      const std::int32_t to = schedule.active_slot[entry] + view.samples_of(static_cast<std::int64_t>(t), e);
      out.active_client.push_back(schedule.active_client[entry]);
      out.active_slot.push_back(static_cast<std::int32_t>(out.sample.size()));
      for (auto slot = static_cast<std::size_t>(schedule.active_slot[entry]); slot < static_cast<std::size_t>(to);
           ++slot) {
        out.sample.push_back(schedule.sample[slot]);
        out.client.push_back(schedule.client[slot]);
      }
      end_micro_step(t);
    }
    if (turns.empty()) end_micro_step(t);  // an empty step has a turn of nobody, so that every step has an end
  }
  return dealt;
}

ScheduleBounds dealt_bounds(const ScheduleBounds& bounds, const Population& population) {
  const std::vector<std::int64_t> sizes = population.sizes();
  const std::int64_t most = std::max<std::int64_t>(1, *std::max_element(sizes.begin(), sizes.end()));
  ScheduleBounds dealt = bounds;
  // A turn has a sample, but for that of an empty step.
  dealt.steps = std::min(bounds.slots + bounds.steps, bounds.steps * std::max<std::int64_t>(1, bounds.active));
  // A schedule may use every sample several times.
  const std::int64_t samples = std::max<std::int64_t>(1, population.samples());
  dealt.batch = std::min(bounds.batch, most * ((bounds.slots + samples - 1) / samples));
  dealt.active = 1;
  return dealt;
}

}  // namespace splitsim
