// Allocating samplers, one step at a time and without shortcuts: exact fractions, every table of shares, every client
// looked at for every sample.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

#include "samplers/local/client_times.hpp"
#include "tests/reference/sampling.hpp"

namespace splitsim::reference {

using Counts = std::vector<std::int64_t>;  // [K]

/// Largest remainder for weights 1/tau, in exact fractions of a common multiple; excess goes round again.
inline Counts speed_step(const Counts& tau, const Counts& left, std::int64_t wanted) {
  std::int64_t multiple = 1;
  for (const std::int64_t t : tau) multiple = std::lcm(multiple, t);
  Counts dealt(tau.size(), 0);
  while (wanted > 0) {
    std::vector<int> bidders;
    std::int64_t total = 0;
    for (int k = 0; k < static_cast<int>(tau.size()); ++k) {
      if (dealt[k] == left[k]) continue;
      bidders.push_back(k);
      total += multiple / tau[k];
    }
    Counts round(tau.size(), 0);
    std::int64_t spare = wanted;
    std::vector<std::pair<std::int64_t, int>> by_remainder;
    for (const int k : bidders) {
      const std::int64_t quota = wanted * (multiple / tau[k]);
      round[k] = quota / total;
      spare -= round[k];
      by_remainder.emplace_back(-(quota % total), k);
    }
    std::sort(by_remainder.begin(), by_remainder.end());
    for (std::int64_t i = 0; i < spare; ++i) round[by_remainder[i].second] += 1;
    wanted = 0;
    for (const int k : bidders) {
      const std::int64_t fits = std::min(round[k], left[k] - dealt[k]);
      dealt[k] += fits;
      wanted += round[k] - fits;
    }
  }
  return dealt;
}

/// max_k (d_k [b_k > 0] + tau_k b_k).
inline std::int64_t completion_ns(const ClientTimes& times, const Counts& counts) {
  std::int64_t last = 0;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    if (counts[k] > 0) last = std::max(last, times.delay_ns[k] + times.per_sample_ns[k] * counts[k]);
  }
  return last;
}

/// Calls visit(b) for every b with 0 <= b <= left and the given sum.
inline void for_each_table(const Counts& left, std::int64_t sum, const std::function<void(const Counts&)>& visit) {
  Counts counts(left.size(), 0);
  const std::function<void(std::size_t, std::int64_t)> fill = [&](std::size_t k, std::int64_t rest) {
    if (k == left.size()) {
      if (rest == 0) visit(counts);
      return;
    }
    for (counts[k] = 0; counts[k] <= std::min(left[k], rest); ++counts[k]) fill(k + 1, rest - counts[k]);
    counts[k] = 0;
  };
  fill(0, sum);
}

/// The makespan rule by counting T up: all that can be done by T, less one from those that finish at T, last ids first.
inline Counts makespan_step(const ClientTimes& times, const Counts& left, std::int64_t wanted) {
  for (std::int64_t time_ns = 0;; ++time_ns) {
    Counts counts(left.size(), 0);
    std::int64_t sum = 0;
    for (std::size_t k = 0; k < left.size(); ++k) {
      while (counts[k] < left[k] && times.delay_ns[k] + times.per_sample_ns[k] * (counts[k] + 1) <= time_ns)
        ++counts[k];
      sum += counts[k];
    }
    if (sum < wanted) continue;
    for (std::size_t k = left.size(); k-- > 0 && sum > wanted;) {
      if (counts[k] == 0 || times.delay_ns[k] + times.per_sample_ns[k] * counts[k] != time_ns) continue;
      counts[k] -= 1;
      sum -= 1;
    }
    return counts;
  }
}

/// An epoch in which every step of `batch` samples is dealt by deal(left, wanted), local orders as in fls.
inline Schedule allocated(const Population& population, std::int64_t batch, std::uint64_t seed, std::uint32_t epoch,
                          const std::function<Counts(const Counts&, std::int64_t)>& deal) {
  const auto orders = local_orders(population, seed, epoch);
  Counts left;
  for (const auto& order : orders) left.push_back(static_cast<std::int64_t>(order.size()));
  std::vector<std::vector<std::pair<int, int>>> steps;
  for (std::int64_t rest = population.samples(); rest > 0;) {
    const Counts counts = deal(left, std::min(batch, rest));
    auto& step = steps.emplace_back();
    for (int k = 0; k < population.clients; ++k) {
      for (std::int64_t j = 0; j < counts[k]; ++j) step.emplace_back(k, orders[k][orders[k].size() - left[k]--]);
      rest -= counts[k];
    }
  }
  Schedule schedule;
  finish(schedule, steps);
  return schedule;
}

}  // namespace splitsim::reference
