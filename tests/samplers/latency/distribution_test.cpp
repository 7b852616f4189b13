// Distributions against their laws. Every statistical check is a Dvoretzky-Kiefer-Wolfowitz (Massart) bound,
// P(sup |F_n - F| > e) <= 2 exp(-2 n e^2), or Hoeffding's, with the false-alarm rate below over fixed seeds.
#include "samplers/latency/distribution.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "samplers/latency/distribution_draw.hpp"

namespace splitsim {
namespace {

constexpr double kFalseAlarm = 1e-6;  // per check
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

std::vector<double> draws(const Distribution& distribution, int n, std::uint64_t seed, std::int32_t clients = 10,
                          std::int64_t summands = 1) {
  const Drawer drawer = make_drawer(distribution);
  std::vector<double> values;
  for (int i = 0; i < n; ++i) {
    values.push_back(drawer(seed, {Purpose::kTest, static_cast<std::uint32_t>(i), 3, 1, 0}, clients, summands));
  }
  return values;
}

/// sup over the sample of |F_n - F|; `cdf` must be right-continuous, `left` its left limit (equal where continuous).
double ks_distance(std::vector<double> values, const std::function<double(double)>& cdf,
                   const std::function<double(double)>& left) {
  std::sort(values.begin(), values.end());
  const double n = static_cast<double>(values.size());
  double distance = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool last_of_ties = i + 1 == values.size() || values[i + 1] > values[i];
    const bool first_of_ties = i == 0 || values[i - 1] < values[i];
    if (last_of_ties) distance = std::max(distance, std::abs(static_cast<double>(i + 1) / n - cdf(values[i])));
    if (first_of_ties) distance = std::max(distance, std::abs(static_cast<double>(i) / n - left(values[i])));
  }
  return distance;
}

void expect_law(const Distribution& distribution, const std::function<double(double)>& cdf,
                const std::function<double(double)>& left, std::int64_t summands = 1) {
  constexpr int kDraws = 40000;
  const double bound = std::sqrt(std::log(2.0 / kFalseAlarm) / (2.0 * kDraws));  // 0.0135
  EXPECT_LT(ks_distance(draws(distribution, kDraws, 11, 10, summands), cdf, left), bound)
      << distribution_info(distribution.kind).name;
}
void expect_law(const Distribution& distribution, const std::function<double(double)>& cdf, std::int64_t summands = 1) {
  expect_law(distribution, cdf, cdf, summands);
}

double erlang_cdf(int shape, double rate, double x) {
  double term = 1.0, sum = 0.0;
  for (int i = 0; i < shape; ++i) {
    sum += term;
    term *= rate * x / (i + 1);
  }
  return 1.0 - std::exp(-rate * x) * sum;
}

TEST(Distribution, InfosAreInOrderAndComplete) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < distribution_infos().size(); ++i) {
    const DistributionInfo& info = distribution_infos()[i];
    EXPECT_EQ(static_cast<std::size_t>(info.kind), i);
    EXPECT_LE(info.parameters.size(), 3u);
    EXPECT_FALSE(info.summary.empty());
    EXPECT_EQ(&distribution_info(info.kind), &info);
    names.insert(info.name);
  }
  EXPECT_EQ(names.size(), 11u);
}

