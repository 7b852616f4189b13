#include "samplers/local/makespan.hpp"

#include <algorithm>

#include "samplers/latency/delay_levels.hpp"

namespace splitsim {

namespace {

struct Worker {
  std::int32_t client;
  std::int64_t delay_ns, per_sample_ns, left;

  std::int64_t done_by(std::int64_t time_ns) const {
    return time_ns <= delay_ns ? 0 : std::min(left, (time_ns - delay_ns) / per_sample_ns);
  }
};

}  // namespace

Makespan least_makespan(const ClientTimes& times, const std::vector<std::int64_t>& left, std::int64_t wanted,
                        std::int64_t at_least_ns) {
  std::vector<Worker> workers;
  for (std::size_t k = 0; k < left.size(); ++k) {
    if (left[k] > 0) {
      workers.push_back({static_cast<std::int32_t>(k), times.delay_ns[k], times.per_sample_ns[k], left[k]});
    }
  }
  const auto suffices = [&](std::int64_t time_ns) {
    std::int64_t done = 0;
    for (std::size_t i = 0; i < workers.size() && done < wanted; ++i) done += workers[i].done_by(time_ns);
    return done >= wanted;
  };
  std::int64_t high = at_least_ns;
  if (!suffices(high)) {
    std::int64_t low = high, stride = 1;  // low never suffices
    for (; !suffices(low + stride); stride *= 2) low += stride;
    high = low + stride;
    while (high - low > 1) {
      const std::int64_t middle = low + (high - low) / 2;
      (suffices(middle) ? high : low) = middle;
    }
  }

  Makespan best{high, {}};
  std::int64_t surplus = -wanted;
  for (const Worker& worker : workers) {
    const std::int64_t samples = worker.done_by(high);
    surplus += samples;
    if (samples > 0) best.shares.push_back({worker.client, samples});
  }
  for (auto share = best.shares.rbegin(); surplus > 0; ++share) {
    if (times.finish_ns(share->client, share->samples) != high) continue;
    share->samples -= 1;
    surplus -= 1;
  }
  std::erase_if(best.shares, [](const Share& share) { return share.samples == 0; });
  return best;
}

Schedule makespan_layout(const Population& population, const ClientTimes& times, std::int64_t batch,
                         std::int64_t levels) {
  ClientTimes seen = times;
  const DelayLevels of = delay_levels(times.delay_ns, population.sizes(), levels);
  for (std::size_t k = 0; k < seen.delay_ns.size() && levels > 0; ++k) {
    seen.delay_ns[k] = std::max(times.delay_ns[k], of.delay_ns[static_cast<std::size_t>(of.level[k])]);
  }
  // With less left nobody can do more by the same time, so the optimum only rises while the steps want as much.
  std::int64_t at_least_ns = 0, last_wanted = 0;
  return allocated_layout(population, batch, [&](const std::vector<std::int64_t>& left, std::int64_t wanted) {
    if (wanted != last_wanted) at_least_ns = 0;
    last_wanted = wanted;
    Makespan best = least_makespan(seen, left, wanted, at_least_ns);
    at_least_ns = best.time_ns;
    return std::move(best.shares);
  });
}

}  // namespace splitsim
