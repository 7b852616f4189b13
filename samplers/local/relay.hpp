// relay: the order of sequential split learning. Clients take their turns in ascending order of id; at its turn a
// client goes `local_epochs` times through its own data in batches of B (the last of each pass may be shorter), one
// step per batch with this client alone. Every sample is used local_epochs times per epoch. Each pass has a local order
// of its own; the first one's is the client's order in ugs and fls. Determinism: exact.
#pragma once

#include <cstdint>

#include "samplers/population/population.hpp"
#include "samplers/schedule/schedule.hpp"

namespace splitsim {

/// A schedule of places for LocalSchedule with `local_epochs` passes. N local_epochs must be below 2^31.
Schedule relay_layout(const Population& population, std::int64_t batch, std::int64_t local_epochs);

}  // namespace splitsim
