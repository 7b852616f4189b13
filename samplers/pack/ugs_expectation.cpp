#include "samplers/pack/ugs_expectation.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace splitsim {

namespace {

// Mean over the steps of what depends on their size alone: there are at most two sizes.
template <class OfSize>
double mean_over_steps(const Chunks& chunks, const OfSize& of_size) {
  const std::int64_t steps = chunks.steps();
  const auto size = [&](std::int64_t t) { return chunks.first(t + 1) - chunks.first(t); };
  const std::int64_t first = size(0), last = size(steps - 1);
  // Sizes fall once: even cuts have larger steps first, others one short step at the end.
  const std::int64_t larger = first == last ? steps : chunks.even ? chunks.samples % steps : steps - 1;
  double total = of_size(first) * static_cast<double>(larger);
  if (larger < steps) total += of_size(last) * static_cast<double>(steps - larger);
  return total / static_cast<double>(steps);
}

// P(none of the n is among `size` of `samples`).
double probability_of_none(std::int64_t samples, std::int64_t n, std::int64_t size) {
  if (n > samples - size) return 0.0;
  double p = 1.0;
  for (std::int64_t i = 0; i < size && p > 1e-30; ++i) {
    p *= static_cast<double>(samples - n - i) / static_cast<double>(samples - i);
  }
  return p;
}

// E|X - mean| of a hypergeometric number: weights from the mode outwards by the ratio of neighbours.
double mean_absolute_deviation(std::int64_t samples, std::int64_t marked, std::int64_t size) {
  const std::int64_t low = std::max<std::int64_t>(0, size - (samples - marked)), high = std::min(marked, size);
  const double mean = static_cast<double>(size) * static_cast<double>(marked) / static_cast<double>(samples);
  const std::int64_t mode = std::clamp(static_cast<std::int64_t>(mean), low, high);
  const auto ratio = [&](std::int64_t x) {  // P(x + 1) / P(x)
    return static_cast<double>(marked - x) * static_cast<double>(size - x) /
           (static_cast<double>(x + 1) * static_cast<double>(samples - marked - size + x + 1));
  };
  double weights = 0.0, total = 0.0;
  const auto add = [&](std::int64_t x, double weight) {
    weights += weight;
    total += weight * std::abs(static_cast<double>(x) - mean);
  };
  add(mode, 1.0);
  double weight = 1.0;
  for (std::int64_t x = mode; x < high && weight > 1e-30; ++x) add(x + 1, weight *= ratio(x));
  weight = 1.0;
  for (std::int64_t x = mode; x > low && weight > 1e-30; --x) add(x - 1, weight /= ratio(x - 1));
  return total / weights;
}

}  // namespace

double ugs_delay_ns(const std::vector<std::int64_t>& delay_ns, const std::vector<std::int64_t>& sizes,
                    const Chunks& chunks) {
  std::vector<std::pair<std::int64_t, std::int64_t>> slowest;  // (delay, samples)
  for (std::size_t k = 0; k < delay_ns.size(); ++k) {
    if (sizes[k] > 0) slowest.emplace_back(delay_ns[k], sizes[k]);
  }
  std::sort(slowest.begin(), slowest.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  return mean_over_steps(chunks, [&](std::int64_t size) {
    double mean = 0.0, none = 1.0;
    std::int64_t slower = 0;
    for (std::size_t i = 0; i < slowest.size() && none > 1e-18; ++i) {
      slower += slowest[i].second;
      if (i + 1 < slowest.size() && slowest[i + 1].first == slowest[i].first) continue;
      const double still = probability_of_none(chunks.samples, slower, size);
      mean += static_cast<double>(slowest[i].first) * (none - still);
      none = still;
    }
    return mean;
  });
}

double ugs_deviation(const std::vector<std::int64_t>& class_total, const Chunks& chunks) {
  return mean_over_steps(chunks, [&](std::int64_t size) {
    double total = 0.0;
    for (const std::int64_t marked : class_total) {
      if (marked > 0) total += mean_absolute_deviation(chunks.samples, marked, size) / static_cast<double>(size);
    }
    return total;
  });
}

}  // namespace splitsim
