// Bodies of kernels/nn/layers/pointwise.hpp, for the two units that define the launchers.
#pragma once

#include "kernels/nn/layers/pointwise.hpp"

namespace splitsim {

namespace detail {
struct ReluForward {
  float* x;
  PSL_HD void operator()(std::int64_t i) const { x[i] = rectify(x[i]); }
};

struct ReluBackward {
  const float* y;
  float* dy;
  PSL_HD void operator()(std::int64_t i) const { dy[i] = rectify_gradient(y[i], dy[i]); }
};

struct ScaleSlots {
  std::int64_t features;
  const float* scale;
  float* x;
  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t slot) const {
    const float factor = scale[slot];
    float* row = x + slot * features;
    for (std::int64_t i = team.rank(); i < features; i += team.size()) row[i] *= factor;
  }
};

struct AddSlots {
  const float* x;
  float* y;
  PSL_HD void operator()(std::int64_t i) const { y[i] += x[i]; }
};
struct AddSlotsRectified {
  const float* x;
  const float* rectified;
  float* y;
  PSL_HD void operator()(std::int64_t i) const { y[i] = rectify_gradient(rectified[i], y[i] + x[i]); }
};
struct SumSlots {
  const float* a;
  const float* b;
  float* y;
  bool relu;
  PSL_HD void operator()(std::int64_t i) const {
    const float sum = a[i] + b[i];
    y[i] = relu ? rectify(sum) : sum;
  }
};
struct CopySlots {
  const float* x;
  float* y;
  PSL_HD void operator()(std::int64_t i) const { y[i] = x[i]; }
};
struct Multiply {
  float factor;
  float* x;
  PSL_HD void operator()(std::int64_t i) const { x[i] *= factor; }
};
}  // namespace detail

template <class Context>
void relu_forward(Context& ctx, Slots slots, std::int64_t features, View<float> x) {
  for_each_index(ctx, layer_slots<Context>(slots, features), detail::ReluForward{x.data()});
}

template <class Context>
void relu_backward(Context& ctx, Slots slots, std::int64_t features, View<const float> y, View<float> dy) {
  for_each_index(ctx, layer_slots<Context>(slots, features), detail::ReluBackward{y.data(), dy.data()});
}

template <class Context>
void scale_slots(Context& ctx, Slots slots, std::int64_t features, View<const float> scale, View<float> x) {
  for_each_block(ctx, layer_slots<Context>(slots), detail::ScaleSlots{features, scale.data(), x.data()});
}

template <class Context>
void add_slots(Context& ctx, Slots slots, std::int64_t features, View<const float> x, View<float> y) {
  for_each_index(ctx, layer_slots<Context>(slots, features), detail::AddSlots{x.data(), y.data()});
}

template <class Context>
void sum_slots(Context& ctx, Slots slots, std::int64_t features, View<const float> a, View<const float> b, bool relu,
               View<float> y) {
  for_each_index(ctx, layer_slots<Context>(slots, features), detail::SumSlots{a.data(), b.data(), y.data(), relu});
}

template <class Context>
void add_slots_rectified(Context& ctx, Slots slots, std::int64_t features, View<const float> x,
                         View<const float> rectified, View<float> y) {
  for_each_index(ctx, layer_slots<Context>(slots, features),
                 detail::AddSlotsRectified{x.data(), rectified.data(), y.data()});
}

template <class Context>
void copy_slots(Context& ctx, Slots slots, std::int64_t features, View<const float> x, View<float> y) {
  for_each_index(ctx, layer_slots<Context>(slots, features), detail::CopySlots{x.data(), y.data()});
}

template <class Context>
void multiply(Context& ctx, Slots slots, std::int64_t features, float factor, View<float> x) {
  for_each_index(ctx, layer_slots<Context>(slots, features), detail::Multiply{factor, x.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                         \
  template void relu_forward(C&, Slots, std::int64_t, View<float>);                                              \
  template void relu_backward(C&, Slots, std::int64_t, View<const float>, View<float>);                          \
  template void scale_slots(C&, Slots, std::int64_t, View<const float>, View<float>);                            \
  template void add_slots(C&, Slots, std::int64_t, View<const float>, View<float>);                              \
  template void sum_slots(C&, Slots, std::int64_t, View<const float>, View<const float>, bool, View<float>);     \
  template void add_slots_rectified(C&, Slots, std::int64_t, View<const float>, View<const float>, View<float>); \
  template void copy_slots(C&, Slots, std::int64_t, View<const float>, View<float>);                             \
  template void multiply(C&, Slots, std::int64_t, float, View<float>);
