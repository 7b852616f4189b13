// Layouts of samplers that decide, step by step, how many samples each client gives, from the clients' speeds and what
// they have left. The deal does not depend on the seed or the epoch, so it is made once per run; LocalSchedule fills it
// with every epoch's local orders.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "samplers/population/population.hpp"
#include "samplers/schedule/schedule.hpp"

namespace splitsim {

/// One client's part of a step.
struct Share {
  std::int32_t client = 0;
  std::int64_t samples = 0;  ///< b_k > 0
  friend bool operator==(const Share&, const Share&) = default;
};

/// (what each client has left [K], how many samples the step wants) -> the step's shares, ascending by client: they sum
/// to what is wanted and exceed nobody's rest. Must not change while every client of the last deal keeps more than its
/// share and the step wants as many: then it is not asked again.
using Allocate = std::function<std::vector<Share>(const std::vector<std::int64_t>& left, std::int64_t wanted)>;

/// T = ceil(N/B) steps of B samples, the last one of what remains, each dealt by `deal`. A schedule of places, as
/// local_layout() makes.
Schedule allocated_layout(const Population& population, std::int64_t batch, const Allocate& deal);

}  // namespace splitsim
