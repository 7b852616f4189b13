// Clients' delays in few levels, for samplers that take clients of one level for equally slow: fewer levels cost time and
// bring more clients into a step, since those of one level mix. Ours.
#pragma once

#include <cstdint>
#include <vector>

namespace splitsim {

struct DelayLevels {
  std::vector<std::int64_t> delay_ns;  ///< [J] descending: the delay of a level's slowest client
  std::vector<std::int32_t> level;     ///< [K] of every client, 0 the slowest: the last j with delay_ns[j] >= its delay

  std::int32_t count() const { return static_cast<std::int32_t>(delay_ns.size()); }  ///< J
};

/// At most so many delays may bound a level; of more, quantiles by weight may.
constexpr std::int64_t kMaxLevelBounds = 1 << 14;

/// At most `levels` (from 1; 0: as many as there are delays) intervals of delays, with the least sum over clients of
/// weight_k times the delay of k's level: as little as can be is lost by taking everybody for as slow as the slowest of
/// its level. Fewer where fewer delays differ. delay_ns, weight: [K]; clients of weight 0 choose no bounds (and are in
/// level 0 if slower than all). Exact, by dynamic programming over the distinct delays, but for sums rounded to double.
/// Determinism: exact.
DelayLevels delay_levels(const std::vector<std::int64_t>& delay_ns, const std::vector<std::int64_t>& weight,
                         std::int64_t levels);

}  // namespace splitsim
