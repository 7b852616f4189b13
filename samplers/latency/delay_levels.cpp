#include "samplers/latency/delay_levels.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

namespace splitsim {

namespace {

struct Group {
  std::int64_t delay_ns, weight;  // its largest delay
};

// Distinct delays of clients that weigh something, slowest first; neighbours together where there are too many.
std::vector<Group> groups_of(const std::vector<std::int64_t>& delay_ns, const std::vector<std::int64_t>& weight,
                             std::int64_t most) {
  std::vector<Group> all;
  std::int64_t total = 0;
  for (std::size_t k = 0; k < delay_ns.size(); ++k) {
    if (weight[k] <= 0) continue;
    all.push_back({delay_ns[k], weight[k]});
    total += weight[k];
  }
  std::sort(all.begin(), all.end(), [](const Group& a, const Group& b) { return a.delay_ns > b.delay_ns; });
  std::vector<Group> distinct;
  for (const Group& one : all) {
    if (!distinct.empty() && distinct.back().delay_ns == one.delay_ns) {
      distinct.back().weight += one.weight;
    } else {
      distinct.push_back(one);
    }
  }
  if (static_cast<std::int64_t>(distinct.size()) <= most) return distinct;
  std::vector<Group> merged;
  std::int64_t before = 0, quantile = -1;
  for (const Group& one : distinct) {
    const auto at =
        static_cast<std::int64_t>(static_cast<double>(before) / static_cast<double>(total) * static_cast<double>(most));
    if (at != quantile) merged.push_back({one.delay_ns, 0});
    quantile = at;
    merged.back().weight += one.weight;
    before += one.weight;
  }
  return merged;
}

// Firsts of the levels. best(b, j): the least sum of groups [0, b) in j levels, min over a of best(a, j - 1) + delay_a
// (W_b - W_a). The best a rises with b, so that halving finds all of them.
std::vector<std::size_t> cut(const std::vector<Group>& groups, std::size_t levels) {
  const std::size_t n = groups.size();
  std::vector<double> sum(n + 1, 0.0);
  for (std::size_t i = 0; i < n; ++i) sum[i + 1] = sum[i] + static_cast<double>(groups[i].weight);
  const auto cost = [&](std::size_t a, std::size_t b) {
    return static_cast<double>(groups[a].delay_ns) * (sum[b] - sum[a]);
  };
  std::vector<double> best(n + 1), next(n + 1);
  for (std::size_t b = 1; b <= n; ++b) best[b] = cost(0, b);
  std::vector<std::vector<std::uint32_t>> from(levels, std::vector<std::uint32_t>(n + 1, 0));
  for (std::size_t j = 1; j < levels; ++j) {
    const std::function<void(std::size_t, std::size_t, std::size_t, std::size_t)> fill =
        [&](std::size_t low, std::size_t high, std::size_t first, std::size_t last) {
          if (low > high) return;
          const std::size_t b = (low + high) / 2;
          double least = std::numeric_limits<double>::infinity();
          std::size_t at = first;
          for (std::size_t a = first; a <= std::min(last, b - 1); ++a) {
            const double now = best[a] + cost(a, b);
            if (now < least) {
              least = now;
              at = a;
            }
          }
          next[b] = least;
          from[j][b] = static_cast<std::uint32_t>(at);
          if (b > low) fill(low, b - 1, first, at);
          fill(b + 1, high, at, last);
        };
    fill(j + 1, n, j, n - 1);
    std::swap(best, next);
  }
  std::vector<std::size_t> firsts;
  std::size_t end = n;
  for (std::size_t j = levels; j-- > 0;) {
    end = from[j][end];
    firsts.push_back(end);
  }
  std::reverse(firsts.begin(), firsts.end());
  return firsts;
}

}  // namespace

DelayLevels delay_levels(const std::vector<std::int64_t>& delay_ns, const std::vector<std::int64_t>& weight,
                         std::int64_t levels) {
  const std::vector<Group> groups =
      groups_of(delay_ns, weight, levels == 0 ? std::numeric_limits<std::int64_t>::max() : kMaxLevelBounds);
  DelayLevels result;
  if (levels == 0 || static_cast<std::int64_t>(groups.size()) <= levels) {
    for (const Group& group : groups) result.delay_ns.push_back(group.delay_ns);
  } else {
    for (const std::size_t first : cut(groups, static_cast<std::size_t>(levels))) {
      result.delay_ns.push_back(groups[first].delay_ns);
    }
  }
  if (result.delay_ns.empty()) result.delay_ns.push_back(0);
  for (const std::int64_t delay : delay_ns) {
    const auto faster = std::upper_bound(result.delay_ns.begin(), result.delay_ns.end(), delay, std::greater<>());
    // upper_bound by >: the first level that is faster than this delay.
    const auto at = faster - result.delay_ns.begin() - 1;
    result.level.push_back(static_cast<std::int32_t>(std::max<std::ptrdiff_t>(at, 0)));
  }
  return result;
}

}  // namespace splitsim
