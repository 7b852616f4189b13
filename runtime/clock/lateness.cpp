#include "runtime/clock/lateness.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "runtime/clock/nanoseconds.hpp"

namespace splitsim {

bool Lateness::any() const { return std::find(late.begin(), late.end(), true) != late.end(); }

Lateness lateness(const Schedule& schedule, const EntryTimes& times, const LatencySettings& settings) {
  const bool one_barrier = settings.barrier == Barrier::kOne;
  const std::int64_t deadline =
      settings.deadline_ms > 0.0 ? static_cast<std::int64_t>(std::nearbyint(settings.deadline_ms * 1e6)) : kForever;
  Lateness result;
  result.late.resize(schedule.active_client.size());
  result.earliest_ns.resize(static_cast<std::size_t>(schedule.steps()));
  std::vector<std::size_t> order;  // entries of a step, by arrival
  for (std::size_t t = 0; t < result.earliest_ns.size(); ++t) {
    const auto first = static_cast<std::size_t>(schedule.active_first[t]);
    const auto end = static_cast<std::size_t>(schedule.active_first[t + 1]);
    const auto arrival = [&](std::size_t e) {
      return one_barrier ? add_ns(times.forward_ns[e], times.backward_ns[e]) : times.forward_ns[e];
    };
    order.resize(end - first);
    std::iota(order.begin(), order.end(), first);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return arrival(a) < arrival(b); });
    // Shares are meant as written: 0.7 of 10 are 7.
    const auto waited = static_cast<std::size_t>(std::ceil(settings.quorum * static_cast<double>(order.size()) - 1e-9));
    for (std::size_t i = 0; i < order.size(); ++i) {
      const bool misses = arrival(order[i]) > deadline;
      result.late[order[i]] = i >= waited || misses;
      if (i < waited && misses) result.earliest_ns[t] = deadline;
    }
  }
  return result;
}

}  // namespace splitsim
