#include "samplers/schedule/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/hash.hpp"

namespace splitsim {

std::string Schedule::sha256() const {
  Sha256 hash;
  hash.add(sample);
  hash.add(client);
  hash.add(step_first);
  return hash.hex();
}

bool Schedule::nobody_active() const {
  return !active_first.empty() &&
         std::all_of(active_first.begin(), active_first.end(), [](std::int32_t first) { return first == 0; });
}

void check_schedule(const Schedule& schedule, const ScheduleBounds& bounds) {
  const auto& first = schedule.step_first;
  const std::int64_t slots = schedule.slots(), steps = schedule.steps();
  if (first.empty() || first.front() != 0 || first.back() != slots || !std::is_sorted(first.begin(), first.end())) {
    throw InputError(fmt::format("schedule: step_first must rise from 0 to the number of slots ({})", slots));
  }
  if (schedule.client.size() != schedule.sample.size()) {
    throw InputError(fmt::format("schedule: {} samples but {} clients, allowed: one client per sample", slots,
                                 schedule.client.size()));
  }
  if (slots > bounds.slots) throw InputError(fmt::format("schedule: {} slots, allowed: {}", slots, bounds.slots));
  if (steps > bounds.steps) throw InputError(fmt::format("schedule: {} steps, allowed: {}", steps, bounds.steps));
  const bool any_active = !schedule.nobody_active();
  for (std::int64_t t = 0; t < steps; ++t) {
    const std::int64_t batch = first[t + 1] - first[t];
    if (batch > bounds.batch) {
      throw InputError(fmt::format("schedule: step {} has {} slots, allowed: {}", t, batch, bounds.batch));
    }
    std::int64_t active = 0;
    for (std::int64_t i = first[t]; i < first[t + 1]; ++i) {
      const bool opens = i == first[t] || schedule.client[i] != schedule.client[i - 1];
      if (schedule.sample[i] < 0 || schedule.client[i] < 0 ||
          (i > first[t] && schedule.client[i] < schedule.client[i - 1])) {
        throw InputError(
            fmt::format("schedule: slot {} of step {} holds sample {} of client {}; allowed: ids from 0, "
                        "clients ascending within a step",
                        i - first[t], t, schedule.sample[i], schedule.client[i]));
      }
      active += opens ? 1 : 0;
    }
    if (any_active && active > bounds.active) {
      throw InputError(fmt::format("schedule: step {} has {} active clients, allowed: {}", t, active, bounds.active));
    }
  }
}

ScheduleBounds bounds_of(const Schedule& schedule) {
  ScheduleBounds bounds{schedule.slots(), schedule.steps(), 0, 0};
  const bool nobody = schedule.nobody_active();
  for (std::int64_t t = 0; t < bounds.steps; ++t) {
    const std::int64_t first = schedule.step_first[t], last = schedule.step_first[t + 1];
    std::int64_t active = 0;
    for (std::int64_t i = first; i < last; ++i) {
      active += i == first || schedule.client[i] != schedule.client[i - 1] ? 1 : 0;
    }
    bounds.batch = std::max(bounds.batch, last - first);
    bounds.active = std::max(bounds.active, nobody ? 0 : active);
  }
  return bounds;
}

}  // namespace splitsim
