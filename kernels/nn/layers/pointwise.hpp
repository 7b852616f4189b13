// Element-wise layers over slots. Ring R1 (single source). Determinism: exact.
#pragma once

#include <cstdint>

#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"

namespace splitsim {

/// x = max(x, 0) in place over the valid slots. x: [S, features].
template <class Context>
void relu_forward(Context& ctx, Slots slots, std::int64_t features, View<float> x);

/// dy *= (y > 0) in place, y being relu_forward's output.
template <class Context>
void relu_backward(Context& ctx, Slots slots, std::int64_t features, View<const float> y, View<float> dy);

/// x[s, :] *= scale[s] for the valid slots: the cut-gradient scale c. scale: [S].
template <class Context>
void scale_slots(Context& ctx, Slots slots, std::int64_t features, View<const float> scale, View<float> x);

/// y = a + b over the valid slots, rectified if asked: skip connections. y may be a. a, b, y: [S, features].
template <class Context>
void sum_slots(Context& ctx, Slots slots, std::int64_t features, View<const float> a, View<const float> b, bool relu,
               View<float> y);

/// y += x over the valid slots: gradients of what feeds two layers. x, y: [S, features].
template <class Context>
void add_slots(Context& ctx, Slots slots, std::int64_t features, View<const float> x, View<float> y);

/// As add_slots, then y is made the gradient of what a ReLU was given that gave `rectified`.
template <class Context>
void add_slots_rectified(Context& ctx, Slots slots, std::int64_t features, View<const float> x,
                         View<const float> rectified, View<float> y);

/// y = x over the valid slots.
template <class Context>
void copy_slots(Context& ctx, Slots slots, std::int64_t features, View<const float> x, View<float> y);

/// x *= factor over the valid slots.
template <class Context>
void multiply(Context& ctx, Slots slots, std::int64_t features, float factor, View<float> x);

}  // namespace splitsim
