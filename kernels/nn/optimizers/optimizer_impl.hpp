// Bodies of kernels/nn/optimizers/optimizer.hpp. A block is a chunk of one replica that steps.
#pragma once

#include <cmath>

#include "kernels/device/team.hpp"
#include "kernels/nn/optimizers/optimizer.hpp"

namespace splitsim {

namespace detail {
constexpr std::int64_t kStepChunk = 1024;
PSL_HD constexpr std::int64_t chunks_of(std::int64_t size, std::int64_t chunk) { return (size + chunk - 1) / chunk; }

/// What a block works on.
struct StepChunk {
  std::int64_t target, begin, end;
  const float* __restrict__ gradient;
  float* __restrict__ parameters;
  std::int64_t state;  ///< offset of the replica in [G, P] optimiser state
  float scale;

  PSL_HD StepChunk(const StepTargets& t, std::int64_t block) {
    const std::int64_t chunks = chunks_of(t.size, kStepChunk), row = block / chunks;
    target = t.target(row);
    begin = (block - row * chunks) * kStepChunk;
    end = begin + kStepChunk < t.size ? begin + kStepChunk : t.size;
    gradient = t.gradients + row * t.gradient_stride;
    parameters = t.parameters + target * t.stride;
    state = target * t.size;
    scale = t.gradient_scale == nullptr ? 1.0f : t.gradient_scale[t.gradient_row(row)];
  }
};

template <bool kMomentum, bool kNesterov>
struct SgdStep {
  StepTargets targets;
  SgdSettings settings;
  const float* learning_rates;
  const std::int32_t* step;
  float* velocity;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const StepChunk chunk(targets, block);
    const float* __restrict__ g = chunk.gradient;
    float* __restrict__ p = chunk.parameters;
    float* __restrict__ v = velocity + (kMomentum ? chunk.state : 0);
    const float rate = learning_rates[*step], momentum = settings.momentum, decay = settings.weight_decay;
    const bool first = kMomentum && targets.taken != nullptr && targets.taken[chunk.target] == 1;
    const float share = first ? 1.0f : 1.0f - settings.dampening;
    for (std::int64_t i = chunk.begin + team.rank(); i < chunk.end; i += team.size()) {
      float d = g[i] * chunk.scale + decay * p[i];
      if (kMomentum) {
        v[i] = momentum * v[i] + share * d;
        d = kNesterov ? d + momentum * v[i] : v[i];
      }
      p[i] -= rate * d;
    }
  }
};

struct AdamStep {
  StepTargets targets;
  AdamSettings settings;
  const float* learning_rates;
  const std::int32_t* step;
  float* first;
  float* second;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const StepChunk chunk(targets, block);
    const float* __restrict__ g = chunk.gradient;
    float* __restrict__ p = chunk.parameters;
    float* __restrict__ m = first + chunk.state;
    float* __restrict__ v = second + chunk.state;
    const double rate = static_cast<double>(learning_rates[*step]);
    const double t = static_cast<double>(targets.taken[chunk.target]);
    const auto step_size = static_cast<float>(rate / (1.0 - std::pow(settings.beta1, t)));
    const auto root = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(settings.beta2, t)));
    const auto keep1 = static_cast<float>(settings.beta1), take1 = static_cast<float>(1.0 - settings.beta1);
    const auto keep2 = static_cast<float>(settings.beta2), take2 = static_cast<float>(1.0 - settings.beta2);
    const auto eps = static_cast<float>(settings.eps);
    const float decay = settings.decoupled ? 0.0f : static_cast<float>(settings.weight_decay);
    const float shrink = settings.decoupled ? static_cast<float>(1.0 - rate * settings.weight_decay) : 1.0f;
    for (std::int64_t i = chunk.begin + team.rank(); i < chunk.end; i += team.size()) {
      const float d = g[i] * chunk.scale + decay * p[i];
      m[i] = keep1 * m[i] + take1 * d;
      v[i] = keep2 * v[i] + take2 * (d * d);
      p[i] = shrink * p[i] - step_size * (m[i] / (std::sqrt(v[i]) * root + eps));
    }
  }
};

