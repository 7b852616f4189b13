// What the allocating samplers know about a client: with one barrier, b samples of a step take it d [b > 0] + tau b.
// Under two barriers (parallel split learning proper) forward and backward times meet different maxima, and link or
// jitter may reorder clients: there this time is a surrogate for the step's time, not the step's time.
#pragma once

#include <cstdint>
#include <vector>

#include "samplers/latency/profile.hpp"
#include "samplers/population/population.hpp"

namespace splitsim {

/// [K] each, nanoseconds. Jitter plays no part: schedules never depend on it.
struct ClientTimes {
  std::vector<std::int64_t> delay_ns;       ///< d, per participation
  std::vector<std::int64_t> per_sample_ns;  ///< tau = forward + up + down + backward, but at least 1

  /// Time of a client that gives `samples` >= 1.
  std::int64_t finish_ns(std::int32_t client, std::int64_t samples) const {
    return delay_ns[client] + per_sample_ns[client] * samples;
  }
};

/// No time that any client may need for a step exceeds this, so that sums and doublings of times stay within 63 bits.
constexpr std::int64_t kMaxStepNs = std::int64_t{1} << 61;

/// Errors: InputError naming a client whose min(n_k, batch) samples would take longer than kMaxStepNs.
ClientTimes client_times(const Population& population, const Profile& profile, std::int64_t batch);

}  // namespace splitsim
