// Positive random quantities of the latency model: delays, compute times, link speeds, jitter factors. (ours: the
// paper's delay law is not public). Determinism: exact, addressed by (seed, address).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/device/macros.hpp"
#include "kernels/device/philox.hpp"

namespace splitsim {

/// Kinds and their parameters, named as in the config (unused ones are ignored):
///   constant(value) uniform(low, high) exponential(mean) shifted_exponential(shift, mean) lognormal(mean, cv)
///   pareto(scale, alpha, cap) lomax(scale, alpha, cap) gamma(mean, cv) two_speed(base, share, slowdown)
///   zipf(base, exponent) trace (profile only: a column of the CSV file)
/// cv is the coefficient of variation, standard deviation over mean. What each kind draws: distribution_infos().
enum class DistributionKind : std::uint8_t {
  kConstant,
  kUniform,
  kExponential,
  kShiftedExponential,
  kLognormal,
  kPareto,
  kLomax,
  kGamma,
  kTwoSpeed,
  kZipf,
  kTrace,
};

/// A parsed distribution: a kind and up to three parameters in the order listed above. Trivially copyable, so that
/// kernels can draw from it.
struct Distribution {
  DistributionKind kind = DistributionKind::kConstant;
  double a = 0.0;
  double b = 0.0;
  double c = 0.0;
};

struct DistributionInfo {
  DistributionKind kind;
  std::string name;
  std::vector<std::string> parameters;  ///< names of a, b, c
  std::string summary;
  bool jitter = true;  ///< usable as a jitter factor (drawn per step and client)
};
const std::vector<DistributionInfo>& distribution_infos();
const DistributionInfo& distribution_info(DistributionKind kind);

/// Throws InputError naming `key` and the parameter unless the parameters make a distribution of positive finite values
/// (zero is allowed for constants and lower ends where `allow_zero`).
void check_distribution(const Distribution& distribution, const std::string& key, bool allow_zero);

}  // namespace splitsim
