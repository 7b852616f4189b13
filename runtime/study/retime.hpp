// A finished run's schedule under other latencies, without training: schedules are pure functions of (population,
// profile, settings, seed, epoch), timelines of (schedule, profile, jitter, seed). Determinism: exact.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/plan/scene.hpp"
#include "runtime/record/records.hpp"
#include "samplers/population/population.hpp"

namespace splitsim {

/// What a run directory says, with what follows from it.
struct RecordedRun {
  std::string dir;
  Summary summary;
  std::vector<EpochRecord> epochs;
  Scene scene;  ///< its partition is partition.npy's; without images
};

/// overrides: paths only, where files have moved since (data.dir, clock.trace_file).
/// Errors: InputError naming the file: no finished run, another data set, partition or trace than recorded.
RecordedRun load_run(const std::string& dir, const std::vector<std::string>& overrides);

/// The [clock] of `latency_file` over that of the recorded config: a key left out keeps its recorded value.
/// Errors: InputError, as parse_config(), and for keys outside [clock].
LatencySettings load_latency(const std::string& latency_file, const RecordedRun& run);

/// The records with virtual times and timeline hashes under `latency`, its draws addressed by `seed`. Schedules are
/// rebuilt as recorded, those of delay-aware samplers with the recorded profile, and checked against their hashes.
/// Errors: InputError if a schedule is not the recorded one, or run_ahead does not suit the run's mode.
template <class Context>
std::vector<EpochRecord> retime(Context& ctx, const RecordedRun& run, const LatencySettings& latency,
                                std::uint64_t seed);

}  // namespace splitsim
