// What an experiment is before learning, as values on the host: config -> data set -> population -> network and cut -> mode
// -> latencies, each made of those before it. make_scene() is the only place that builds this chain; runs, splitsim-sample,
// splitsim-retime and splitsim-bench start from it. Determinism: exact.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/clock/timeline.hpp"
#include "runtime/config/config.hpp"
#include "runtime/config/seeds.hpp"
#include "runtime/config/silent_settings.hpp"
#include "runtime/mode/mode.hpp"
#include "runtime/model/network.hpp"
#include "samplers/population/population.hpp"
#include "samplers/schedule/given_schedule.hpp"

namespace splitsim {

/// How fast clients are, and the clock that says what that means.
struct Timing {
  LatencySettings latency;
  std::uint64_t seed = 1;  ///< of the profile's draws and of jitter
  Profile profile;
  ClockMode mode;
};

struct Scene {
  Config config;
  Dataset dataset;
  Population population;
  Network network;
  CutCosts cut;
  ModeMap mode;
  Groups groups;  ///< without clients where the mode needs none
  Timing timing;
  std::optional<ScheduleSource> schedules = {};  ///< what sampler.kind = "callable" asks
};

/// What takes the place of something that the config would give.
struct SceneParts {
  std::optional<Dataset> dataset = {};
  std::optional<std::vector<std::int32_t>> owner = {};  ///< [N] sample -> client: a partition that was recorded
  std::int64_t cut_activation = 0;                      ///< bytes of a sample at the cut; 0: the model's
  std::optional<ScheduleSource> schedules = {};         ///< see Scene
};

/// Errors: InputError of every part; where a validation split explains it, the message says so.
Scene make_scene(const Config& config, SceneParts given = {});

/// Of the scene's clients, cut, mode and groups under `latency`. Errors: InputError of the profile, and for run_ahead in a
/// mode whose clients share one half.
Timing make_timing(const Scene& scene, const LatencySettings& latency, std::uint64_t seed);

/// Of `config`, whose mode is `mode`; without clients where it needs none. Errors: InputError of the groups.
Groups groups_of(const Config& config, const ModeMap& mode, std::int32_t clients);

/// How the scene's schedules are dealt before they are trained; nothing where they are trained as they are.
std::optional<TurnRules> turn_rules(const Scene& scene);

/// The clock that `mode`, the config's, and its clock.barrier mean. Errors: InputError for run_ahead in a mode whose
/// clients share one half.
ClockMode clock_mode_of(const Config& config, const ModeMap& mode, const Groups& groups = {});

/// What one sample, or one exchange of the client half, puts on a link, and the work on either side: of the mode, which
/// may run the whole net on one of them.
CutCosts cut_costs_of(const Network& network, const ModeMap& mode);

/// What warnings about partition and sampler need to know.
SamplingFacts sampling_facts(const Population& population, const Profile& profile, const SamplerSettings& sampler);

}  // namespace splitsim
