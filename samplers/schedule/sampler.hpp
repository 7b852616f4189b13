// What a sampler is: (population, profile, settings, seed, epoch) -> schedule, a pure function. Learning and jitter never
// influence it. Every sampler uses every sample exactly once per epoch, but for relay and file, which may use each equally
// often. Determinism: exact, on every backend, for any thread count.
#pragma once

#include <cstdint>
#include <string>

#include "base/names.hpp"
#include "samplers/schedule/schedule.hpp"

namespace splitsim {

/// How an epoch is cut into batches.
enum class ChunkRule : std::uint8_t { kEven, kLastShort };
constexpr auto names_of(ChunkRule) {
  return named_values<ChunkRule>({{"even", "sizes differ by at most 1"},
                              {"last_short", "full batches, then the rest"}});
}
/// Which delay the delay-aware samplers see.
enum class DelaySignal : std::uint8_t { kParticipation, kTypicalStep };
constexpr auto names_of(DelaySignal) {
  return named_values<DelaySignal>({{"participation", "the delay per participation"},
                              {"typical_step", "delay plus compute and links of a typical local batch"}});
}
/// How the prior of lds is read.
enum class PriorRule : std::uint8_t { kMean, kMode };
constexpr auto names_of(PriorRule) {
  return named_values<PriorRule>({{"mean", "MAP under Dir(alpha + 1) (ours)"},
                              {"mode", "MAP under Dir(alpha), all alpha >= 1"}});
}
/// The shares that a step of lds uses.
enum class LdsEstimate : std::uint8_t { kMap, kDraw, kPrior };
constexpr auto names_of(LdsEstimate) {
  return named_values<LdsEstimate>({{"map", "the MAP estimate"},
                              {"draw", "a posterior draw for every step (ours)"},
                              {"prior", "none: the odds of urn (ours)"}});
}
/// What becomes of the odds of depleted clients.
enum class DepletionRule : std::uint8_t { kOdds, kRenormalise };
constexpr auto names_of(DepletionRule) {
  return named_values<DepletionRule>({{"odds", "sequential draws without replacement"},
                              {"renormalise", "categorical over the clients that still have data"}});
}
/// When the shares are estimated anew.
enum class Reestimate : std::uint8_t { kNever, kOnDepletion, kEveryStep };
constexpr auto names_of(Reestimate) {
  return named_values<Reestimate>({{"never", "once per epoch"},
                              {"on_depletion", "after a client has run out"},
                              {"every_step", "before every step"}});
}

/// Keys of [sampler].
struct SamplerSettings {
  std::string kind = "ugs";
  std::int64_t batch = 128;                    ///< B, the global batch size
  ChunkRule chunks = ChunkRule::kEven;                 ///< keyed family: even | last_short
  double delta = 0.0;                          ///< urn, lds: weight of the z-scored delay
  DelaySignal delay_signal = DelaySignal::kParticipation;  ///< participation | typical_step
  double concentration = 1.0;                  ///< lds: c
  std::int64_t observed = 1000;                ///< lds: S, labels observed per epoch
  PriorRule prior = PriorRule::kMean;                  ///< lds: mean | mode
  LdsEstimate estimate = LdsEstimate::kMap;                ///< lds: map | draw | prior
  DepletionRule depletion = DepletionRule::kOdds;              ///< lds: odds | renormalise
  Reestimate reestimate = Reestimate::kNever;            ///< lds: never | on_depletion | every_step
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
