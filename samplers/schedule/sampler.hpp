// What a sampler is: (population, profile, settings, seed, epoch) -> schedule, a pure function. Learning and jitter never
// influence it. Every sampler uses every sample exactly once per epoch, but for relay and file, which may use each equally
// often. Determinism: exact, on every backend, for any thread count.
#pragma once

#include <cstdint>
#include <string>

#include "samplers/schedule/schedule.hpp"

namespace splitsim {

/// Keys of [sampler].
struct SamplerSettings {
  std::string kind = "ugs";
  std::int64_t batch = 128;                    ///< B, the global batch size
  std::string chunks = "even";                 ///< keyed family: even | last_short
  double delta = 0.0;                          ///< urn, lds: weight of the z-scored delay
  std::string delay_signal = "participation";  ///< participation | typical_step
  double concentration = 1.0;                  ///< lds: c
  std::int64_t observed = 1000;                ///< lds: S, labels observed per epoch
  std::string prior = "mean";                  ///< lds: mean | mode
  std::string estimate = "map";                ///< lds: map | draw | prior
  std::string depletion = "odds";              ///< lds: odds | renormalise
  std::string reestimate = "never";            ///< lds: never | on_depletion | every_step
  std::string file;                            ///< file: a saved schedule (samplers/schedule/schedule_file.hpp)
  std::int64_t local_epochs = 1;               ///< relay: passes of a client over its data at its turn
};

/// One sampler bound to a context, a population and a profile; owns its workspace, so that build() allocates nothing of
/// its own. `population` and `profile` must outlive it.
template <class Context>
class Sampler {
 public:
  virtual ~Sampler() = default;
  virtual ScheduleBounds bounds() const = 0;
  /// Fills `out` with the schedule of one epoch.
  virtual void build(std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out) = 0;
};

}  // namespace splitsim
