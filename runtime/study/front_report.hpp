// Where samplers lie above the front of time against deviation (samplers/pack/front.hpp), for a population and a clock:
// what splitsim-sample --front prints. Determinism: exact, given the linear program's solution.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/study/sampler_report.hpp"
#include "samplers/latency/profile.hpp"
#include "samplers/population/population.hpp"
#include "samplers/schedule/sampler.hpp"

namespace splitsim {

struct FrontMark {
  std::string name;            ///< of a sampler; empty: a point of the bound
  double time_over_ugs = 0.0;  ///< virtual time of the epochs over that of ugs
  double deviation = 0.0;      ///< mean L1 of batches
  double bound = 0.0;          ///< the least deviation that any schedule can have in that time
};

/// The bound is of all schedules of batches of at most B samples, each used once an epoch, where a step takes at least
/// the delay and one sample's time of its slowest client, and the server's time for a full batch's share. It holds under
/// both barriers where nobody is absent or left out (jitter of mean 1: in the mean).
struct FrontReport {
  std::int32_t levels = 0;  ///< of clients' least times
  bool exact = true;        ///< or: clients of a level counted as fast as its fastest, so the bound is a little low
  std::vector<FrontMark> bound;     ///< by time, from the fastest schedules to those without deviation
  std::vector<FrontMark> samplers;  ///< as reported
};

/// ugs: which of the reports, all of as many epochs, is that of ugs.
FrontReport front_report(const Population& population, const Profile& profile, std::int64_t batch,
                         const std::vector<SamplerReport>& reports, std::size_t ugs);

/// Feasible values of sampler.budget_time for pack, evenly between the fastest schedule and the one without deviation.
std::vector<double> pack_budgets(const Population& population, const Profile& profile, const SamplerSettings& settings,
                                 std::int32_t count);

/// A table, and the plane of time and deviation drawn in characters.
std::string to_text(const FrontReport& report);
/// name, time_over_ugs, deviation, bound: a row per point, those of the bound first and named "bound".
std::string to_csv(const FrontReport& report);

}  // namespace splitsim
