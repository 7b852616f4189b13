// Bodies of kernels/nn/layers/activations.hpp.
#pragma once

#include "kernels/nn/layers/activations.hpp"

namespace splitsim {

namespace detail {
template <class Activation>
struct Activate {
  float* x;
  PSL_HD void operator()(std::int64_t i) const { x[i] = Activation::value(x[i]); }
};
template <class Activation>
struct ActivateBackward {
  const float* y;
  float* dy;
  PSL_HD void operator()(std::int64_t i) const { dy[i] = Activation::gradient(y[i], dy[i]); }
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

template <class Activation, class Context>
void activate(Context& ctx, Slots slots, std::int64_t features, View<float> x) {
  for_each_index(ctx, layer_slots<Context>(slots, features), detail::Activate<Activation>{x.data()});
}
template <class Activation, class Context>
void activate_backward(Context& ctx, Slots slots, std::int64_t features, View<const float> y, View<float> dy) {
  for_each_index(ctx, layer_slots<Context>(slots, features), detail::ActivateBackward<Activation>{y.data(), dy.data()});
}

template <class Context>
void gelu_forward(Context& ctx, Slots slots, std::int64_t features, View<const float> x, View<float> y) {
  for_each_index(ctx, layer_slots<Context>(slots, features), detail::GeluForward{x.data(), y.data()});
}
template <class Context>
void gelu_backward(Context& ctx, Slots slots, std::int64_t features, const Backprop& io) {
  for_each_index(ctx, layer_slots<Context>(slots, features),
                 detail::GeluBackward{io.x.data(), io.dy.data(), io.dx.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_ACTIVATION_UNIT(A, C)                             \
  template void activate<A>(C&, Slots, std::int64_t, View<float>); \
  template void activate_backward<A>(C&, Slots, std::int64_t, View<const float>, View<float>);
#define SPLITSIM_UNIT(C)                                                               \
  SPLITSIM_ACTIVATIONS(SPLITSIM_ACTIVATION_UNIT, C)                                    \
  template void gelu_forward(C&, Slots, std::int64_t, View<const float>, View<float>); \
  template void gelu_backward(C&, Slots, std::int64_t, const Backprop&);
