// Bodies of kernels/nn/layers/concat.hpp.
#pragma once

#include "kernels/nn/layers/concat.hpp"
#include "kernels/nn/support/steps.hpp"

namespace splitsim {

namespace detail {
struct ConcatForward {
  PlaneShape both, a_shape, b_shape;
  SplitPlace split;
  const float* a;
  const float* b;
  float* y;
  PSL_HD void operator()(std::int64_t slot, std::int32_t i) const {
    const SplitPlace::Place at = split(i);
    const bool second = at.channel >= a_shape.channels;
    const PlaneShape shape = second ? b_shape : a_shape;
    const std::int32_t channel = second ? at.channel - a_shape.channels : at.channel;
    const Steps steps(shape);
    const float* from = (second ? b : a) + slot * shape.size();
    y[slot * both.size() + i] = from[steps(channel, at.pixel)];
  }
};

struct ConcatBackward {
  PlaneShape both, part;
  std::int32_t offset;  ///< channels before the part
  SplitPlace split;     ///< of the part
  const float* dy;
  float* dx;
  PSL_HD void operator()(std::int64_t slot, std::int32_t i) const {
    const SplitPlace::Place at = split(i);
    const Steps steps(both);
    dx[slot * part.size() + i] = dy[slot * both.size() + steps(at.channel + offset, at.pixel)];
  }
};
}  // namespace detail

template <class Context>
void concat_forward(Context& ctx, Slots slots, const ConcatShape& shape, View<const float> a, View<const float> b,
                    View<float> y) {
  const PlaneShape both = shape.both();
  for_each_cell(ctx, layer_slots<Context>(slots), both.size(),
                detail::ConcatForward{both,
                                      {shape.first, shape.pixels, shape.layout},
                                      {shape.second, shape.pixels, shape.layout},
                                      SplitPlace(both),
                                      a.data(),
                                      b.data(),
                                      y.data()});
}

template <class Context>
void concat_backward(Context& ctx, Slots slots, const ConcatShape& shape, bool second, View<const float> dy,
                     View<float> dx) {
  const PlaneShape part{second ? shape.second : shape.first, shape.pixels, shape.layout};
  for_each_cell(
      ctx, layer_slots<Context>(slots), part.size(),
      detail::ConcatBackward{shape.both(), part, second ? shape.first : 0, SplitPlace(part), dy.data(), dx.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                          \
  template void concat_forward(C&, Slots, const ConcatShape&, View<const float>, View<const float>, View<float>); \
  template void concat_backward(C&, Slots, const ConcatShape&, bool, View<const float>, View<float>);
