// What the clients of each delay level hold of each class.
#pragma once

#include <cstdint>
#include <vector>

#include "samplers/latency/profile.hpp"
#include "samplers/population/population.hpp"

namespace splitsim {

/// More levels than pack ever makes of delays (sampler.levels = 0 asks for all).
constexpr std::int64_t kMaxPackLevels = 4096;

struct LevelStock {
  std::int32_t classes = 0;               ///< C
  std::vector<std::int64_t> delay_ns;     ///< [J] descending: of a level's slowest client
  std::vector<std::int32_t> level;        ///< [K] of every client
  std::vector<std::int64_t> held;         ///< [J, C] S_jc: samples of class c at clients of level j or slower
  std::vector<std::int64_t> class_total;  ///< [C] N_c
  std::int64_t samples = 0;               ///< N

  std::int32_t levels() const { return static_cast<std::int32_t>(delay_ns.size()); }  ///< J
  const std::int64_t* held_to(std::int32_t j) const { return held.data() + static_cast<std::size_t>(j) * classes; }
  /// Samples at clients of level j or slower.
  std::int64_t held_samples(std::int32_t j) const;
};

/// Levels of the delays per participation, weighed by the clients' samples; levels: as delay_levels(), at most
/// kMaxPackLevels.
LevelStock level_stock(const Population& population, const Profile& profile, std::int64_t levels);

}  // namespace splitsim
