// The greatest of each plane, as torch.nn.AdaptiveMaxPool2d(1): over a sequence, max over time. Ring R1. Ties go to the
// first, as in PyTorch, and NaN wins. Determinism: exact.
#pragma once

#include <cstdint>

#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "kernels/nn/support/layout.hpp"

namespace splitsim {

/// x: [S, size]; y, where: [S, channels]; where: its pixel, as a float (exact below 2^24 pixels).
template <class Context>
void global_max_pool_forward(Context& ctx, Slots slots, const PlaneShape& shape, View<const float> x, View<float> y,
                             View<float> where);
/// dx: [S, size], overwritten.
template <class Context>
void global_max_pool_backward(Context& ctx, Slots slots, const PlaneShape& shape, View<const float> dy,
                              View<const float> where, View<float> dx);

}  // namespace splitsim
