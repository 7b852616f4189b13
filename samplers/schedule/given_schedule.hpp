// Schedules of a sampler that is not ours: a function of the program that runs the experiment makes each epoch's rows
// (sampler.kind = "callable"). They are held to what a schedule file is held to. Determinism: the function's; it must be
// one of the epoch alone, since a run that goes on after an interruption asks for the epochs that are left.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "samplers/latency/profile.hpp"
#include "samplers/population/population.hpp"
#include "samplers/schedule/schedule.hpp"

namespace splitsim {

struct ScheduleSource {
  /// Rows (step, client, sample) of an epoch, counted from 0, one after the other: [3 slots], as in a schedule file
  /// (samplers/schedule/schedule_file.hpp). May be asked for an epoch more than once, from any one thread at a time.
  std::function<std::vector<std::int32_t>(std::uint32_t epoch, const Population& population, const Profile& profile)>
      rows;
  std::int64_t most_steps = 0;  ///< of any epoch; 0: as many as epoch 0 has
  std::int64_t most_batch = 0;  ///< slots of any step; 0: of epoch 0's largest one
};

/// What an epoch of the source is called in messages.
std::string given_name(std::uint32_t epoch);

/// The schedule of an epoch, active lists unset. Errors: the function's; InputError naming epoch and row, as
/// schedule_of_rows() and check_schedule_file(); a schedule in which no client takes part.
Schedule given_schedule(const ScheduleSource& source, std::uint32_t epoch, const Population& population,
                        const Profile& profile);

/// What holds every epoch: as many slots as epoch 0 has, and any clients. Errors: those of its schedule.
ScheduleBounds given_bounds(const ScheduleSource& source, const Population& population, const Profile& profile);

/// Throws InputError naming the epoch unless its schedule fits.
void check_given_bounds(const Schedule& schedule, std::uint32_t epoch, const ScheduleBounds& bounds);

}  // namespace splitsim
