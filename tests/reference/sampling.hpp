// Naive samplers, written from the definitions and sharing nothing with the product but the addressed uniforms: one
// sort of pairs, one loop over clients, one probability at a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "kernels/device/math.hpp"
#include "kernels/device/philox.hpp"
#include "samplers/population/population.hpp"
#include "samplers/schedule/schedule.hpp"

namespace splitsim::reference {

/// The exponential variate of a sample.
inline double exponential(std::uint64_t seed, std::uint32_t epoch, std::int32_t sample) {
  return neg_log_uniform(random_u64(seed, {Purpose::kSampleKey, static_cast<std::uint32_t>(sample), 0, epoch, 0}));
}

/// Completes step_first (one entry per step, all non-empty) and the active lists of `schedule` from its batches.
inline void finish(Schedule& schedule, const std::vector<std::vector<std::pair<int, int>>>& steps) {
  schedule.step_first = {0};
  schedule.active_first = {0};
  for (const auto& step : steps) {
    int last_client = -1;
    for (const auto& [client, sample] : step) {
      if (client != last_client) {
        schedule.active_client.push_back(client);
        schedule.active_slot.push_back(static_cast<std::int32_t>(schedule.sample.size()));
      }
      last_client = client;
      schedule.client.push_back(client);
      schedule.sample.push_back(sample);
    }
    schedule.step_first.push_back(static_cast<std::int32_t>(schedule.sample.size()));
    schedule.active_first.push_back(static_cast<std::int32_t>(schedule.active_client.size()));
  }
}

/// Sizes of the chunks of n samples: numpy.array_split's, or full ones and a short one.
inline std::vector<std::int64_t> chunk_sizes(std::int64_t n, std::int64_t batch, bool even) {
  std::vector<std::int64_t> sizes;
  if (!even) {
    for (std::int64_t left = n; left > 0; left -= batch) sizes.push_back(std::min(left, batch));
    return sizes;
  }
  std::int64_t steps = 0;
  while (steps * batch < n) ++steps;
  sizes.assign(static_cast<std::size_t>(steps), 0);
  for (std::int64_t i = 0; i < n; ++i) sizes[i % steps] += 1;
  return sizes;
}

/// The keyed family. odds: [K], or empty for ugs. Without owners: the central sampler.
inline Schedule keyed(const Population& population, const std::vector<double>& odds, std::int64_t batch, bool even,
                      std::uint64_t seed, std::uint32_t epoch, bool owners = true) {
  std::vector<std::pair<double, int>> pool;
  for (std::int32_t i = 0; i < population.samples(); ++i) {
    const double e = exponential(seed, epoch, i);
    pool.emplace_back(odds.empty() ? e : e / odds[population.owner[i]], i);
  }
  std::sort(pool.begin(), pool.end());
  std::vector<std::vector<std::pair<int, int>>> steps;
  auto next = pool.begin();
  for (const std::int64_t size : chunk_sizes(population.samples(), batch, even)) {
    auto& step = steps.emplace_back();
    for (std::int64_t i = 0; i < size; ++i, ++next) {
      step.emplace_back(owners ? population.owner[next->second] : 0, next->second);
    }
    std::stable_sort(step.begin(), step.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  Schedule schedule;
  finish(schedule, steps);
  if (!owners) {
    schedule.active_first.assign(schedule.active_first.size(), 0);
    schedule.active_client.clear();
    schedule.active_slot.clear();
  }
  return schedule;
}

/// Each client's samples, ordered by (exponential, id).
inline std::vector<std::vector<int>> local_orders(const Population& population, std::uint64_t seed,
                                                  std::uint32_t epoch) {
  std::vector<std::vector<std::pair<double, int>>> keyed(static_cast<std::size_t>(population.clients));
  for (std::int32_t i = 0; i < population.samples(); ++i) {
    keyed[population.owner[i]].emplace_back(exponential(seed, epoch, i), i);
  }
  std::vector<std::vector<int>> orders(keyed.size());
  for (std::size_t k = 0; k < keyed.size(); ++k) {
    std::sort(keyed[k].begin(), keyed[k].end());
    for (const auto& [key, sample] : keyed[k]) orders[k].push_back(sample);
  }
  return orders;
}

/// fls and fpls as a simulation: in every step each client that has samples left gives up to b_k of them.
inline Schedule local(const Population& population, const std::vector<std::int64_t>& batches, std::uint64_t seed,
                      std::uint32_t epoch) {
  auto left = local_orders(population, seed, epoch);
  for (auto& order : left) std::reverse(order.begin(), order.end());  // the next sample is at the back
  std::vector<std::vector<std::pair<int, int>>> steps;
  for (;;) {
    std::vector<std::pair<int, int>> step;
    for (std::int32_t k = 0; k < population.clients; ++k) {
      for (std::int64_t j = 0; j < batches[k] && !left[k].empty(); ++j) {
        step.emplace_back(k, left[k].back());
        left[k].pop_back();
      }
    }
    if (step.empty()) break;
    steps.push_back(step);
  }
  Schedule schedule;
  finish(schedule, steps);
  return schedule;
}

/// sum_c |p_hat_c - p_c| of one step, or of the squares.
inline double deviation(const Population& population, const Schedule& schedule, std::int64_t t, bool squared = false) {
  std::vector<double> difference(static_cast<std::size_t>(population.classes));
  for (std::int32_t c = 0; c < population.classes; ++c) {
    difference[c] = -static_cast<double>(population.class_total[c]) / static_cast<double>(population.samples());
  }
  const std::int32_t first = schedule.step_first[t], last = schedule.step_first[t + 1];
  for (std::int32_t i = first; i < last; ++i) difference[population.label[schedule.sample[i]]] += 1.0 / (last - first);
  double sum = 0.0;
  for (const double d : difference) sum += squared ? d * d : std::abs(d);
  return sum;
}

/// sum_c |p_hat_c - q_hat_c| of a step and the last one before it that has samples; 0 where one of the two is none.
inline double drift(const Population& population, const Schedule& schedule, std::int64_t t) {
  const auto shares = [&](std::int64_t step) {
    std::vector<double> share(static_cast<std::size_t>(population.classes));
    const std::int32_t first = schedule.step_first[step], last = schedule.step_first[step + 1];
    for (std::int32_t i = first; i < last; ++i) share[population.label[schedule.sample[i]]] += 1.0;
    for (double& s : share) s /= last - first;
    return share;
  };
  const auto is_empty = [&](std::int64_t step) { return schedule.step_first[step] == schedule.step_first[step + 1]; };
  std::int64_t before = t - 1;
  while (before >= 0 && is_empty(before)) --before;
  if (before < 0 || is_empty(t)) return 0.0;
  const std::vector<double> p = shares(t), q = shares(before);
  double sum = 0.0;
  for (std::size_t c = 0; c < p.size(); ++c) sum += std::abs(p[c] - q[c]);
  return sum;
}

/// The law of the client counts of `draws` sequential draws without replacement, each taking client k with probability
/// proportional to odds_k times its remaining samples (Wallenius): draw by draw over all count vectors.
inline std::map<std::vector<int>, double> wallenius(const std::vector<int>& sizes, const std::vector<double>& odds,
                                                    int draws) {
  std::map<std::vector<int>, double> law{{std::vector<int>(sizes.size(), 0), 1.0}};
  for (int d = 0; d < draws; ++d) {
    std::map<std::vector<int>, double> next;
    for (const auto& [counts, probability] : law) {
      double total = 0.0;
      for (std::size_t k = 0; k < sizes.size(); ++k) total += odds[k] * (sizes[k] - counts[k]);
      for (std::size_t k = 0; k < sizes.size(); ++k) {
        if (counts[k] == sizes[k]) continue;
        auto after = counts;
        after[k] += 1;
        next[after] += probability * odds[k] * (sizes[k] - counts[k]) / total;
      }
    }
    law = std::move(next);
  }
  return law;
}

}  // namespace splitsim::reference
