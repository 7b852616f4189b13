// Bodies of kernels/nn/layers/norm/layer_norm.hpp. A block is a slot.
#pragma once

#include <cmath>

#include "kernels/nn/layers/norm/layer_norm.hpp"
#include "kernels/nn/support/team_sums.hpp"

namespace splitsim {

namespace detail {
struct LayerNormForward {
  LayerNormShape shape;
  ReplicaMap map;
  const float* x;
  Parameters parameters;
  float* y;
  float* mean;
  float* inverse_std;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t slot) const {
    const std::int64_t n = shape.features;
    const float* in = x + slot * n;
    const float center = team_sum(team, in, n) / static_cast<float>(n);
    const float variance = team_square_deviations(team, in, center, n) / static_cast<float>(n);
    const float scale = 1.0f / std::sqrt(variance + shape.eps);
    if (team.rank() == 0) {
      mean[slot] = center;
      inverse_std[slot] = scale;
    }
    const std::int32_t g = map.replica[map.rank[slot]];
    const float* gamma = parameters.weight.at(g);
    const float* beta = parameters.bias.at(g);
    for (std::int64_t i = team.rank(); i < n; i += team.size()) {
      y[slot * n + i] = (in[i] - center) * scale * gamma[i] + beta[i];
    }
  }
};

// With xhat = (x - mean) scale and h = dy gamma:  dx = scale (h - mean(h) - xhat mean(h xhat)).
struct LayerNormBackward {
  LayerNormShape shape;
  ReplicaMap map;
  const float* x;
  const float* dy;
  Grouped gamma;
  const float* mean;
  const float* inverse_std;
  float* dx;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t slot) const {
    const std::int64_t n = shape.features;
    const float* in = x + slot * n;
    const float* grad = dy + slot * n;
    const float* own = gamma.at(map.replica[map.rank[slot]]);
    const float center = mean[slot], scale = inverse_std[slot];
    float* h = dx + slot * n;
    for (std::int64_t i = team.rank(); i < n; i += team.size()) h[i] = grad[i] * own[i];
    team.sync();
    const float offset = team_sum(team, h, n) / static_cast<float>(n);
    const float slope = scale * scale * team_centered_dot(team, h, in, center, n) / static_cast<float>(n);
    team.sync();
    for (std::int64_t i = team.rank(); i < n; i += team.size()) {
      h[i] = scale * ((h[i] - offset) - (in[i] - center) * slope);
    }
  }
};

/// Index: (rank, feature). Sums over the rank's slots in their order.
struct LayerNormGradients {
  LayerNormShape shape;
  const std::int32_t* first;
  const float* x;
  const float* dy;
  const float* mean;
  const float* inverse_std;
  Parameters gradients;

  PSL_HD void operator()(std::int64_t index) const {
    const std::int64_t rank = index / shape.features, i = index - rank * shape.features;
    float dgamma = 0.0f, dbeta = 0.0f;
    for (std::int64_t slot = first[rank]; slot < first[rank + 1]; ++slot) {
      const std::int64_t at = slot * shape.features + i;
      dgamma += dy[at] * ((x[at] - mean[slot]) * inverse_std[slot]);
      dbeta += dy[at];
    }
    gradients.weight.at(rank)[i] = dgamma;
    gradients.bias.at(rank)[i] = dbeta;
  }
};
}  // namespace detail

template <class Context>
void layer_norm_forward(Context& ctx, const ReplicaMap& map, const LayerNormShape& shape, View<const float> x,
                        const Parameters& parameters, const NormMemory& memory, View<float> y) {
  for_each_block(ctx, layer_slots<Context>(map.valid()),
                 detail::LayerNormForward{shape, map, x.data(), parameters, y.data(), memory.mean.data(),
                                          memory.inverse_std.data()});
}

template <class Context>
void layer_norm_backward(Context& ctx, const ReplicaMap& map, const LayerNormShape& shape, const Backprop& io,
                         Grouped gamma, const NormMemory& memory, const Parameters& gradients) {
  const float *x = io.x.data(), *dy = io.dy.data();
  const float *mean = memory.mean.data(), *inverse_std = memory.inverse_std.data();
  for_each_index(ctx, Extent{map.max_active, map.active, shape.features},
                 detail::LayerNormGradients{shape, map.first, x, dy, mean, inverse_std, gradients});
  if (io.dx.empty()) return;
  for_each_block(ctx, layer_slots<Context>(map.valid()),
                 detail::LayerNormBackward{shape, map, x, dy, gamma, mean, inverse_std, io.dx.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                               \
  template void layer_norm_forward(C&, const ReplicaMap&, const LayerNormShape&, View<const float>, const Parameters&, \
                                   const NormMemory&, View<float>);                                                    \
  template void layer_norm_backward(C&, const ReplicaMap&, const LayerNormShape&, const Backprop&, Grouped,            \
                                    const NormMemory&, const Parameters&);
