// Multi-head self-attention of tokens, as torch.nn.functional.scaled_dot_product_attention without mask or dropout. A
// slot's pixels are its tokens. Projections are the layers around it (1x1 convolutions). Products are fp32 in every
// precision. Ring R1. Determinism: fixed-order on each backend (any thread count).
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"
#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "kernels/nn/support/layout.hpp"

namespace splitsim {

struct AttentionShape {
  std::int32_t channels, heads, tokens;  ///< channels of the output; the input has three times as many
  Layout layout = Layout::kChannelsFirst;
  PSL_HD std::int32_t head_channels() const { return channels / heads; }
  PSL_HD std::int64_t head_weights() const { return std::int64_t{tokens} * tokens; }
};

/// y = softmax(Q K^T / sqrt(head channels)) V in each head, over keys. x: [S, 3 channels, tokens], queries, keys, values,
/// in each the channels of one head after those of the other; y: [S, channels, tokens]; weights: [S, heads, keys,
/// queries], for the backward pass.
template <class Context>
void attention_forward(Context& ctx, Slots slots, const AttentionShape& shape, View<const float> x, View<float> weights,
                       View<float> y);

template <class Context>
std::int64_t attention_workspace(Context& ctx, const AttentionShape& shape, std::int32_t max_slots);

/// io.y: what the forward pass gave; io.dx: [S, 3 channels, tokens], overwritten. weights are the forward pass's, and are
/// overwritten too.
template <class Context>
void attention_backward(Context& ctx, Slots slots, const AttentionShape& shape, const Backprop& io, View<float> weights,
                        View<float> workspace);

}  // namespace splitsim
