// Weights of a step's samples by their losses. Ring R1. Determinism: exact on one backend (the device's exp and log
// differ from the host's).
#pragma once

#include <cstdint>

#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"

namespace splitsim {

/// ABSGD (arXiv 2012.06951): u <- (1 - m) u + m mean over the step's slots of exp(loss / lambda).
struct AbsgdRule {
  double lambda = 1.0;    ///< > 0: hard samples weigh more; < 0: less; never 0
  double momentum = 0.1;  ///< m in (0, 1]
};

/// Floats that hold u from step to step: log u as the sum of two, and 1 once it is set. Zeros: not yet set.
constexpr std::int64_t kAbsgdState = 3;

/// Moves u on, the first time to the step's own mean, then factor[s] = exp(loss[s] / lambda) / u for the valid slots.
/// Logarithms in double throughout, so that nothing overflows: factors are at most slots / m, or slots in the step that
/// sets u; 0 for the others. Without slots u stays. A loss that is not finite makes u so for good. Each experiment has
/// its own u. loss, factor: [S], state: [E, kAbsgdState].
template <class Context>
void absgd_factors(Context& ctx, Slots slots, const Spans& spans, const AbsgdRule& rule, View<const float> loss,
                   View<float> state, View<float> factor);

}  // namespace splitsim
