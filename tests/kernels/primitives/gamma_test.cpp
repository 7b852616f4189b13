// Statistical tests have fixed seeds; the false-alarm rates stated are those over seeds.
#include "kernels/primitives/gamma.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/hash.hpp"
#include "tests/samplers/population/partition_helpers.hpp"

namespace splitsim {
namespace {

std::vector<double> draws(double shape, int n, std::uint64_t seed) {
  std::vector<double> values(n);
  for (int i = 0; i < n; ++i) values[i] = draw_log_gamma(shape, seed, {Purpose::kTest, static_cast<std::uint32_t>(i)});
  return values;
}

/// n-th derivative of digamma (n >= 0) by recurrence to x >= 30 and its asymptotic series.
double polygamma(int n, double x) {
  const double sign = n % 2 == 0 ? -1.0 : 1.0;
  double factorial = 1.0;  // n!
  for (int i = 2; i <= n; ++i) factorial *= i;
  double sum = 0.0;
  for (; x < 30.0; x += 1.0) sum += sign * factorial / std::pow(x, n + 1);
  const double bernoulli[] = {1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66};
  if (n == 0) {
    sum += std::log(x) - 0.5 / x;
    for (int k = 1; k <= 5; ++k) sum -= bernoulli[k - 1] / (2 * k * std::pow(x, 2 * k));
    return sum;
  }
  double series = std::tgamma(n) / std::pow(x, n) + factorial / (2.0 * std::pow(x, n + 1));
  for (int k = 1; k <= 5; ++k) {
    series += bernoulli[k - 1] * std::tgamma(2 * k + n) / (std::tgamma(2 * k + 1) * std::pow(x, 2 * k + n));
  }
  return sum + sign * series;
}

TEST(LogGamma, TheOracleKnowsItsConstants) {
  EXPECT_NEAR(polygamma(0, 1.0), -0.57721566490153286, 1e-14);
  EXPECT_NEAR(polygamma(1, 1.0), 1.6449340668482264, 1e-14);
  EXPECT_NEAR(polygamma(3, 1.0), 6.4939394022668291, 1e-13);
  EXPECT_NEAR(polygamma(0, 0.01), -100.56088545786867, 1e-10);
}

// ln G has mean psi(a), variance psi'(a) and fourth central moment psi'''(a) + 3 psi'(a)^2. Six standard errors each: a
// false alarm with probability about 2e-9 per line, even at shape 0.01, where nothing underflows.
TEST(LogGamma, MomentsOfTheLogarithm) {
  for (const double shape : {0.001, 0.01, 0.1, 0.5, 1.0, 1.5, 3.0, 20.0, 1000.0, 1e6}) {
    const int n = shape == 1.0 ? 400000 : 100000;  // where an error in the method's constants shows most
    const std::vector<double> values = draws(shape, n, 17);
    const double mean = test::mean_of(values);
    double variance = 0.0;
    for (const double v : values) variance += (v - mean) * (v - mean) / (n - 1.0);
    const double exact_variance = polygamma(1, shape);
    const double fourth = polygamma(3, shape) + 3.0 * exact_variance * exact_variance;
    EXPECT_NEAR(mean, polygamma(0, shape), 6.0 * std::sqrt(exact_variance / n)) << "shape " << shape;
    EXPECT_NEAR(variance, exact_variance, 6.0 * std::sqrt((fourth - exact_variance * exact_variance) / n))
        << "shape " << shape;
  }
}

/// P(G <= g) from ln g, by the power series of the incomplete gamma function.
double gamma_cdf(double shape, double log_g) {
  const double g = std::exp(log_g);
  double term = std::exp(shape * log_g - g - std::lgamma(shape + 1.0)), sum = 0.0;
  for (int n = 1; term > 1e-17 * (sum + 1e-300); ++n) {
    sum += term;
    term *= g / (shape + n);
  }
  return sum;
}

// Whole distributions, false alarm < 1e-6 each.
TEST(LogGamma, Distributions) {
  EXPECT_NEAR(gamma_cdf(1.0, std::log(2.0)), -std::expm1(-2.0), 1e-14);
  EXPECT_NEAR(gamma_cdf(0.5, std::log(2.0)), std::erf(std::sqrt(2.0)), 1e-14);
  for (const double shape : {0.01, 0.3, 0.5, 0.99, 1.0, 1.01, 2.0, 5.0, 40.0}) {
    SCOPED_TRACE(shape);
    test::expect_distribution(draws(shape, 50000, 3), [&](double l) { return gamma_cdf(shape, l); });
  }
}

// At shape 0.01, 42 % of the draws are below the smallest normal float: where plain fp32 sampling gives zeros.
TEST(LogGamma, WhatFloatWouldLose) {
  const int n = 100000;
  int lost = 0;
  for (const double l : draws(0.01, n, 5)) lost += l < std::log(double{std::numeric_limits<float>::min()});
  const double p = std::pow(double{std::numeric_limits<float>::min()}, 0.01) / std::tgamma(1.01);
  EXPECT_NEAR(p, 0.42, 0.001);
  EXPECT_NEAR(lost, n * p, 6.0 * std::sqrt(n * p * (1.0 - p)));  // false alarm 2e-9
}

TEST(LogGamma, FiniteForEveryShape) {
  for (double shape = std::numeric_limits<double>::denorm_min(); shape < 1e308; shape *= 17.0) {
    for (std::uint32_t i = 0; i < 50; ++i) {
      EXPECT_TRUE(std::isfinite(draw_log_gamma(shape, 1, {Purpose::kTest, i}))) << "shape " << shape;
    }
  }
  EXPECT_EQ(draw_log_gamma(0.0, 1, {Purpose::kTest}), -HUGE_VAL);
}

TEST(LogGamma, DrawsSpacedByTheirAttemptsAreIndependent) {
  // Correlation of ln-draws at shape 0.5 between neighbouring attempt ranges, elements, steps and seeds: n r^2 is about
  // chi-square with one degree of freedom, so |r| < 6 / sqrt(n) but for 2e-9.
  const int n = 20000;
  const double mean = polygamma(0, 0.5), variance = polygamma(1, 0.5);
  double sums[4] = {};
  for (int i = 0; i < n; ++i) {
    const Address at{Purpose::kTest, static_cast<std::uint32_t>(2 * i)};
    Address others[3] = {at, at, at};
    others[0].attempt = kGammaAttempts;
    others[1].element += 1;
    others[2].step = 1;
    const double a = draw_log_gamma(0.5, 9, at) - mean;
    for (int j = 0; j < 3; ++j) sums[j] += a * (draw_log_gamma(0.5, 9, others[j]) - mean);
    sums[3] += a * (draw_log_gamma(0.5, 10, at) - mean);
  }
  for (const double sum : sums) EXPECT_LT(std::fabs(sum / n / variance), 6.0 / std::sqrt(n));
}

// The bits are part of every result that uses them: they must not change with compilers, flags or machines.
TEST(LogGamma, BitsArePinned) {
  Sha256 hash;
  for (const double shape : {0.001, 0.3, 0.999, 1.0, 3.0, 1e5}) hash.add(draws(shape, 1000, 0x123456789abcdef0u));
  EXPECT_EQ(hash.hex(), "958ae43a04a2f2c76418f5fcc40dbdbc9d079d6ea84fbc0b39a997b9b8b15a07");
}

TEST(LogWeights, SumToOneAndNeverNan) {
  rc::check("any mixture of ln-weights", [] {
    auto weights = *rc::gen::container<std::vector<double>>(
        rc::gen::element(-HUGE_VAL, -1e308, -37000.5, -745.0, -3.0, 0.0, 2.5, 700.0, 1e4, 1e308));
    if (weights.empty()) return;
    const std::vector<double> before = weights;
    normalize_log_weights({weights.data(), static_cast<std::int64_t>(weights.size())});
    double total = 0.0;
    for (const double w : weights) {
      RC_ASSERT(w >= 0.0);
      total += w;
    }
    RC_ASSERT(std::fabs(total - 1.0) <= 1e-15 * static_cast<double>(weights.size()));
    for (std::size_t i = 0; i < weights.size(); ++i) {
      for (std::size_t j = 0; j < weights.size(); ++j) {
        if (before[i] <= before[j]) RC_ASSERT(weights[i] <= weights[j]);
      }
    }
  });
}

TEST(LogWeights, KnownRatios) {
  std::vector<double> weights{std::log(1.0), std::log(2.0), -HUGE_VAL, std::log(5.0)};
  for (double& w : weights) w -= 5000.0;  // would underflow without the shift
  normalize_log_weights({weights.data(), 4});
  EXPECT_NEAR(weights[0], 0.125, 1e-12);
  EXPECT_NEAR(weights[1], 0.25, 1e-12);
  EXPECT_EQ(weights[2], 0.0);
  EXPECT_NEAR(weights[3], 0.625, 1e-12);
  std::vector<double> none(4, -HUGE_VAL);
  normalize_log_weights({none.data(), 4});
  EXPECT_EQ(none, std::vector<double>(4, 0.25));
  normalize_log_weights({});
}

}  // namespace
}  // namespace splitsim
