// Smooth and clipped activations over slots. tanh, sigmoid and relu6 work in place and their gradients read the output;
// gelu's reads the input. Ring R1 (single source). Determinism: exact on one backend (the device's exp, tanh and erfc
// differ from the host's). NaN passes through.
#pragma once

#include <cstdint>

#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"

namespace splitsim {

/// x = tanh(x), as torch.nn.Tanh. x: [S, features].
template <class Context>
void tanh_forward(Context& ctx, Slots slots, std::int64_t features, View<float> x);
/// dy *= 1 - y^2, y being the output.
template <class Context>
void tanh_backward(Context& ctx, Slots slots, std::int64_t features, View<const float> y, View<float> dy);

/// x = 1 / (1 + exp(-x)), as torch.nn.Sigmoid.
template <class Context>
void sigmoid_forward(Context& ctx, Slots slots, std::int64_t features, View<float> x);
/// dy *= y (1 - y).
template <class Context>
void sigmoid_backward(Context& ctx, Slots slots, std::int64_t features, View<const float> y, View<float> dy);

/// x = min(max(x, 0), 6), as torch.nn.ReLU6.
template <class Context>
void relu6_forward(Context& ctx, Slots slots, std::int64_t features, View<float> x);
/// dy *= (0 < y < 6).
template <class Context>
void relu6_backward(Context& ctx, Slots slots, std::int64_t features, View<const float> y, View<float> dy);

/// y = x P(X <= x) for a standard normal X, as torch.nn.GELU with approximate = none.
template <class Context>
void gelu_forward(Context& ctx, Slots slots, std::int64_t features, View<const float> x, View<float> y);
/// dx = dy (P(X <= x) + x p(x)).
template <class Context>
void gelu_backward(Context& ctx, Slots slots, std::int64_t features, const Backprop& io);

}  // namespace splitsim
