#include "samplers/pack/front.hpp"

#include <algorithm>
#include <cmath>

namespace splitsim {

namespace {

constexpr int kHalvings = 100;  // of an interval of doubles: to the last bit

// Where every class has been dealt what level j and slower hold of it, each at its constant rate.
double balanced_position(const LevelStock& stock, std::int32_t j) {
  double position = 0.0;
  for (std::int32_t c = 0; c < stock.classes; ++c) {
    if (stock.class_total[c] == 0) continue;
    position = std::max(position, static_cast<double>(stock.held_to(j)[c]) * static_cast<double>(stock.samples) /
                                      static_cast<double>(stock.class_total[c]));
  }
  return position;
}

}  // namespace

Front::Front(const LevelStock& stock, double rest_ns) : stock_(&stock) {
  const auto samples = static_cast<double>(stock.samples);
  double fast_end = 0.0, balanced_end = 0.0;
  for (std::int32_t j = 0; j < stock.levels(); ++j) {
    step_ns_.push_back(static_cast<double>(stock.delay_ns[j]) + rest_ns);
    const auto fast = static_cast<double>(stock.held_samples(j));
    const double balanced = j + 1 == stock.levels() ? samples : balanced_position(stock, j);
    fastest_ns_ += step_ns_.back() * (fast - fast_end) / samples;
    balanced_ns_ += step_ns_.back() * (balanced - balanced_end) / samples;
    fast_end = fast;
    balanced_end = balanced;
  }
  balanced_position_ = balanced_position(stock, 0);
  if (stock.levels() > 2) program_ = std::make_unique<FrontProgram>(stock, step_ns_);
}

Front::~Front() = default;

FrontPoint Front::at_fastest() const {
  FrontPoint point;
  for (std::int32_t j = 0; j < stock_->levels(); ++j) {
    point.law.position.push_back(static_cast<double>(stock_->held_samples(j)));
    for (std::int32_t c = 0; c < stock_->classes; ++c) {
      point.law.dealt.push_back(static_cast<double>(stock_->held_to(j)[c]));
    }
  }
  point.step_ns = fastest_ns_;
  return point;
}

FrontPoint Front::water_filled(double position) const {
  const auto samples = static_cast<double>(stock_->samples);
  const auto dealt = [&](double theta, std::int32_t c) {
    const auto total = static_cast<double>(stock_->class_total[c]);
    return std::min(std::max(static_cast<double>(stock_->held_to(0)[c]), theta * total), total);
  };
  double low = 0.0, high = 1.0;  // of every class this share
  for (int i = 0; i < kHalvings; ++i) {
    const double theta = (low + high) / 2.0;
    double sum = 0.0;
    for (std::int32_t c = 0; c < stock_->classes; ++c) sum += dealt(theta, c);
    (sum > position ? high : low) = theta;
  }
  FrontPoint point;
  double filled = 0.0;
  for (std::int32_t c = 0; c < stock_->classes; ++c) {
    point.law.dealt.push_back(dealt(low, c));
    filled += point.law.dealt.back();
  }
  for (std::int32_t c = 0; c < stock_->classes; ++c) {
    const auto total = static_cast<double>(stock_->class_total[c]);
    point.law.dealt.push_back(total);
    point.deviation +=
        4.0 * std::max(0.0, static_cast<double>(stock_->held_to(0)[c]) - total / samples * filled) / samples;
  }
  point.law.position = {filled, samples};
  point.step_ns = (step_ns_[0] * filled + step_ns_[1] * (samples - filled)) / samples;
  return point;
}

FrontPoint Front::least_deviation(double step_ns) const {
  if (stock_->levels() == 1) return at_fastest();
  step_ns = std::clamp(step_ns, fastest_ns_, balanced_ns_);
  if (program_ != nullptr) return program_->least_deviation(step_ns);
  const double share = (step_ns - step_ns_[1]) / (step_ns_[0] - step_ns_[1]);
  return water_filled(std::clamp(share * static_cast<double>(stock_->samples),
                                 static_cast<double>(stock_->held_samples(0)), balanced_position_));
}

FrontPoint Front::least_time(double deviation) const {
  if (stock_->levels() == 1) return at_fastest();
  if (program_ != nullptr) return program_->least_time(deviation);
  double low = static_cast<double>(stock_->held_samples(0)), high = balanced_position_;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2.0;
    (water_filled(middle).deviation > deviation ? low : high) = middle;
  }
  return water_filled(high);
}

}  // namespace splitsim
