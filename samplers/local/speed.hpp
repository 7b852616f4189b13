// speed: every step's B samples are dealt to the clients in proportion to their speed 1/tau_k, largest remainder, so
// that fast clients give more and all finish their per-sample work at about the same time. Delays per participation
// play no part, and neither do classes.
//
// The rule: weights w_k = floor(2^60 min tau / tau_k) over the clients that still have data; client k's quota is B w_k
// / W; it gets the quota's whole part, and the samples that are left over go one each to the largest remainders, equal
// ones to the lowest ids. Who has fewer samples left than that gives what it has, and the excess is dealt by the same
// rule to those that have more, until none remains. Integers throughout. Determinism: exact.
#pragma once

#include <cstdint>
#include <vector>

#include "samplers/local/allocation.hpp"
#include "samplers/local/client_times.hpp"

namespace splitsim {

/// One step. per_sample_ns, left: [K]; wanted: at most the sum of left.
std::vector<Share> speed_shares(const std::vector<std::int64_t>& per_sample_ns, const std::vector<std::int64_t>& left,
                                std::int64_t wanted);

/// All steps of an epoch, a schedule of places.
Schedule speed_layout(const Population& population, const ClientTimes& times, std::int64_t batch);

}  // namespace splitsim
