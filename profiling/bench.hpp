// The figures of splitsim-bench: each is a ratio of two things timed in turns within one run, since times alone are
// noise on a shared machine.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/report.hpp"

namespace splitsim::bench {

struct Figure {
  std::string name;
  double value = 0.0;
  std::optional<double> bound;  ///< the value should not exceed it (or fall below it, if at_least)
  bool at_least = false;
  std::string unit = "ratio";
  std::string detail;  ///< what was timed, with the times
};

struct Options {
  bool quick = false;  ///< fewer rounds: a smoke test, not a measurement
  std::string python;  ///< interpreter with PyTorch; empty: no comparison
  int threads = 0;
};

/// A line on stderr: some figures take minutes.
inline void say_timing(const std::string& what) { report_line("timing " + what); }

inline double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

/// Medians of two pieces of work timed in turns, and of the rounds' ratios first / second.
struct Comparison {
  double first = 0.0, second = 0.0, ratio = 0.0;
};
inline Comparison compare(int rounds, const std::function<double()>& first, const std::function<double()>& second) {
  std::vector<double> a, b, ratios;
  first();
  second();
  for (int round = 0; round < rounds; ++round) {
    a.push_back(first());
    b.push_back(second());
    ratios.push_back(a.back() / b.back());
  }
  return {median(a), median(b), median(ratios)};
}

template <class Context>
std::vector<Figure> training_figures(Context& ctx, const Options& options);
template <class Context>
std::vector<Figure> sampler_figures(Context& ctx, const Options& options);

}  // namespace splitsim::bench
