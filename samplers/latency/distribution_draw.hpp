// Drawing from a distribution on either backend: one number per address, made only of exact_log, exact_exp and IEEE
// arithmetic in a fixed order. Determinism: exact.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/device/macros.hpp"
#include "kernels/device/math.hpp"
#include "kernels/device/philox.hpp"
#include "kernels/primitives/gamma.hpp"
#include "samplers/latency/distribution.hpp"

namespace splitsim {

/// A distribution with its per-draw constants worked out once: lognormal (log-mean, log-sd), pareto and lomax (scale,
/// 1/alpha, cap), gamma (mean, shape); the others as they are. Trivially copyable.
struct Drawer {
  DistributionKind kind = DistributionKind::kConstant;
  double a = 0.0;
  double b = 0.0;
  double c = 0.0;

  /// One draw, independent for every address (attempt must be 0 and is used up). `clients` (K) is read by zipf only.
  /// `summands` is read by gamma only, whose result is then the mean of that many independent draws, Gamma(b m)/(b m)
  /// for b summands of mean 1 and shape m = 1/cv^2. A trace has nothing to draw and gives 0.
  PSL_HD double operator()(std::uint64_t seed, const Address& at, std::int32_t clients,
                           std::int64_t summands = 1) const {
    switch (kind) {
      case DistributionKind::kConstant:
        return a;
      case DistributionKind::kUniform:
        return a + (b - a) * uniform53(random_u64(seed, at));
      case DistributionKind::kExponential:
        return a * neg_log_uniform(random_u64(seed, at));
      case DistributionKind::kShiftedExponential:
        return a + b * neg_log_uniform(random_u64(seed, at));
      case DistributionKind::kLognormal:
        return exact_exp(a + b * exact_normal(seed, at));
      case DistributionKind::kPareto:
        return lesser(c, a * exact_exp(b * neg_log_uniform(random_u64(seed, at))));
      case DistributionKind::kLomax:
        return lesser(c, a * (exact_exp(b * neg_log_uniform(random_u64(seed, at))) - 1.0));
      case DistributionKind::kTwoSpeed:
        return uniform53(random_u64(seed, at)) < b ? a * c : a;
      case DistributionKind::kZipf: {
        const double rank = 1.0 + std::floor(uniform53(random_u64(seed, at)) * static_cast<double>(clients));
        return zipf(lesser(rank, static_cast<double>(clients)));
      }
      case DistributionKind::kGamma: {
        const double shape = b * static_cast<double>(summands);
        return a * exact_exp(draw_log_gamma(shape, seed, at) - exact_log(shape));
      }
      case DistributionKind::kTrace:
        break;
    }
    return 0.0;
  }

  /// zipf: the value of rank 1..K.
  PSL_HD double zipf(double rank) const { return a * exact_exp(-b * exact_log(rank)); }

 private:
  PSL_HD static double lesser(double x, double y) { return x < y ? x : y; }
};

/// `distribution` must have passed check_distribution().
Drawer make_drawer(const Distribution& distribution);

}  // namespace splitsim
