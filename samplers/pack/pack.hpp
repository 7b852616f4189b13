// pack (ours): the fastest schedule among those whose batches have no class deviation but rounding, or the one with the
// least deviation for a time, or the least time for a deviation. The law that it deals by is made once per run.
//
// Times are those of a clock that counts delays per participation and the server: a step takes the delay of its slowest
// client, as its level has it, plus the server's time for B samples. Where times per sample dominate, other samplers
// (lb_greedy with stratified targets) save more.
#pragma once

#include "samplers/latency/profile.hpp"
#include "samplers/pack/front.hpp"
#include "samplers/population/population.hpp"
#include "samplers/schedule/sampler.hpp"

namespace splitsim {

/// What budgets are measured by.
struct UgsMeans {
  double step_ns = 0.0;    ///< mean time of a step of ugs
  double deviation = 0.0;  ///< mean L1
  double rest_ns = 0.0;    ///< of the time: the server's
};
UgsMeans ugs_means(const Population& population, const Profile& profile, const Chunks& chunks);

/// Mean times of a step by the laws, over ugs's, in whole steps.
struct TimeRange {
  double fastest = 0.0;   ///< of the fastest schedule: no budget below is feasible
  double balanced = 0.0;  ///< of the one without deviation: a larger budget brings nothing
};
/// Errors: InputError where there are more levels than a front may have.
TimeRange pack_time_range(const Population& population, const Profile& profile, const SamplerSettings& settings);

/// Budgets are relative to ugs: the mean time of a step at most budget_time times ugs's, by the law and in whole steps;
/// or the law's deviation plus rounding_deviation() at most budget_deviation times ugs's. 0: none. Neither: balanced.
/// Errors: InputError naming the key and what is feasible, or both budgets.
DealingLaw pack_law(const Population& population, const Profile& profile, const LevelStock& stock,
                    const SamplerSettings& settings);

}  // namespace splitsim
