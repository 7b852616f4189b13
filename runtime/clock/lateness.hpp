// Who is late in a step that does not wait for everybody: the mask between the clock's durations and its fold.
// Determinism: exact.
//
// A client arrives when the server has what it needs from it: after fwd (barrier two), or, where a step is one barrier,
// when it is done: after fwd + bwd. With a deadline D, a client that arrives after D is late. With a quorum q, a step
// waits for ceil(q A_t) of its A_t clients, the earliest, ties to the lowest id; the others are late. The server begins
// when the last client in time has arrived, or at D if somebody missed it.
#pragma once

#include <cstdint>
#include <vector>

#include "samplers/latency/profile.hpp"
#include "samplers/schedule/schedule.hpp"

namespace splitsim {

/// fwd and bwd of every active entry, in the order of the schedule's active lists.
struct EntryTimes {
  std::vector<std::int64_t> forward_ns, backward_ns;
};

struct Lateness {
  std::vector<bool> late;                 ///< [active entries]
  std::vector<std::int64_t> earliest_ns;  ///< [T] when the server begins at the earliest, from the step's start

  bool any() const;
};

/// settings: deadline_ms, quorum and barrier.
Lateness lateness(const Schedule& schedule, const EntryTimes& times, const LatencySettings& settings);

}  // namespace splitsim
