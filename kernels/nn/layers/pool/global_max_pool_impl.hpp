// Bodies of kernels/nn/layers/pool/global_max_pool.hpp.
#pragma once

#include "kernels/nn/layers/pool/global_max_pool.hpp"
#include "kernels/nn/support/steps.hpp"

namespace splitsim {

namespace detail {
struct GlobalMaxPoolForward {
  PlaneShape shape;
  const float* x;
  float* y;
  float* where;
  PSL_HD void operator()(std::int64_t slot, std::int32_t c) const {
    const Steps steps(shape);
    const float* plane = x + slot * shape.size() + steps(c, 0);
    float best = plane[0];
    std::int32_t at = 0;
    for (std::int32_t p = 1; p < shape.pixels; ++p) {
      const float value = plane[p * steps.pixel];
      const bool take = value > best || value != value;
      best = take ? value : best;
      at = take ? p : at;
    }
    y[slot * shape.channels + c] = best;
    where[slot * shape.channels + c] = static_cast<float>(at);
  }
};

struct GlobalMaxPoolBackward {
  PlaneShape shape;
  SplitPlace split;
  const float* dy;
  const float* where;
  float* dx;
  PSL_HD void operator()(std::int64_t slot, std::int32_t i) const {
    const SplitPlace::Place at = split(i);
    const std::int64_t from = slot * shape.channels + at.channel;
    dx[slot * shape.size() + i] = where[from] == static_cast<float>(at.pixel) ? dy[from] : 0.0f;
  }
};
}  // namespace detail

template <class Context>
void global_max_pool_forward(Context& ctx, Slots slots, const PlaneShape& shape, View<const float> x, View<float> y,
                             View<float> where) {
  for_each_cell(ctx, layer_slots<Context>(slots), shape.channels,
                detail::GlobalMaxPoolForward{shape, x.data(), y.data(), where.data()});
}

template <class Context>
void global_max_pool_backward(Context& ctx, Slots slots, const PlaneShape& shape, View<const float> dy,
                              View<const float> where, View<float> dx) {
  for_each_cell(ctx, layer_slots<Context>(slots), shape.size(),
                detail::GlobalMaxPoolBackward{shape, SplitPlace(shape), dy.data(), where.data(), dx.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                            \
  template void global_max_pool_forward(C&, Slots, const PlaneShape&, View<const float>, View<float>, View<float>); \
  template void global_max_pool_backward(C&, Slots, const PlaneShape&, View<const float>, View<const float>,        \
                                         View<float>);
