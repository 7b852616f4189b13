#include "samplers/pack/step_cover.hpp"

#include <algorithm>
#include <cmath>

namespace splitsim {

namespace {

constexpr double kHandfuls = 48.0;  // of the steps that a level needs at least

}  // namespace

std::vector<std::int32_t> covering_order(const std::vector<std::int32_t>& counts, const LevelStock& stock) {
  const auto classes = static_cast<std::size_t>(stock.classes);
  const std::size_t steps = counts.size() / classes;
  std::vector<double> mean(classes);
  for (std::size_t c = 0; c < classes; ++c) {
    mean[c] = static_cast<double>(stock.class_total[c]) / static_cast<double>(steps);
  }
  std::vector<std::int32_t> order, left(steps);
  for (std::size_t t = 0; t < steps; ++t) left[t] = static_cast<std::int32_t>(t);
  std::vector<std::int64_t> given(classes, 0);
  std::vector<double> need(classes), weight(classes), worth(steps);
  for (std::int32_t j = 0; j + 1 < stock.levels(); ++j) {
    for (std::size_t handful = 0; !left.empty();) {
      double most = 0.0;  // steps that the neediest class wants
      for (std::size_t c = 0; c < classes; ++c) {
        need[c] = static_cast<double>(std::max<std::int64_t>(0, stock.held_to(j)[c] - given[c]));
        const double wants = need[c] > 0.0 ? need[c] / mean[c] : 0.0;
        weight[c] = wants * wants * wants * wants;
        most = std::max(most, wants);
      }
      if (most == 0.0) break;
      if (handful == 0) handful = static_cast<std::size_t>(std::max(1.0, most / kHandfuls));
      for (const std::int32_t t : left) {
        worth[t] = 0.0;
        for (std::size_t c = 0; c < classes; ++c) {
          const double has = static_cast<double>(counts[static_cast<std::size_t>(t) * classes + c]);
          worth[t] += std::min(has, need[c]) * weight[c];
        }
      }
      const std::size_t picked = std::min({handful, static_cast<std::size_t>(std::ceil(most)), left.size()});
      const auto end = left.begin() + static_cast<std::ptrdiff_t>(picked);
      std::nth_element(left.begin(), end - 1, left.end(), [&](std::int32_t a, std::int32_t b) {
        return worth[a] != worth[b] ? worth[a] > worth[b] : a < b;
      });
      std::sort(left.begin(), end);
      for (auto t = left.begin(); t != end; ++t) {
        order.push_back(*t);
        for (std::size_t c = 0; c < classes; ++c) given[c] += counts[static_cast<std::size_t>(*t) * classes + c];
      }
      left.erase(left.begin(), end);
    }
  }
  std::sort(left.begin(), left.end());
  order.insert(order.end(), left.begin(), left.end());
  return order;
}

}  // namespace splitsim
