// Delay levels: the best of all ways to cut, the levels of clients, what is degenerate.
#include "samplers/latency/delay_levels.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

namespace splitsim {
namespace {

using Numbers = std::vector<std::int64_t>;

std::int64_t cost_of(const Numbers& bounds, const Numbers& delay, const Numbers& weight) {
  std::int64_t cost = 0;
  for (std::size_t k = 0; k < delay.size(); ++k) {
    std::int64_t level = bounds.front();
    for (const std::int64_t bound : bounds) level = bound >= delay[k] ? bound : level;
    cost += weight[k] * level;
  }
  return cost;
}

/// Over all sets of `levels` delays that hold the largest.
std::int64_t least_cost(const Numbers& delay, const Numbers& weight, std::size_t levels) {
  std::set<std::int64_t, std::greater<>> distinct;
  for (std::size_t k = 0; k < delay.size(); ++k) {
    if (weight[k] > 0) distinct.insert(delay[k]);
  }
  const Numbers all(distinct.begin(), distinct.end());
  std::int64_t least = cost_of(all, delay, weight) + (std::int64_t{1} << 60);
  for (std::uint32_t chosen = 1; chosen < (1u << all.size()); chosen += 2) {
    Numbers bounds;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (chosen >> i & 1) bounds.push_back(all[i]);
    }
    if (bounds.size() <= levels) least = std::min(least, cost_of(bounds, delay, weight));
  }
  return least;
}

TEST(DelayLevels, AreTheBestOfAllCuts) {
  EXPECT_TRUE(rc::check("least weighted delay", [] {
    const auto clients = *rc::gen::inRange<std::size_t>(1, 9);
    const auto delay = *rc::gen::container<Numbers>(clients, rc::gen::inRange<std::int64_t>(0, 100));
    auto weight = *rc::gen::container<Numbers>(clients, rc::gen::inRange<std::int64_t>(0, 20));
    weight[0] += 1;
    const auto levels = *rc::gen::inRange<std::size_t>(1, 9);
    const DelayLevels found = delay_levels(delay, weight, static_cast<std::int64_t>(levels));
    RC_ASSERT(found.delay_ns.size() <= levels);
    RC_ASSERT(std::is_sorted(found.delay_ns.begin(), found.delay_ns.end(), std::greater<>()));
    RC_ASSERT(cost_of(found.delay_ns, delay, weight) == least_cost(delay, weight, levels));
    for (std::size_t k = 0; k < clients; ++k) {
      const auto level = static_cast<std::size_t>(found.level[k]);
      RC_ASSERT(level < found.delay_ns.size());
      if (weight[k] > 0) RC_ASSERT(found.delay_ns[level] >= delay[k]);
      if (level + 1 < found.delay_ns.size()) RC_ASSERT(found.delay_ns[level + 1] < delay[k]);
    }
  }));
}

TEST(DelayLevels, AsManyAsDelaysDiffer) {
  const Numbers delay = {5, 9, 5, 1, 9}, weight = {1, 1, 1, 1, 1};
  for (const std::int64_t levels : {0, 3, 8}) {
    EXPECT_EQ(delay_levels(delay, weight, levels).delay_ns, (Numbers{9, 5, 1})) << levels;
  }
  EXPECT_EQ(delay_levels(delay, weight, 1).delay_ns, Numbers{9});
  EXPECT_EQ(delay_levels(delay, {1, 0, 1, 1, 0}, 0).level, (std::vector<std::int32_t>{0, 0, 0, 1, 0}));
  EXPECT_EQ(delay_levels({3, 4}, {0, 0}, 8).count(), 1);
}

TEST(DelayLevels, ManyDelaysLoseLittle) {
  Numbers delay, weight;
  for (std::int64_t k = 0; k < 100000; ++k) {
    delay.push_back(k * k % 1000003 + 7);
    weight.push_back(1 + k % 3);
  }
  const DelayLevels levels = delay_levels(delay, weight, 8);
  EXPECT_EQ(levels.count(), 8);
  // Even weights between 0 and the largest: eight levels of equal widths cost 9 / 16 of it, the best no more.
  std::int64_t total = 0;
  for (const std::int64_t w : weight) total += w;
  const std::int64_t largest = *std::max_element(delay.begin(), delay.end());
  EXPECT_EQ(levels.delay_ns.front(), largest);
  EXPECT_LE(static_cast<double>(cost_of(levels.delay_ns, delay, weight)),
            9.0 / 16.0 * static_cast<double>(largest) * static_cast<double>(total) * 1.005);
}

}  // namespace
}  // namespace splitsim
