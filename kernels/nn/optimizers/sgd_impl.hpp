// SGD as torch.optim.SGD: the decay is added to the gradient.
#pragma once

#include "kernels/nn/optimizers/step_chunk.hpp"

namespace splitsim {

namespace detail {

template <bool kMomentum, bool kNesterov>
struct SgdStep {
  StepTargets targets;
  OptimizerNumbers numbers;
  StepRate rate;
  float* velocity;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const StepChunk chunk(targets, block);
    const float* __restrict__ g = chunk.gradient;
    float* __restrict__ p = chunk.parameters;
    float* __restrict__ v = velocity + (kMomentum ? chunk.state : 0);
    const float lr = rate.table[*rate.step];
    const auto momentum = static_cast<float>(numbers.momentum), decay = static_cast<float>(numbers.weight_decay);
    const bool first = kMomentum && targets.taken != nullptr && targets.taken[chunk.target] == 1;
    const float share = first ? 1.0f : 1.0f - static_cast<float>(numbers.dampening);
    for (std::int64_t i = chunk.begin + team.rank(); i < chunk.end; i += team.size()) {
      float d = g[i] * chunk.scale + decay * p[i];
      if (kMomentum) {
        v[i] = momentum * v[i] + share * d;
        d = kNesterov ? d + momentum * v[i] : v[i];
      }
      p[i] -= lr * d;
    }
  }
};

template <class Context>
void sgd_step(Context& ctx, const StepTargets& targets, const OptimizerNumbers& numbers, const StepRate& rate,
              const OptimizerState& state) {
  const auto run = [&](auto functor) {
    functor = {targets, numbers, rate, state.first.data()};
    for_each_block(ctx, step_extent(targets), functor);
  };
  if (numbers.momentum == 0.0) {
    run(SgdStep<false, false>{});
  } else if (numbers.nesterov) {
    run(SgdStep<true, true>{});
  } else {
    run(SgdStep<true, false>{});
  }
}

}  // namespace detail

template <class Context>
Optimizer<Context> sgd() {
  return {"sgd", "as torch.optim.SGD", {"momentum", "dampening", "nesterov", "weight_decay"},
          [](const OptimizerNumbers& n) { return n.momentum != 0.0 ? 1 : 0; },
          [](const OptimizerNumbers& n) { return n.momentum != 0.0 && n.dampening != 0.0; }, detail::sgd_step<Context>};
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C) template Optimizer<C> sgd<C>();
