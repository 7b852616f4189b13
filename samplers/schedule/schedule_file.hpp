// One epoch's schedule as a file: a NumPy array of shape [slots, 3], int32 (any integers are read), one row (step,
// client, sample) per slot, sorted by step, then client; steps count from 0 without gaps. A schedule in which no client
// takes part (of the sampler central) has client -1 in every row. Rows are counted from 0 in messages. A saved and
// loaded schedule has the same SHA-256.
#pragma once

#include <string>

#include "samplers/population/population.hpp"
#include "samplers/schedule/schedule.hpp"

namespace splitsim {

/// Errors: InputError naming the file, if it cannot be written or the schedule has an empty step, which no row could
/// say.
void save_schedule(const std::string& path, const Schedule& schedule);

/// Active lists are left unset for upload() to complete, but for a schedule in which no client takes part.
/// Errors: InputError naming the file and, where one is to blame, the row: no such file, not integers [slots, 3], no
/// rows, ids below 0, rows out of order, a step left out.
Schedule load_schedule(const std::string& path);

/// Throws InputError naming the file and the row, unless `schedule`, loaded from `path`, is one of this population:
/// every sample exists, is given by the client that owns it, and occurs equally often.
void check_schedule_file(const std::string& path, const Schedule& schedule, const Population& population);

}  // namespace splitsim
