// Adam and AdamW as torch.optim.Adam and AdamW.
#pragma once

#include <cmath>

#include "kernels/nn/optimizers/step_chunk.hpp"

namespace splitsim {

namespace detail {

struct AdamUpdate {
  bool decoupled;  ///< AdamW: the decay shrinks the weights; else it is added to the gradient

  template <class Team>
  PSL_HD void operator()(Team& team, const OptimizerStep& step, const StepChunk& chunk) const {
    const OptimizerNumbers& numbers = step.numbers;
    const float* __restrict__ g = chunk.gradient;
    float* __restrict__ p = chunk.parameters;
    float* __restrict__ m = step.state.first.data() + chunk.state;
    float* __restrict__ v = step.state.second.data() + chunk.state;
    const double lr = static_cast<double>(step.rate.of(chunk.target));
    const double t = static_cast<double>(step.targets.taken[chunk.target]);
    const auto step_size = static_cast<float>(lr / (1.0 - std::pow(numbers.beta1, t)));
    const auto root = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(numbers.beta2, t)));
    const auto keep1 = static_cast<float>(numbers.beta1), take1 = static_cast<float>(1.0 - numbers.beta1);
    const auto keep2 = static_cast<float>(numbers.beta2), take2 = static_cast<float>(1.0 - numbers.beta2);
    const auto eps = static_cast<float>(numbers.eps);
    const float decay = decoupled ? 0.0f : static_cast<float>(numbers.weight_decay);
    const float shrink = decoupled ? static_cast<float>(1.0 - lr * numbers.weight_decay) : 1.0f;
    for (std::int64_t i = chunk.begin + team.rank(); i < chunk.end; i += team.size()) {
      const float d = g[i] * chunk.scale + decay * p[i];
      m[i] = keep1 * m[i] + take1 * d;
      v[i] = keep2 * v[i] + take2 * (d * d);
      p[i] = shrink * p[i] - step_size * (m[i] / (std::sqrt(v[i]) * root + eps));
    }
  }
};

template <class Context, bool kDecoupled>
void adam_step(Context& ctx, const OptimizerStep* sides, int count) {
  step_sides(ctx, sides, count, AdamUpdate{kDecoupled});
}

template <class Context, bool kDecoupled>
Optimizer<Context> adam_row(const char* name, const char* summary) {
  return {name,
          summary,
          {"beta1", "beta2", "eps", "weight_decay"},
          [](const OptimizerNumbers&) { return 2; },
          [](const OptimizerNumbers&) { return true; },
          adam_step<Context, kDecoupled>};
}

}  // namespace detail

template <class Context>
Optimizer<Context> adam() {
  return detail::adam_row<Context, false>("adam", "as torch.optim.Adam");
}
template <class Context>
Optimizer<Context> adamw() {
  return detail::adam_row<Context, true>("adamw", "as torch.optim.AdamW");
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)           \
  template Optimizer<C> adam<C>(); \
  template Optimizer<C> adamw<C>();
