// Bodies of kernels/nn/layers/norm/layer_norm.hpp. A block is a slot.
#pragma once

#include "kernels/nn/layers/norm/layer_norm.hpp"
#include "kernels/nn/layers/norm/norm_rows.hpp"

namespace splitsim {

namespace detail {
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
                 detail::NormRowsForward{{map, 1, static_cast<std::int32_t>(shape.features)},
                                         shape.eps,
                                         x.data(),
                                         parameters,
                                         y.data(),
                                         memory.mean.data(),
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
  for_each_block(
      ctx, layer_slots<Context>(map.valid()),
      detail::NormRowsBackward{
          {map, 1, static_cast<std::int32_t>(shape.features)}, x, dy, gamma, mean, inverse_std, io.dx.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                               \
  template void layer_norm_forward(C&, const ReplicaMap&, const LayerNormShape&, View<const float>, const Parameters&, \
                                   const NormMemory&, View<float>);                                                    \
  template void layer_norm_backward(C&, const ReplicaMap&, const LayerNormShape&, const Backprop&, Grouped,            \
                                    const NormMemory&, const Parameters&);
