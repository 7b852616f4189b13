#include "runtime/train/class_weights.hpp"

#include <cmath>

namespace splitsim {

std::vector<float> class_balanced_weights(const std::vector<std::int64_t>& counts, double balance) {
  std::vector<double> weights;
  double sum = 0.0;
  std::int64_t occurring = 0;
  for (const std::int64_t count : counts) {
    const auto n = static_cast<double>(count);
    double weight = 0.0;
    if (count > 0) {
      // 1 - b^n without a difference of near numbers; at b = 0 it is 1.
      weight = balance == 1.0 ? 1.0 / n : (1.0 - balance) / -std::expm1(n * std::log(balance));
      ++occurring;
    }
    sum += weight;
    weights.push_back(weight);
  }
  std::vector<float> normalised;
  for (const double weight : weights) {
    normalised.push_back(occurring == 0 ? 0.0f : static_cast<float>(weight / (sum / static_cast<double>(occurring))));
  }
  return normalised;
}

}  // namespace splitsim
