// SGD as torch.optim.SGD: the decay is added to the gradient.
#pragma once

#include "kernels/nn/optimizers/step_chunk.hpp"

namespace splitsim {

namespace detail {

struct SgdUpdate {
  template <class Team>
  PSL_HD void operator()(Team& team, const OptimizerStep& step, const StepChunk& chunk) const {
    if (step.numbers.momentum == 0.0) {
      move<false, false>(team, step, chunk);
    } else if (step.numbers.nesterov) {
      move<true, true>(team, step, chunk);
    } else {
      move<true, false>(team, step, chunk);
    }
  }

 private:
  template <bool kMomentum, bool kNesterov, class Team>
  PSL_HD void move(Team& team, const OptimizerStep& step, const StepChunk& chunk) const {
    const OptimizerNumbers& numbers = step.numbers;
    const StepTargets& targets = step.targets;
    const float* __restrict__ g = chunk.gradient;
    float* __restrict__ p = chunk.parameters;
    float* __restrict__ v = step.state.first.data() + (kMomentum ? chunk.state : 0);
    const float lr = step.rate.of(chunk.target);
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
void sgd_step(Context& ctx, const OptimizerStep* sides, int count) {
  step_sides(ctx, sides, count, SgdUpdate{});
}

}  // namespace detail

template <class Context>
Optimizer<Context> sgd() {
  return {"sgd",
          "as torch.optim.SGD",
          {"momentum", "dampening", "nesterov", "weight_decay"},
          [](const OptimizerNumbers& n) { return n.momentum != 0.0 ? 1 : 0; },
          [](const OptimizerNumbers& n) { return n.momentum != 0.0 && n.dampening != 0.0; },
          detail::sgd_step<Context>};
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C) template Optimizer<C> sgd<C>();
