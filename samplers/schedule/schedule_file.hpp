// One epoch's schedule as a file: a NumPy array of shape [slots, 3], int32 (any integers are read), one row (step,
// client, sample) per slot, sorted by step, then client; steps count from 0 without gaps. A schedule in which no client
// takes part (of the sampler central) has client -1 in every row. Rows are counted from 0 in messages. A saved and
// loaded schedule has the same SHA-256.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "samplers/population/population.hpp"
#include "samplers/schedule/schedule.hpp"

namespace splitsim {

/// Errors: InputError naming the file, if it cannot be written or the schedule has an empty step, which no row could
/// say.
void save_schedule(const std::string& path, const Schedule& schedule);

/// The schedule of such rows, one after the other: [3 slots]. Active lists are left unset for upload() to complete, but
/// for a schedule in which no client takes part. Errors: InputError naming `where` (a file) and, where one is to blame,
/// the row: no rows, ids below 0, rows out of order, a step left out.
Schedule schedule_of_rows(const std::string& where, const std::vector<std::int32_t>& rows);

/// That of a file. Errors: as schedule_of_rows(), and no such file, not integers [slots, 3].
Schedule load_schedule(const std::string& path);

/// Throws InputError naming `path` and the row, unless `schedule`, loaded from there, is one of this population:
/// every sample exists, is given by the client that owns it, and occurs equally often.
void check_schedule_file(const std::string& path, const Schedule& schedule, const Population& population);

}  // namespace splitsim
