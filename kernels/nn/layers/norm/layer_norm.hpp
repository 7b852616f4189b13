// LayerNorm over all features of a sample, each with its own gamma and beta, as torch.nn.LayerNorm([C, H, W]) (of a
// flat vector: over its length). Biased variance, eps inside the root. Ring R1. Determinism: fixed-order on each backend
// (any thread count).
#pragma once

#include <cstdint>

#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"

namespace splitsim {

struct LayerNormShape {
  std::int64_t features;
  float eps = 1e-5f;
};

/// memory: mean and inverse_std: [S]; no workspace. gamma, beta: [G][features]. x, y: [S, features].
template <class Context>
void layer_norm_forward(Context& ctx, const ReplicaMap& map, const LayerNormShape& shape, View<const float> x,
                        const Parameters& parameters, const NormMemory& memory, View<float> y);

/// gradients: [max_active ranks], overwritten for active ranks; dx may not be dy.
template <class Context>
void layer_norm_backward(Context& ctx, const ReplicaMap& map, const LayerNormShape& shape, const Backprop& io,
                         Grouped gamma, const NormMemory& memory, const Parameters& gradients);

}  // namespace splitsim
