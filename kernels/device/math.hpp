// Elementary functions whose bits are the same on every backend: only IEEE +, -, *, /, sqrt and rint, in a fixed order.
// Valid only in units compiled without contraction (-ffp-contract=off, -fmad=false), as all of this project's are.
// Accuracy: log, exp and log1p within 2 ulp on their tested ranges. Determinism: exact.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/device/macros.hpp"
#include "kernels/device/philox.hpp"

namespace splitsim {

namespace detail {
PSL_HD inline std::uint64_t bits_of(double x) {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
PSL_HD inline double double_of(std::uint64_t bits) {
  double x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
PSL_HD inline std::uint32_t word_of(float x) {
  std::uint32_t word;
  std::memcpy(&word, &x, sizeof word);
  return word;
}
PSL_HD inline float float_of(std::uint32_t word) {
  float x;
  std::memcpy(&x, &word, sizeof x);
  return x;
}

constexpr double kLn2High = 0x1.62e42fefa0000p-1;  // upper bits of ln 2; multiples up to 2^11 are exact
constexpr double kLn2Low = 0x1.cf79abc9e3b39p-40;

// 2 atanh(s) - 2 s for |s| <= 0.1716 (z = s^2 <= 0.0295): the series' next term is below 2^-58 of the sum.
PSL_HD inline double atanh_tail(double s) {
  const double z = s * s;
  double p = 2.0 / 23.0;
  p = p * z + 2.0 / 21.0;
  p = p * z + 2.0 / 19.0;
  p = p * z + 2.0 / 17.0;
  p = p * z + 2.0 / 15.0;
  p = p * z + 2.0 / 13.0;
  p = p * z + 2.0 / 11.0;
  p = p * z + 2.0 / 9.0;
  p = p * z + 2.0 / 7.0;
  p = p * z + 2.0 / 5.0;
  p = p * z + 2.0 / 3.0;
  return p * z * s;
}
}  // namespace detail

/// Natural logarithm. log(0) = -inf; NaN for x < 0; subnormals are handled.
PSL_HD inline double exact_log(double x) {
  if (!(x > 0.0)) return x == 0.0 ? -HUGE_VAL : x - x + (x < 0.0 ? std::sqrt(-1.0) : 0.0);
  if (x > 1.7976931348623157e308) return x;
  int exponent = 0;
  if (x < 2.2250738585072014e-308) {
    x *= 0x1p54;
    exponent = -54;
  }
  const std::uint64_t bits = detail::bits_of(x);
  exponent += static_cast<int>(bits >> 52) - 1023;
  double m = detail::double_of((bits & 0x000fffffffffffffull) | 0x3ff0000000000000ull);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    exponent += 1;
  }
  const double f = m - 1.0;  // exact
  const double s = f / (m + 1.0);
  // ln m = f - s (f - tail / s): keeps f's exact bits as the leading term.
  const double e = static_cast<double>(exponent);
  const double tail = detail::atanh_tail(s);
  const double correction = s * f - tail;  // 2s = f - s f
  return e * detail::kLn2High + (f - (correction - e * detail::kLn2Low));
}

/// exp(x): 0 below -745, +inf above 709.79.
PSL_HD inline double exact_exp(double x) {
  if (!(x <= 709.782712893384)) return x > 0.0 ? HUGE_VAL : x;
  if (x < -745.2) return 0.0;
  const double k = std::rint(x * 1.4426950408889634);
  const double r = (x - k * detail::kLn2High) - k * detail::kLn2Low;
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  const double y = 1.0 + (r + r * r * p);
  const int n = static_cast<int>(k);
  const int half = n / 2;  // in two factors, so that results near the ends of the range do not over- or underflow early
  return y * detail::double_of(static_cast<std::uint64_t>(half + 1023) << 52) *
         detail::double_of(static_cast<std::uint64_t>(n - half + 1023) << 52);
}

/// Upper 53 of 64 random bits as u = (bits + 1/2) / 2^53, strictly inside (0, 1) but for rounding next to 1.
PSL_HD inline double uniform53(std::uint64_t random) { return (static_cast<double>(random >> 11) + 0.5) * 0x1p-53; }

/// -ln(u) for the u of uniform53, with full relative precision also where u is next to 1 (there 1 - u is exact).
PSL_HD inline double neg_log_uniform(std::uint64_t random) {
  const std::uint64_t n = random >> 11;
  const double v = (static_cast<double>(((std::uint64_t{1} << 53) - 1) - n) + 0.5) * 0x1p-53;  // 1 - u
  if (v > 0.25) return -exact_log((static_cast<double>(n) + 0.5) * 0x1p-53);
  const double s = v / (2.0 - v);  // -ln(1 - v) = 2 atanh(s), |s| <= 1/7
  return 2.0 * s + detail::atanh_tail(s);
}

/// A standard normal number: Marsaglia's polar method on addressed uniforms; rejections raise `at.attempt` from the
/// given value on, so callers that need several normals at one address space their attempts by kNormalAttempts.
constexpr std::uint32_t kNormalAttempts = 64;  // P(64 rejections) = (1 - pi/4)^64 < 1e-42
PSL_HD inline double exact_normal(std::uint64_t seed, Address at) {
  for (std::uint32_t i = 0; i < kNormalAttempts; ++i, ++at.attempt) {
    const Bits128 bits = random_bits(seed, at);
    const double a = 2.0 * uniform53((std::uint64_t{bits.y} << 32) | bits.x) - 1.0;
    const double b = 2.0 * uniform53((std::uint64_t{bits.w} << 32) | bits.z) - 1.0;
    const double q = a * a + b * b;
    if (q < 1.0 && q > 0.0) return a * std::sqrt(-2.0 * exact_log(q) / q);
  }
  return 0.0;
}

}  // namespace splitsim
