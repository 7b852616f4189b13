// Populations with delays for tests of pack, and what a schedule does with them.
#pragma once

#include <cmath>
#include <map>
#include <vector>

#include "samplers/pack/pack.hpp"
#include "tests/reference/populations.hpp"

namespace splitsim::reference {

/// A profile with these delays and nothing else.
inline Profile delays_only(std::vector<std::int64_t> delay_ns) {
  const std::vector<std::int64_t> none(delay_ns.size(), 0);
  Profile profile;
  profile.delay_ns = std::move(delay_ns);
  profile.forward_ns = profile.backward_ns = profile.up_ns = profile.down_ns = none;
  profile.model_up_ns = profile.model_down_ns = none;
  return profile;
}

/// Clients that hold two classes each, sizes uneven.
inline Population skewed_population(int clients, int classes, int about, std::uint64_t seed) {
  std::vector<std::int32_t> owner, label;
  for (int k = 0; k < clients; ++k) {
    const std::uint64_t random = random_u64(seed, {Purpose::kTest, static_cast<std::uint32_t>(k)});
    const int size = about / 2 + static_cast<int>(random % static_cast<std::uint64_t>(about));
    for (int i = 0; i < size; ++i) {
      owner.push_back(k);
      label.push_back(static_cast<std::int32_t>((i % 3 == 0 ? random >> 20 : random >> 32) % classes));
    }
  }
  return make_population(owner, label, clients, classes);
}

/// Delays of a heavy tail, all different.
inline std::vector<std::int64_t> pareto_delays(int clients, std::uint64_t seed) {
  std::vector<std::int64_t> delay;
  for (int k = 0; k < clients; ++k) {
    const std::uint64_t random = random_u64(seed, {Purpose::kTest, static_cast<std::uint32_t>(k), 1});
    const double u = (static_cast<double>(random >> 11) + 0.5) * 0x1p-53;
    delay.push_back(static_cast<std::int64_t>(1e6 * std::pow(u, -1.0 / 1.2)));
  }
  return delay;
}

/// Any delays of few values.
inline std::vector<std::int64_t> any_delays(int clients) {
  const auto values = *rc::gen::container<std::vector<std::int64_t>>(*rc::gen::inRange<std::size_t>(1, 6),
                                                                     rc::gen::inRange<std::int64_t>(0, 1000));
  std::vector<std::int64_t> delay;
  for (int k = 0; k < clients; ++k) delay.push_back(*rc::gen::elementOf(values));
  return delay;
}

struct Measured {
  double delay_ns = 0.0;   ///< mean over the steps of the slowest client's delay
  double deviation = 0.0;  ///< mean L1
};
inline Measured measure(const Schedule& schedule, const Population& population,
                        const std::vector<std::int64_t>& delay_ns) {
  Measured mean;
  const auto steps = static_cast<double>(schedule.steps());
  for (std::int64_t t = 0; t < schedule.steps(); ++t) {
    std::int64_t slowest = 0;
    std::vector<double> count(static_cast<std::size_t>(population.classes), 0.0);
    const int first = schedule.step_first[t], end = schedule.step_first[t + 1];
    for (int i = first; i < end; ++i) {
      slowest = std::max(slowest, delay_ns[schedule.client[i]]);
      count[population.label[schedule.sample[i]]] += 1.0;
    }
    mean.delay_ns += static_cast<double>(slowest) / steps;
    for (std::size_t c = 0; c < count.size(); ++c) {
      const double share = static_cast<double>(population.class_total[c]) / static_cast<double>(population.samples());
      mean.deviation += std::abs(count[c] / (end - first) - share) / steps;
    }
  }
  return mean;
}

/// Samples of each class in each step: [T][C].
inline std::vector<std::vector<int>> class_counts(const Schedule& schedule, const Population& population) {
  std::vector<std::vector<int>> counts(static_cast<std::size_t>(schedule.steps()),
                                       std::vector<int>(static_cast<std::size_t>(population.classes), 0));
  for (std::int64_t t = 0; t < schedule.steps(); ++t) {
    for (int i = schedule.step_first[t]; i < schedule.step_first[t + 1]; ++i) {
      counts[t][population.label[schedule.sample[i]]] += 1;
    }
  }
  return counts;
}

}  // namespace splitsim::reference
