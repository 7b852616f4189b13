// What schedules without learning need, known before anything large is made.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace splitsim {

/// Bytes beyond what the process has before, an estimate from above: peaks of large experiments lie at most a third
/// below it.
struct SamplingMemory {
  std::uint64_t device = 0;  ///< population, sampler, one schedule, clock
  std::uint64_t host = 0;    ///< labels, partition, and the host's copy of an epoch
};

/// For the largest of the samplers `kinds`, which are measured one after another. samples: N, clients: K, classes: C.
/// whole: an epoch's schedule comes to the host at once, and its entries' times are all held (measure_sampler()).
SamplingMemory sampling_memory(std::int64_t samples, std::int64_t clients, std::int64_t classes,
                               const std::vector<std::string>& kinds, bool whole = false);

}  // namespace splitsim
