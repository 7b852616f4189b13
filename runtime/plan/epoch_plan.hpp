// What an experiment is before learning: cut, clock and the epochs' schedules and timelines. Shared by experiments,
// splitsim-sample and splitsim-retime, so that all three make the same values. Determinism: exact.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/device/buffer.hpp"
#include "kernels/device/context.hpp"
#include "runtime/clock/timeline.hpp"
#include "runtime/config/config.hpp"
#include "runtime/config/seeds.hpp"
#include "runtime/config/silent_settings.hpp"
#include "runtime/model/network.hpp"
#include "samplers/schedule/sampler.hpp"

namespace splitsim {

/// The training set, dealt to clients. Errors: InputError; one that a validation split explains says so.
Population population_of(const Dataset& dataset, const Config& config);

/// The configured model, cut in two, for images of this shape. Errors: InputError.
Network network_of(const ModelSettings& model, FeatureShape input, std::int32_t classes);

/// Bytes that one sample, or one exchange of the client half, puts on a link.
CutBytes cut_bytes_of(const Network& network);

/// What warnings about partition and sampler need to know.
SamplingFacts sampling_facts(const Population& population, const Profile& profile, const SamplerSettings& sampler);

/// The clock that the learning mode and clock.barrier mean. Errors: InputError for run_ahead in a mode whose clients
/// share one half.
ClockMode clock_mode_of(const Config& config);

/// One epoch before learning.
struct EpochPlan {
  Schedule schedule;
  Timeline timeline;
  std::vector<double> deviation;  ///< [T] batch deviation, L1
  double construction_s = 0.0;    ///< wall time of the sampler alone
};

/// Builds the next epoch into `buffer` and gives what the host needs of it. The clock goes on where it was.
/// deviation: device workspace, [bounds.steps]. Synchronises.
template <class Context>
EpochPlan plan_epoch(Context& ctx, Sampler<Context>& sampler, Clock<Context>& clock,
                     const DevicePopulation<Context>& population, const Seeds& seeds, std::uint32_t epoch,
                     ScheduleBuffer<Context>& buffer, Buffer<double, Context>& deviation);

}  // namespace splitsim