TEST(Distribution, EveryKindHasItsLaw) {
  using enum DistributionKind;
  expect_law({kUniform, 2.0, 5.0}, [](double x) { return (x - 2.0) / 3.0; });
  expect_law({kExponential, 0.25}, [](double x) { return 1.0 - std::exp(-4.0 * x); });
  expect_law({kShiftedExponential, 3.0, 0.5}, [](double x) { return 1.0 - std::exp(-2.0 * (x - 3.0)); });
  expect_law({kLognormal, 2.0, 0.5}, [](double x) {
    const double variance = std::log(1.25), mean = std::log(2.0) - variance / 2.0;
    return 0.5 * std::erfc(-(std::log(x) - mean) / std::sqrt(2.0 * variance));
  });
  const auto pareto = [](double x) { return 1.0 - std::pow(1.5 / x, 1.2); };
  expect_law(
      {kPareto, 1.5, 1.2, 20.0}, [&](double x) { return x >= 20.0 ? 1.0 : pareto(x); }, pareto);
  const auto lomax = [](double x) { return 1.0 - std::pow(1.0 + x / 0.5, -2.0); };
  expect_law(
      {kLomax, 0.5, 2.0, 1.0}, [&](double x) { return x >= 1.0 ? 1.0 : lomax(x); }, lomax);
  // cv = 1/sqrt(n) is Erlang(n); cv = sqrt(2) is a scaled chi-square with one degree of freedom.
  expect_law({kGamma, 6.0, 1.0 / std::sqrt(3.0)}, [](double x) { return erlang_cdf(3, 0.5, x); });
  expect_law({kGamma, 2.0, std::sqrt(2.0)}, [](double x) { return std::erf(std::sqrt(x / 4.0)); });
}

TEST(Distribution, GammaSummandsAreAMeanOfDraws) {
  // The mean of 5 Erlang(2) draws of mean 3 is Erlang(10) of mean 3.
  expect_law(
      {DistributionKind::kGamma, 3.0, 1.0 / std::sqrt(2.0)}, [](double x) { return erlang_cdf(10, 10.0 / 3.0, x); }, 5);
}

TEST(Distribution, TwoSpeedJitterIsSlowWithItsShare) {
  constexpr int kDraws = 40000;
  int slow = 0;
  for (const double value : draws({DistributionKind::kTwoSpeed, 2.0, 0.3, 5.0}, kDraws, 5)) {
    ASSERT_TRUE(value == 2.0 || value == 10.0) << value;
    slow += value == 10.0;
  }
  EXPECT_NEAR(slow / double{kDraws}, 0.3, std::sqrt(std::log(2.0 / kFalseAlarm) / (2.0 * kDraws)));
}

TEST(Distribution, ZipfJitterHasUniformRanks) {
  constexpr int kDraws = 40000, kClients = 7;
  std::vector<int> count(kClients, 0);
  for (const double value : draws({DistributionKind::kZipf, 12.0, 1.0}, kDraws, 5, kClients)) {
    const int rank = static_cast<int>(std::lround(12.0 / value));
    ASSERT_TRUE(rank >= 1 && rank <= kClients) << value;
    ASSERT_NEAR(value, 12.0 / rank, 1e-12);
    ++count[static_cast<std::size_t>(rank - 1)];
  }
  for (const int c : count) {  // union bound over the ranks
    EXPECT_NEAR(c / double{kDraws}, 1.0 / kClients, std::sqrt(std::log(2.0 * kClients / kFalseAlarm) / (2.0 * kDraws)));
  }
}

TEST(Distribution, ConstantsAndDegenerateCasesAreExact) {
  for (const double value : draws({DistributionKind::kConstant, 0.7}, 10, 1)) EXPECT_EQ(value, 0.7);
  for (const double value : draws({DistributionKind::kUniform, 3.0, 3.0}, 10, 1)) EXPECT_EQ(value, 3.0);
  for (const double value : draws({DistributionKind::kZipf, 3.0, 0.0}, 10, 1)) EXPECT_EQ(value, 3.0);
  for (const double value : draws({DistributionKind::kLognormal, 1.0, 0.0}, 10, 1)) EXPECT_EQ(value, 1.0);
}

TEST(Distribution, AddressesSeparateDraws) {
  // Different seeds, elements, steps and epochs give different draws: 64 draws of a continuous law, none equal.
  const Drawer drawer = make_drawer({DistributionKind::kExponential, 1.0});
  std::set<double> values;
  for (std::uint64_t seed : {1u, 2u}) {
    for (std::uint32_t i = 0; i < 32; ++i) {
      values.insert(drawer(seed, {Purpose::kJitter, i & 3u, (i >> 2) & 3u, i >> 4, 0}, 1));
    }
  }
  EXPECT_EQ(values.size(), 64u);
}

