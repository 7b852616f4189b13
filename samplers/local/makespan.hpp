// makespan: every step's B samples are dealt so that the slowest client finishes as early as possible: b minimises
// max_k (d_k [b_k > 0] + tau_k b_k) subject to sum_k b_k = B (or all that remains) and b_k <= what client k has left.
//
// At time T client k can have given m_k(T) = min(left_k, floor((T - d_k) / tau_k)) samples (0 before d_k); the least
// integer T with sum_k m_k(T) >= B is found by bisection, and what is too much is taken, one each, from the clients
// that finish exactly at T, highest id first. (There are enough of them, since m(T - 1) does not suffice.) The
// one-barrier time is optimal for each step given what the earlier ones left; under two barriers it is a surrogate.
//
// It is blind to classes, and where all delays differ it takes one client after another, the fastest first: hardly more
// than one in a step, whose classes are those of its data. `levels` therefore takes everybody for as slow as the slowest
// of its delay level (delay_levels.hpp), so that clients of a level work side by side; 0 takes delays as they are, and
// only then is T the least. Integers throughout. Determinism: exact.
#pragma once

#include <cstdint>
#include <vector>

#include "samplers/local/allocation.hpp"
#include "samplers/local/client_times.hpp"

namespace splitsim {

/// One step's optimum.
struct Makespan {
  std::int64_t time_ns = 0;
  std::vector<Share> shares;
};

/// left: [K]; wanted: from 1 to the sum of left. at_least_ns: a lower bound of the optimum, if one is known.
Makespan least_makespan(const ClientTimes& times, const std::vector<std::int64_t>& left, std::int64_t wanted,
                        std::int64_t at_least_ns = 0);

/// All steps of an epoch, a schedule of places. levels: delay levels at most, 0: one per delay.
Schedule makespan_layout(const Population& population, const ClientTimes& times, std::int64_t batch,
                         std::int64_t levels);

}  // namespace splitsim
