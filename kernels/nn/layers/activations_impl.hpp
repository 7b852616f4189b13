// Bodies of kernels/nn/layers/activations.hpp.
#pragma once

#include <cmath>

#include "kernels/nn/layers/activations.hpp"

namespace splitsim {

namespace detail {
struct TanhForward {
  float* x;
  PSL_HD void operator()(std::int64_t i) const { x[i] = std::tanh(x[i]); }
};
struct TanhBackward {
  const float* y;
  float* dy;
  PSL_HD void operator()(std::int64_t i) const { dy[i] *= 1.0f - y[i] * y[i]; }
};
struct SigmoidForward {
  float* x;
  PSL_HD void operator()(std::int64_t i) const { x[i] = 1.0f / (1.0f + std::exp(-x[i])); }
};
struct SigmoidBackward {
  const float* y;
  float* dy;
  PSL_HD void operator()(std::int64_t i) const { dy[i] *= y[i] * (1.0f - y[i]); }
};
struct Relu6Forward {
  float* x;
  PSL_HD void operator()(std::int64_t i) const { x[i] = x[i] < 0.0f ? 0.0f : x[i] > 6.0f ? 6.0f : x[i]; }
};
struct Relu6Backward {
  const float* y;
  float* dy;
  PSL_HD void operator()(std::int64_t i) const { dy[i] = y[i] <= 0.0f || y[i] >= 6.0f ? 0.0f : dy[i]; }
};

/// P(X <= x) for a standard normal X. erfc keeps its relative precision where 1 + erf would cancel.
PSL_HD inline float normal_below(float x) { return 0.5f * std::erfc(-0.70710678f * x); }

struct GeluForward {
  const float* x;
  float* y;
  PSL_HD void operator()(std::int64_t i) const { y[i] = x[i] * normal_below(x[i]); }
};
struct GeluBackward {
  const float* x;
  const float* dy;
  float* dx;
  PSL_HD void operator()(std::int64_t i) const {
    const float density = 0.39894228f * std::exp(-0.5f * x[i] * x[i]);
    dx[i] = dy[i] * (normal_below(x[i]) + x[i] * density);
  }
};
}  // namespace detail

template <class Context>
void tanh_forward(Context& ctx, Slots slots, std::int64_t features, View<float> x) {
  for_each_index(ctx, Extent{slots.max, slots.count, features}, detail::TanhForward{x.data()});
}
template <class Context>
void tanh_backward(Context& ctx, Slots slots, std::int64_t features, View<const float> y, View<float> dy) {
  for_each_index(ctx, Extent{slots.max, slots.count, features}, detail::TanhBackward{y.data(), dy.data()});
}

template <class Context>
void sigmoid_forward(Context& ctx, Slots slots, std::int64_t features, View<float> x) {
  for_each_index(ctx, Extent{slots.max, slots.count, features}, detail::SigmoidForward{x.data()});
}
template <class Context>
void sigmoid_backward(Context& ctx, Slots slots, std::int64_t features, View<const float> y, View<float> dy) {
  for_each_index(ctx, Extent{slots.max, slots.count, features}, detail::SigmoidBackward{y.data(), dy.data()});
}

template <class Context>
void relu6_forward(Context& ctx, Slots slots, std::int64_t features, View<float> x) {
  for_each_index(ctx, Extent{slots.max, slots.count, features}, detail::Relu6Forward{x.data()});
}
template <class Context>
void relu6_backward(Context& ctx, Slots slots, std::int64_t features, View<const float> y, View<float> dy) {
  for_each_index(ctx, Extent{slots.max, slots.count, features}, detail::Relu6Backward{y.data(), dy.data()});
}

template <class Context>
void gelu_forward(Context& ctx, Slots slots, std::int64_t features, View<const float> x, View<float> y) {
  for_each_index(ctx, Extent{slots.max, slots.count, features}, detail::GeluForward{x.data(), y.data()});
}
template <class Context>
void gelu_backward(Context& ctx, Slots slots, std::int64_t features, const Backprop& io) {
  for_each_index(ctx, Extent{slots.max, slots.count, features},
                 detail::GeluBackward{io.x.data(), io.dy.data(), io.dx.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                        \
  template void tanh_forward(C&, Slots, std::int64_t, View<float>);                             \
  template void tanh_backward(C&, Slots, std::int64_t, View<const float>, View<float>);         \
  template void sigmoid_forward(C&, Slots, std::int64_t, View<float>);                          \
  template void sigmoid_backward(C&, Slots, std::int64_t, View<const float>, View<float>);      \
  template void relu6_forward(C&, Slots, std::int64_t, View<float>);                            \
  template void relu6_backward(C&, Slots, std::int64_t, View<const float>, View<float>);        \
  template void gelu_forward(C&, Slots, std::int64_t, View<const float>, View<float>);          \
  template void gelu_backward(C&, Slots, std::int64_t, const Backprop&);
