// Normalisation over the channels of each pixel or token, with one gamma and one beta per channel: torch.nn.LayerNorm(C)
// where the channels are the last dimension, as in transformers. Biased variance, eps inside the root. Ring R1.
// Determinism: fixed-order on each backend (any thread count).
#pragma once

#include <cstdint>

#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "kernels/nn/support/layout.hpp"

namespace splitsim {

struct ChannelNormShape {
  PlaneShape planes;
  float eps = 1e-5f;
};

template <class Context>
std::int64_t channel_norm_workspace(Context& ctx, const ChannelNormShape& shape, std::int32_t max_slots);

/// memory: mean and inverse_std: [S, pixels]; the workspace is the backward pass's. gamma, beta: [G][channels]. x, y:
/// [S, size].
template <class Context>
void channel_norm_forward(Context& ctx, const ReplicaMap& map, const ChannelNormShape& shape, View<const float> x,
                          const Parameters& parameters, const NormMemory& memory, View<float> y);

/// gradients: [max_active ranks], overwritten for active ranks; dx may not be dy.
template <class Context>
void channel_norm_backward(Context& ctx, const ReplicaMap& map, const ChannelNormShape& shape, const Backprop& io,
                           Grouped gamma, const NormMemory& memory, const Parameters& gradients);

}  // namespace splitsim
