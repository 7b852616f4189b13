#include "runtime/config/seeds.hpp"

namespace splitsim {

Seeds seeds_of(const Config& config) {
  const SeedSettings& own = config.seeds;
  return {.data = own.data.value_or(config.seed),
          .partition = own.partition.value_or(config.seed),
          .sampler = own.sampler.value_or(config.seed),
          .model = own.model.value_or(config.seed),
          .clock = own.clock.value_or(config.seed)};
}

}  // namespace splitsim
