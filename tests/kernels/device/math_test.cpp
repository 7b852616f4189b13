#include "kernels/device/math.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/device/buffer.hpp"
#include "tests/contexts.hpp"
#include "tests/kernels/device/substrate_probe.hpp"

namespace splitsim::test {
namespace {

/// Distance from the exact value in units in the last place of the double next to it.
double ulps(double actual, long double exact) {
  const double near = static_cast<double>(exact);
  const double unit = std::nextafter(std::abs(near), HUGE_VAL) - std::abs(near);
  return static_cast<double>(std::abs(static_cast<long double>(actual) - exact) / unit);
}

double from_bits(std::uint64_t bits) {
  double x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

constexpr std::uint64_t kAllOnes = ~std::uint64_t{0};

TEST(ExactMath, LogIsWithinTwoUlps) {
  std::mt19937_64 bits(1);
  double worst = 0.0;
  for (int i = 0; i < 400'000; ++i) {
    const double anywhere = from_bits(bits() % 0x7ff0000000000000ull);  // every positive double, subnormals too
    const double near_one = 1.0 + (static_cast<double>(bits() >> 11) * 0x1p-53 - 0.5) * 0x1p-4;
    const double unit = (static_cast<double>(bits() >> 11) + 0.5) * 0x1p-53;
    for (const double x : {anywhere, near_one, unit}) {
      if (x > 0.0 && x != 1.0) worst = std::max(worst, ulps(exact_log(x), std::log(static_cast<long double>(x))));
    }
  }
  EXPECT_LE(worst, 2.0);
  RecordProperty("worst_ulps", std::to_string(worst));
}

TEST(ExactMath, ExpIsWithinTwoUlps) {
  std::mt19937_64 bits(2);
  double worst = 0.0;
  for (int i = 0; i < 400'000; ++i) {
    const double u = static_cast<double>(bits() >> 11) * 0x1p-53;
    for (const double x : {-708.0 + 1417.0 * u, -1.0 + 2.0 * u, (u - 0.5) * 0x1p-20}) {
      worst = std::max(worst, ulps(exact_exp(x), std::exp(static_cast<long double>(x))));
    }
  }
  EXPECT_LE(worst, 2.0);
  RecordProperty("worst_ulps", std::to_string(worst));
}

// Next to u = 3/4 the rounding of u itself, half a unit of u, is 2/3 to 4/3 units of the result; two for the logarithm.
TEST(ExactMath, NegLogUniformIsWithinFourUlps) {
  std::mt19937_64 bits(3);
  double worst = 0.0;
  const auto check = [&](std::uint64_t random) {
    const std::uint64_t n = random >> 11;
    // 1 - u exactly, so that -ln(u) keeps its precision next to 1 in the oracle too.
    const long double v = (static_cast<long double>((std::uint64_t{1} << 53) - 1 - n) + 0.5L) * 0x1p-53L;
    worst = std::max(worst, ulps(neg_log_uniform(random), -std::log1p(-v)));
  };
  for (int i = 0; i < 400'000; ++i) {
    check(bits());
    check(kAllOnes - (bits() >> (8 + i % 50)));  // next to 1
    check(bits() >> (8 + i % 50));               // next to 0
  }
  check(0);
  check(kAllOnes);
  EXPECT_LE(worst, 2.0 + 4.0 / 3.0);
  RecordProperty("worst_ulps", std::to_string(worst));
}

TEST(ExactMath, SpecialValues) {
  const double inf = HUGE_VAL, nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(exact_log(0.0), -inf);
  EXPECT_EQ(exact_log(-0.0), -inf);
  EXPECT_EQ(exact_log(1.0), 0.0);
  EXPECT_EQ(exact_log(inf), inf);
  EXPECT_TRUE(std::isnan(exact_log(-1.0)));
  EXPECT_TRUE(std::isnan(exact_log(-inf)));
  EXPECT_TRUE(std::isnan(exact_log(nan)));
  EXPECT_EQ(exact_exp(0.0), 1.0);
  EXPECT_EQ(exact_exp(-0.0), 1.0);
  EXPECT_EQ(exact_exp(inf), inf);
  EXPECT_EQ(exact_exp(710.0), inf);
  EXPECT_EQ(exact_exp(-inf), 0.0);
  EXPECT_EQ(exact_exp(-746.0), 0.0);
  EXPECT_TRUE(std::isnan(exact_exp(nan)));
  EXPECT_NEAR(exact_exp(709.78) / std::exp(709.78), 1.0, 1e-15);
  EXPECT_NEAR(exact_exp(-740.0), std::exp(-740.0), 0x1p-1073);  // subnormal: two of its units
}

TEST(ExactMath, UniformsAndExponentialsAtTheEndsOfTheirRange) {
  EXPECT_EQ(uniform53(0), 0x1p-54);
  EXPECT_EQ(uniform53(kAllOnes), 1.0);  // the one rounding
  EXPECT_LT(uniform53(kAllOnes - 2048), 1.0);
  EXPECT_NEAR(neg_log_uniform(0), 54.0 * std::log(2.0), 1e-14);
  EXPECT_EQ(neg_log_uniform(kAllOnes), 0x1p-54);  // never 0: a key stays finite and positive
}

TEST(ExactMath, NegLogUniformNeverIncreases) {
  std::mt19937_64 bits(4);
  for (int i = 0; i < 200'000; ++i) {
    // Next to the switch between its two formulas (1 - u = 1/4) and anywhere.
    const std::uint64_t at = i % 2 == 0 ? bits() : (std::uint64_t{3} << 62) + (bits() >> 40) - (1 << 23);
    EXPECT_GE(neg_log_uniform(at), neg_log_uniform(at + 2048 > at ? at + 2048 : at));
  }
}

// Kolmogorov-Smirnov with n = 200000: P(sqrt(n) D > 2.2) = 2 exp(-2 * 2.2^2) < 1.3e-4; the seed is fixed.
TEST(ExactMath, NormalsFollowTheNormalLaw) {
  constexpr std::uint32_t kCount = 200'000;
  std::vector<double> z(kCount);
  for (std::uint32_t i = 0; i < kCount; ++i) z[i] = exact_normal(11, {Purpose::kTest, i, 0, 0, 0});
  std::sort(z.begin(), z.end());
  double distance = 0.0;
  for (std::uint32_t i = 0; i < kCount; ++i) {
    const double law = 0.5 * std::erfc(-z[i] / std::sqrt(2.0));
    distance = std::max({distance, law - i / double{kCount}, (i + 1) / double{kCount} - law});
  }
  EXPECT_LT(std::sqrt(double{kCount}) * distance, 2.2);
}

template <class Context>
class MathOn : public OnContext<Context> {};
TYPED_TEST_SUITE(MathOn, Contexts);

// The same bits on every backend as here, in this unit, on this thread.
TYPED_TEST(MathOn, BitsEqualTheHosts) {
  std::mt19937_64 bits(5);
  std::vector<double> x;
  for (int i = 0; i < 100'000; ++i) {
    x.push_back(from_bits(bits()));
    x.push_back(-745.0 + 1455.0 * static_cast<double>(bits() >> 11) * 0x1p-53);
  }
  const Buffer<double, TypeParam> in(this->ctx(), x);
  Buffer<double, TypeParam> out(this->ctx(), 5 * in.size());
  probe_math(this->ctx(), in.view(), out.view());
  const auto results = out.download();
  for (std::size_t i = 0; i < x.size(); ++i) {
    std::uint64_t random;
    std::memcpy(&random, &x[i], sizeof random);
    const double expected[5] = {exact_log(x[i]), exact_exp(x[i]), neg_log_uniform(random), uniform53(random),
                                exact_normal(7, {Purpose::kTest, static_cast<std::uint32_t>(i), 0, 0, 0})};
    for (int f = 0; f < 5; ++f) {
      const double actual = results[5 * i + f];
      // NaN is NaN whatever its sign and payload; everything else is the same bits.
      const bool both_nan = std::isnan(expected[f]) && std::isnan(actual);
      ASSERT_TRUE(both_nan || std::memcmp(&actual, &expected[f], sizeof actual) == 0) << f << " at " << x[i];
    }
  }
}

}  // namespace
}  // namespace splitsim::test
