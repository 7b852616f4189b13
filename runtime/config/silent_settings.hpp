// Settings that are allowed and come to nothing, or to something else than they say: a sentence each, for a warning.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/config/config.hpp"
#include "runtime/mode/mode.hpp"

namespace splitsim {

/// What the config alone cannot tell.
struct SamplingFacts {
  std::vector<std::int64_t> client_sizes;  ///< [K] samples
  bool delays_differ = true;               ///< between clients, as the sampler sees them
};

struct TrainingFacts {
  std::int64_t test_images = 0;
  std::int64_t steps_per_epoch = 0;
};

/// Of partition, sampler and latencies.
std::vector<std::string> silent_settings(const Config& config, const SamplingFacts& facts);

/// Of training and evaluation; `mode` is the config's.
std::vector<std::string> silent_settings(const Config& config, const ModeMap& mode, const TrainingFacts& facts);

}  // namespace splitsim
