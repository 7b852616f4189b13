// What a step of ugs has in the mean, in closed form: the slowest client's delay, and the deviation. What pack's budgets
// are relative to. Every step of ugs is a draw of B samples from all N without replacement. Determinism: exact.
#pragma once

#include <cstdint>
#include <vector>

#include "samplers/keyed/keyed.hpp"

namespace splitsim {

/// E[max delay of the samples' owners]: sum over delays v of v P(v is the slowest), where n samples belong to clients
/// slower than some and P(none of them) = prod_i (N - n - i) / (N - i). delay_ns, sizes: [K]. Mean over the steps.
double ugs_delay_ns(const std::vector<std::int64_t>& delay_ns, const std::vector<std::int64_t>& sizes,
                    const Chunks& chunks);

/// E[sum_c |X_c / B - p_c|], X_c hypergeometric. class_total: [C]. Mean over the steps.
double ugs_deviation(const std::vector<std::int64_t>& class_total, const Chunks& chunks);

}  // namespace splitsim
