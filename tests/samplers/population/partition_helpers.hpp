// Shared by the tests of files, populations and partitions: scratch folders, expected input errors, exact statistics.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace splitsim::test {

/// A folder that lives as long as the object.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "splitsim-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no scratch folder at " + name);
    path_ = name;
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Expects an InputError of one line that contains every one of `parts`.
template <class Action>
void expect_input_error(Action action, const std::vector<std::string>& parts) {
  try {
    action();
    ADD_FAILURE() << "no error; expected one that names " << ::testing::PrintToString(parts);
  } catch (const InputError& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const std::string& part : parts)
      EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
  }
}

/// Empirical Bernstein bound (Maurer & Pontil 2009, theorem 4, two-sided): with probability >= 1 - false_alarm the mean
/// of n independent values from an interval of length `range` is within this of its expectation.
inline double mean_bound(const std::vector<double>& values, double range, double false_alarm) {
  const auto n = static_cast<double>(values.size());
  double mean = 0.0, variance = 0.0;
  for (const double v : values) mean += v / n;
  for (const double v : values) variance += (v - mean) * (v - mean) / (n - 1.0);
  const double log_term = std::log(4.0 / false_alarm);
  return std::sqrt(2.0 * variance * log_term / n) + 7.0 * range * log_term / (3.0 * (n - 1.0));
}
inline double mean_of(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

/// Value that a chi-square variate with `degrees` degrees of freedom exceeds with probability about 1e-6 (Wilson &
/// Hilferty).
inline double chi_square_limit(double degrees) {
  constexpr double kZ = 4.7534;  // standard normal quantile of 1 - 1e-6
  const double v = 2.0 / (9.0 * degrees);
  return degrees * std::pow(1.0 - v + kZ * std::sqrt(v), 3.0);
}

/// Pearson's statistic against its limit; cells expected fewer than 10 times are pooled.
inline void expect_chi_square(const std::vector<double>& observed, const std::vector<double>& expected) {
  double statistic = 0.0, cells = 0.0, rare_observed = 0.0, rare_expected = 0.0;
  for (std::size_t i = 0; i < observed.size(); ++i) {
    if (expected[i] < 10.0) {
      rare_observed += observed[i];
      rare_expected += expected[i];
      continue;
    }
    statistic += (observed[i] - expected[i]) * (observed[i] - expected[i]) / expected[i];
    cells += 1.0;
  }
  if (rare_expected >= 10.0) {
    statistic += (rare_observed - rare_expected) * (rare_observed - rare_expected) / rare_expected;
    cells += 1.0;
  } else {
    EXPECT_LE(rare_observed, rare_expected + 10.0 * std::sqrt(rare_expected + 1.0) + 10.0);
  }
  EXPECT_LT(statistic, chi_square_limit(cells - 1.0)) << "over " << cells << " cells";
}

/// Largest distance between the empirical distribution of `values` (sorted in place) and `cdf`, and the limit that
/// Dvoretzky, Kiefer, Wolfowitz and Massart give it: exceeded with probability < 1e-6.
template <class Cdf>
void expect_distribution(std::vector<double> values, Cdf cdf, double slack = 0.0) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  double distance = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double p = cdf(values[i]);
    distance = std::max({distance, p - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - p});
  }
  EXPECT_LT(distance, std::sqrt(std::log(2.0 / 1e-6) / (2.0 * n)) + slack);
}

}  // namespace splitsim::test