struct BadCase {
  Distribution distribution;
  std::string parameter;  // that the message must name
  bool allow_zero = false;
};

TEST(Distribution, BadParametersAreNamed) {
  using enum DistributionKind;
  std::vector<BadCase> cases = {
      {{kConstant, 0.0}, "value"},
      {{kUniform, 0.0, 1.0}, "low"},
      {{kUniform, 2.0, 1.0}, "high"},
      {{kExponential, 0.0}, "mean", true},
      {{kShiftedExponential, 0.0, 1.0}, "shift"},
      {{kShiftedExponential, 1.0, 0.0}, "mean", true},
      {{kLognormal, 0.0, 1.0}, "mean", true},
      {{kLognormal, 1.0, -0.1}, "cv"},
      {{kPareto, 1.0, 0.0, 5.0}, "alpha"},
      {{kPareto, 2.0, 1.0, 1.0}, "cap"},
      {{kLomax, 1.0, 1.0, 0.0}, "cap"},
      {{kGamma, 1.0, 0.0}, "cv"},
      {{kTwoSpeed, 1.0, 1.1, 2.0}, "share"},
      {{kTwoSpeed, 1.0, -0.1, 2.0}, "share"},
      {{kTwoSpeed, 1.0, 0.5, 0.5}, "slowdown"},
      {{kTwoSpeed, 0.0, 0.5, 2.0}, "base"},
      {{kZipf, 1.0, -1.0}, "exponent"},
  };
  // NaN, infinity and a negative number in every parameter of every kind.
  const std::vector<Distribution> good = {
      {kConstant, 1.0},       {kUniform, 1.0, 2.0},     {kExponential, 1.0}, {kShiftedExponential, 1.0, 1.0},
      {kLognormal, 1.0, 0.5}, {kPareto, 1.0, 2.0, 9.0}, {kLomax, 1, 2, 9},   {kGamma, 1.0, 0.5},
      {kTwoSpeed, 1, 0.5, 2}, {kZipf, 1.0, 1.0}};
  for (const Distribution& distribution : good) {
    ASSERT_NO_THROW(check_distribution(distribution, "clock.x", false)) << distribution_info(distribution.kind).name;
    const auto& names = distribution_info(distribution.kind).parameters;
    for (std::size_t i = 0; i < names.size(); ++i) {
      for (const double bad : {kNan, kInf, -1.0}) {
        Distribution changed = distribution;
        (i == 0 ? changed.a : i == 1 ? changed.b : changed.c) = bad;
        cases.push_back({changed, names[i], true});
      }
    }
  }
  for (const BadCase& bad : cases) {
    const DistributionInfo& info = distribution_info(bad.distribution.kind);
    try {
      check_distribution(bad.distribution, "clock.x", bad.allow_zero);
      ADD_FAILURE() << info.name << "." << bad.parameter << " was accepted";
    } catch (const InputError& error) {
      const std::string message = error.what();
      EXPECT_TRUE(message.starts_with("clock.x." + bad.parameter + " = ")) << message;
      EXPECT_NE(message.find("must be"), std::string::npos) << message;
      EXPECT_NE(message.find(info.name), std::string::npos) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
  }
}

TEST(Distribution, ZeroIsAllowedWhereItMakesSense) {
  using enum DistributionKind;
  for (const Distribution& distribution : std::vector<Distribution>{{kConstant, 0.0},
                                                                    {kUniform, 0.0, 1.0},
                                                                    {kShiftedExponential, 0.0, 1.0},
                                                                    {kTwoSpeed, 0, 0.5, 2},
                                                                    {kZipf, 0.0}}) {
    EXPECT_NO_THROW(check_distribution(distribution, "k", true));
    EXPECT_THROW(check_distribution(distribution, "k", false), InputError);
  }
}

}  // namespace
}  // namespace splitsim
