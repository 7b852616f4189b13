// Seeds: one for the whole experiment, and for each of its random parts one of its own where that is set.
#pragma once

#include <cstdint>

#include "runtime/config/config.hpp"

namespace splitsim {

struct Seeds {
  std::uint64_t data;       ///< glyphs, augmentation, the images of tests within epochs
  std::uint64_t partition;  ///< which client gets which samples
  std::uint64_t sampler;    ///< schedules: sampling, and the order of turns
  std::uint64_t model;      ///< initial weights
  std::uint64_t clock;      ///< the clients' latencies, and jitter
};

/// Each part's own seed, else the experiment's.
Seeds seeds_of(const Config& config);

}  // namespace splitsim
