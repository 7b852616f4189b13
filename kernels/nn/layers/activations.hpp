// Smooth and clipped activations over slots. Those in `activation` work in place and their gradients read the output;
// gelu's reads the input. Ring R1 (single source). Determinism: exact on one backend (the device's exp, tanh and erfc
// differ from the host's). NaN passes through.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/device/macros.hpp"
#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"

namespace splitsim {

/// An activation: its value at x, and the gradient of its input from its output y and the gradient dy of that.
namespace activation {

/// As torch.nn.Tanh.
struct Tanh {
  PSL_HD static float value(float x) { return std::tanh(x); }
  PSL_HD static float gradient(float y, float dy) { return dy * (1.0f - y * y); }
};

/// 1 / (1 + exp(-x)), as torch.nn.Sigmoid.
struct Sigmoid {
  PSL_HD static float value(float x) { return 1.0f / (1.0f + std::exp(-x)); }
  PSL_HD static float gradient(float y, float dy) { return dy * (y * (1.0f - y)); }
};

/// min(max(x, 0), 6), as torch.nn.ReLU6: no gradient at 0 and at 6.
struct Relu6 {
  PSL_HD static float value(float x) { return x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x; }
  PSL_HD static float gradient(float y, float dy) { return y <= 0.0f || y >= 6.0f ? 0.0f : dy; }
};

}  // namespace activation

/// Those that the kernels are made for.
#define SPLITSIM_ACTIVATIONS(X, C) X(activation::Tanh, C) X(activation::Sigmoid, C) X(activation::Relu6, C)

/// x = Activation's value at x. x: [S, features].
template <class Activation, class Context>
void activate(Context& ctx, Slots slots, std::int64_t features, View<float> x);
/// dy = Activation's gradient at the outputs y.
template <class Activation, class Context>
void activate_backward(Context& ctx, Slots slots, std::int64_t features, View<const float> y, View<float> dy);

/// y = x P(X <= x) for a standard normal X, as torch.nn.GELU with approximate = none.
template <class Context>
void gelu_forward(Context& ctx, Slots slots, std::int64_t features, View<const float> x, View<float> y);
/// dx = dy (P(X <= x) + x p(x)).
template <class Context>
void gelu_backward(Context& ctx, Slots slots, std::int64_t features, const Backprop& io);

}  // namespace splitsim
