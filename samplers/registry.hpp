// The samplers by name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "samplers/latency/profile.hpp"
#include "samplers/population/population.hpp"
#include "samplers/schedule/given_schedule.hpp"
#include "samplers/schedule/sampler.hpp"

namespace splitsim {

struct SamplerTraits {
  bool sees_delays = false;  ///< the schedule depends on the profile: other latencies may mean another one
  bool on_host = false;      ///< build() reads device memory: it works on the host, or asks whether an iteration may stop
};

struct SamplerInfo {
  std::string name;
  std::string summary;  ///< one line for --help, with "(paper)" or "(ours)"
  SamplerTraits is = {};
};
const std::vector<SamplerInfo>& sampler_infos();
/// Errors: InputError for an unknown kind.
const SamplerInfo& sampler_info(const std::string& kind);

/// given: what `callable` asks for schedules; it must outlive the sampler. Errors: InputError naming the key (unknown
/// kind, batch outside [1, N], delta not finite, callable without a function, ...).
template <class Context>
std::unique_ptr<Sampler<Context>> make_sampler(Context& ctx, const Population& population,
                                               const DevicePopulation<Context>& device_population,
                                               const Profile& profile, const SamplerSettings& settings,
                                               const ScheduleSource* given = nullptr);

/// Throws InputError naming the key, its value and what is allowed, unless `settings` suit the population and the
/// profile.
void check_sampler_settings(const SamplerSettings& settings, const Population& population, const Profile& profile);

}  // namespace splitsim
