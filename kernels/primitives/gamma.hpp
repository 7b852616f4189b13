// Gamma and Dirichlet draws in log space, where they neither underflow nor become NaN: at shape 0.01, 42 % of plain
// fp32 gamma draws are 0, and a Dirichlet draw made of zeros is 0/0. Marsaglia & Tsang, ACM TOMS 26 (2000) 363: their
// squeeze method for shapes >= 1, and for smaller ones ln G(a) = ln G(a + 1) + ln(U) / a. Determinism: exact, the same
// bits on host and device; addressed by (seed, address).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/device/macros.hpp"
#include "kernels/device/math.hpp"
#include "kernels/device/philox.hpp"
#include "kernels/device/view.hpp"

namespace splitsim {

/// Proposals per draw: each is accepted with probability > 0.95, so that all are refused with probability < 1e-41.
constexpr std::uint32_t kGammaProposals = 32;
/// A draw uses the attempts [at.attempt, at.attempt + kGammaAttempts): callers space several draws of one address by
/// it.
constexpr std::uint32_t kGammaAttempts = 4096;
static_assert(1 + kGammaProposals * (kNormalAttempts + 1) <= kGammaAttempts);

/// ln of a Gamma(shape, scale 1) variate. Finite for every finite shape > 0; -inf for shape 0, the limit (weight 0).
PSL_HD inline double draw_log_gamma(double shape, std::uint64_t seed, Address at) {
  if (!(shape > 0.0)) return -HUGE_VAL;
  double boost = 0.0;  // ln(U) / shape for shapes below 1
  const std::uint32_t first = at.attempt;
  if (shape < 1.0) {
    // Below 1e-290 the quotient could overflow; all those shapes give the same one-hot Dirichlet vectors.
    boost = -neg_log_uniform(random_u64(seed, at)) / (shape > 1e-290 ? shape : 1e-290);
    shape += 1.0;
  }
  const double d = shape - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (std::uint32_t i = 0; i < kGammaProposals; ++i) {
    at.attempt = first + 1 + i * (kNormalAttempts + 1);
    const double x = exact_normal(seed, at);
    const double root = 1.0 + c * x;
    if (root <= 0.0) continue;
    const double v = root * root * root;
    at.attempt += kNormalAttempts;
    const std::uint64_t random = random_u64(seed, at);
    const double log_v = 3.0 * exact_log(root);
    const double square = x * x;
    const bool squeezed = uniform53(random) < 1.0 - 0.0331 * (square * square);
    if (squeezed || -neg_log_uniform(random) < 0.5 * square + d * (1.0 - v + log_v)) {
      return exact_log(d) + log_v + boost;
    }
  }
  return exact_log(d) + boost;
}

/// Turns ln-weights into weights that sum to 1, in place: ln-gamma draws become a Dirichlet draw. Entries of -inf get
/// 0; if all are -inf, all get the same. Never NaN for input without NaN and +inf. Sums in index order. Host only.
inline void normalize_log_weights(View<double> weights) {
  if (weights.empty()) return;
  const double largest = *std::max_element(weights.begin(), weights.end());
  double total = 0.0;
  for (double& weight : weights) {
    weight = largest == -HUGE_VAL ? 1.0 : exact_exp(weight - largest);
    total += weight;
  }
  for (double& weight : weights) weight /= total;
}

}  // namespace splitsim
