#include "runtime/train/learning_rate.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace splitsim {

std::vector<float> learning_rates(const OptimizerSettings& settings, std::int64_t steps_per_epoch,
                                  std::int64_t epochs) {
  const std::int64_t n = steps_per_epoch * epochs;
  const std::int64_t warmup = std::llround(settings.warmup_epochs * static_cast<double>(steps_per_epoch));
  std::vector<float> rates(static_cast<std::size_t>(n));
  for (std::int64_t t = 0; t < n; ++t) {
    double factor = 1.0;
    if (t < warmup) {
      factor = static_cast<double>(t + 1) / static_cast<double>(warmup);
    } else if (settings.schedule == RateSchedule::kCosine) {
      factor =
          0.5 * (1.0 + std::cos(std::numbers::pi * static_cast<double>(t - warmup) / static_cast<double>(n - warmup)));
    } else if (settings.schedule == RateSchedule::kStep || settings.schedule == RateSchedule::kMultistep) {
      const std::int64_t epoch = t / steps_per_epoch;
      const auto passed =
          std::count_if(settings.milestones.begin(), settings.milestones.end(), [&](auto m) { return m <= epoch; });
      factor = std::pow(
          settings.gamma,
          static_cast<double>(settings.schedule == RateSchedule::kStep ? epoch / settings.step_epochs : passed));
    }
    rates[static_cast<std::size_t>(t)] = static_cast<float>(settings.lr * factor);
  }
  return rates;
}

}  // namespace splitsim
