// Body of kernels/nn/sample_weights.hpp.
#pragma once

#include <cmath>

#include "kernels/device/team.hpp"
#include "kernels/nn/sample_weights.hpp"

namespace splitsim {

namespace detail {

/// log(e^a + e^b); of -inf and a number: the number.
PSL_HD inline double log_of_sum(double a, double b) {
  const double high = a > b ? a : b, low = a > b ? b : a;
  return high + std::log1p(std::exp(low - high));
}

struct AbsgdFactors {
  struct Greater {
    PSL_HD double operator()(double a, double b) const { return a > b ? a : b; }
  };

  const std::int32_t* slots;
  std::int32_t max_slots;
  Spans spans;
  AbsgdRule rule;
  const float* losses;
  float* states;
  float* factors;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t experiment) const {
    if (experiment == 0) {
      for (std::int64_t s = *slots + team.rank(); s < max_slots; s += team.size()) factors[s] = 0.0f;
    }
    const std::int32_t count = spans.slots[experiment];
    if (count == 0) return;
    const float* loss = losses + spans.first_slot[experiment];
    float* factor = factors + spans.first_slot[experiment];
    float* state = states + experiment * kAbsgdState;
    const bool set = state[2] != 0.0f;
    const double before = static_cast<double>(state[0]) + static_cast<double>(state[1]);
    const float* l = loss;
    const double lambda = rule.lambda;
    const auto exponent = [=](std::int64_t s) { return static_cast<double>(l[s]) / lambda; };
    const double top = team.reduce(count, exponent(0), exponent, Greater{});
    const double sum = team.reduce(
        count, 0.0, [=](std::int64_t s) { return std::exp(exponent(s) - top); }, Plus{});
    double log_u = top + std::log(sum / static_cast<double>(count));
    if (set) log_u = log_of_sum(std::log1p(-rule.momentum) + before, std::log(rule.momentum) + log_u);
    const auto high = static_cast<float>(log_u), low = static_cast<float>(log_u - static_cast<double>(high));
    const double kept = static_cast<double>(high) + static_cast<double>(low);  // what a resumed run finds
    for (std::int64_t s = team.rank(); s < count; s += team.size()) {
      factor[s] = static_cast<float>(std::exp(exponent(s) - kept));
    }
    team.sync();  // all have read the state
    if (team.rank() != 0) return;
    state[0] = high;
    state[1] = low;
    state[2] = 1.0f;
  }
};

}  // namespace detail

template <class Context>
void absgd_factors(Context& ctx, Slots slots, const Spans& spans, const AbsgdRule& rule, View<const float> loss,
                   View<float> state, View<float> factor) {
  for_each_block(ctx, spans.experiments,
                 detail::AbsgdFactors{slots.count, slots.max, spans, rule, loss.data(), state.data(), factor.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C) \
  template void absgd_factors(C&, Slots, const Spans&, const AbsgdRule&, View<const float>, View<float>, View<float>);