struct CountSteps {
  StepTargets targets;
  PSL_HD void operator()(std::int64_t row) const { targets.taken[targets.target(row)] += 1; }
};

/// Sum of squares of a chunk of a row.
struct PartialNorms {
  std::int64_t size, chunks;
  const float* gradients;
  double* partials;  ///< [rows, chunks]

  struct Square {
    const float* g;
    PSL_HD double operator()(std::int64_t i) const { return static_cast<double>(g[i]) * static_cast<double>(g[i]); }
  };
  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const std::int64_t row = block / chunks, begin = (block - row * chunks) * kNormChunk;
    const std::int64_t n = begin + kNormChunk < size ? kNormChunk : size - begin;
    const double sum = team.reduce(n, 0.0, Square{gradients + row * size + begin}, Plus{});
    if (team.rank() == 0) partials[block] = sum;
  }
};
struct ClipScales {
  std::int64_t chunks;
  float max_norm;
  const double* partials;
  float* scale;

  struct Load {
    const double* values;
    PSL_HD double operator()(std::int64_t i) const { return values[i]; }
  };
  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t row) const {
    const double norm = std::sqrt(team.reduce(chunks, 0.0, Load{partials + row * chunks}, Plus{}));
    const double factor = static_cast<double>(max_norm) / (norm + 1e-6);
    // A NaN norm stays one, as in PyTorch: a diverged gradient must show.
    if (team.rank() == 0) scale[row] = factor > 1.0 ? 1.0f : static_cast<float>(factor);
  }
};
}  // namespace detail

template <class Context>
void count_steps(Context& ctx, const StepTargets& targets) {
  for_each_index(ctx, Extent{targets.max, targets.count, 1}, detail::CountSteps{targets});
}

template <class Context>
void sgd_step(Context& ctx, const StepTargets& targets, const SgdSettings& settings, const float* learning_rates,
              const std::int32_t* step, View<float> velocity) {
  const Extent extent{targets.max, targets.count, detail::chunks_of(targets.size, detail::kStepChunk)};
  const auto run = [&](auto functor) {
    functor = {targets, settings, learning_rates, step, velocity.data()};
    for_each_block(ctx, extent, functor);
  };
  if (settings.momentum == 0.0f) {
    run(detail::SgdStep<false, false>{});
  } else if (settings.nesterov) {
    run(detail::SgdStep<true, true>{});
  } else {
    run(detail::SgdStep<true, false>{});
  }
}

template <class Context>
void adam_step(Context& ctx, const StepTargets& targets, const AdamSettings& settings, const float* learning_rates,
               const std::int32_t* step, View<float> first, View<float> second) {
  for_each_block(ctx, Extent{targets.max, targets.count, detail::chunks_of(targets.size, detail::kStepChunk)},
                 detail::AdamStep{targets, settings, learning_rates, step, first.data(), second.data()});
}

template <class Context>
void clip_scales(Context& ctx, const std::int32_t* count, std::int32_t max_rows, std::int64_t parameters,
                 float max_norm, View<const float> gradients, View<double> partials, View<float> scale) {
  const std::int64_t chunks = detail::chunks_of(parameters, kNormChunk);
  for_each_block(ctx, Extent{max_rows, count, chunks},
                 detail::PartialNorms{parameters, chunks, gradients.data(), partials.data()});
  for_each_block(ctx, Extent{max_rows, count, 1}, detail::ClipScales{chunks, max_norm, partials.data(), scale.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                   \
  template void count_steps(C&, const StepTargets&);                                                       \
  template void sgd_step(C&, const StepTargets&, const SgdSettings&, const float*, const std::int32_t*,    \
      View<float>);                                                                                        \
  template void adam_step(C&, const StepTargets&, const AdamSettings&, const float*, const std::int32_t*,  \
      View<float>, View<float>);                                                                           \
  template void clip_scales(C&, const std::int32_t*, std::int32_t, std::int64_t, float, View<const float>, \
      View<double>, View<float>);
