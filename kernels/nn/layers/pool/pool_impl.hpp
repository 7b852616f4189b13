// Bodies of kernels/nn/layers/pool/pool.hpp.
#pragma once

#include "kernels/nn/layers/pool/pool.hpp"
#include "kernels/nn/layers/pool/pool_pixels.hpp"
#include "kernels/nn/layers/pool/pool_planes.hpp"

namespace splitsim {

template <class Context>
void max_pool_forward(Context& ctx, Slots slots, const PoolShape& shape, View<const float> x, View<float> y,
                      View<std::uint8_t> argmax) {
  if constexpr (!Context::kIsDevice) {
    if (shape.layout == Layout::kChannelsFirst) {
      const std::int32_t planes = detail::pool_planes(shape);
      for_each_block(ctx, layer_slots<Context>(slots, shape.channels / planes),
                     detail::MaxPoolForward{shape, planes, x.data(), y.data(), argmax.data()});
      return;
    }
  }
  const auto run = [&](auto plane) {
    for_each_cell(ctx, layer_slots<Context>(slots), static_cast<std::int32_t>(shape.out_size()),
                  detail::MaxPoolForwardLast<decltype(plane)>{plane, detail::pool_outputs(shape), x.data(), y.data(),
                                                              argmax.data()});
  };
  if (detail::PoolPairs::are(shape)) {
    run(detail::PoolPairs{shape, shape.channels});
  } else {
    run(detail::PoolPlane{shape, shape.channels});
  }
}

template <class Context>
void max_pool_backward(Context& ctx, Slots slots, const PoolShape& shape, const Backprop& io,
                       View<const std::uint8_t> argmax) {
  if constexpr (!Context::kIsDevice) {
    if (shape.layout == Layout::kChannelsFirst) {
      const std::int32_t planes = detail::pool_planes(shape);
      for_each_block(ctx, layer_slots<Context>(slots, shape.channels / planes),
                     detail::MaxPoolBackward{shape, planes, io.dy.data(), argmax.data(), io.dx.data()});
      return;
    }
  }
  const auto run = [&](auto plane) {
    for_each_cell(
        ctx, layer_slots<Context>(slots), static_cast<std::int32_t>(shape.in_size()),
        detail::MaxPoolBackwardLast<decltype(plane)>{plane, detail::pool_inputs(shape), io.dy.data(), argmax.data(),
                                                     io.rectified ? io.x.data() : nullptr, io.dx.data()});
  };
  if (detail::PoolPairs::are(shape)) {
    run(detail::PoolPairs{shape, shape.channels});
  } else {
    run(detail::PoolPlane{shape, shape.channels});
  }
}

template <class Context>
void avg_pool_forward(Context& ctx, Slots slots, const PoolShape& shape, View<const float> x, View<float> y) {
  if constexpr (!Context::kIsDevice) {
    if (shape.layout == Layout::kChannelsFirst) {
      const std::int32_t planes = detail::pool_planes(shape);
      for_each_block(ctx, layer_slots<Context>(slots, shape.channels / planes),
                     detail::AvgPoolForward{shape, planes, x.data(), y.data()});
      return;
    }
  }
  for_each_cell(ctx, layer_slots<Context>(slots), static_cast<std::int32_t>(shape.out_size()),
                detail::AvgPoolForwardLast{{shape, shape.channels}, detail::pool_outputs(shape), x.data(), y.data()});
}

template <class Context>
void avg_pool_backward(Context& ctx, Slots slots, const PoolShape& shape, View<const float> dy, View<float> dx) {
  if constexpr (!Context::kIsDevice) {
    if (shape.layout == Layout::kChannelsFirst) {
      const std::int32_t planes = detail::pool_planes(shape);
      for_each_block(ctx, layer_slots<Context>(slots, shape.channels / planes),
                     detail::AvgPoolBackward{shape, planes, dy.data(), dx.data()});
      return;
    }
  }
  for_each_cell(ctx, layer_slots<Context>(slots), static_cast<std::int32_t>(shape.in_size()),
                detail::AvgPoolBackwardLast{{shape, shape.channels}, detail::pool_inputs(shape), dy.data(), dx.data()});
}

template <class Context>
void global_avg_pool_forward(Context& ctx, Slots slots, const PlaneShape& shape, View<const float> x, View<float> y) {
  if constexpr (!Context::kIsDevice) {
    if (shape.layout == Layout::kChannelsFirst) {
      for_each_block(ctx, layer_slots<Context>(slots, shape.channels),
                     detail::GlobalAvgPoolForward{shape.pixels, x.data(), y.data()});
      return;
    }
  }
  for_each_block(ctx, layer_slots<Context>(slots), detail::GlobalAvgPoolForwardLast{shape, x.data(), y.data()});
}

template <class Context>
void global_avg_pool_backward(Context& ctx, Slots slots, const PlaneShape& shape, View<const float> dy,
                              View<float> dx) {
  if constexpr (!Context::kIsDevice) {
    if (shape.layout == Layout::kChannelsFirst) {
      for_each_index(ctx, layer_slots<Context>(slots, shape.size()),
                     detail::GlobalAvgPoolBackward{shape.pixels, dy.data(), dx.data()});
      return;
    }
  }
  for_each_cell(ctx, layer_slots<Context>(slots), shape.size(),
                detail::GlobalAvgPoolBackwardLast{shape, FastDiv(shape.channels), dy.data(), dx.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                           \
  template void max_pool_forward(C&, Slots, const PoolShape&, View<const float>, View<float>, View<std::uint8_t>); \
  template void max_pool_backward(C&, Slots, const PoolShape&, const Backprop&, View<const std::uint8_t>);         \
  template void avg_pool_forward(C&, Slots, const PoolShape&, View<const float>, View<float>);                     \
  template void avg_pool_backward(C&, Slots, const PoolShape&, View<const float>, View<float>);                    \
  template void global_avg_pool_forward(C&, Slots, const PlaneShape&, View<const float>, View<float>);             \
  template void global_avg_pool_backward(C&, Slots, const PlaneShape&, View<const float>, View<float>);
