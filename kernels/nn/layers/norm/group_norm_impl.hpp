// Bodies of kernels/nn/layers/norm/group_norm.hpp.
#pragma once

#include "kernels/nn/layers/norm/group_norm.hpp"
#include "kernels/nn/layers/norm/group_norm_pixels.hpp"
#include "kernels/nn/layers/norm/group_norm_planes.hpp"
#include "kernels/nn/support/planes.hpp"
#include "kernels/nn/support/scratch.hpp"

namespace splitsim {

namespace detail {
/// Two sums of each plane. [S, channels] each.
struct GroupNormScratch {
  Scratch scratch;
  float *a, *b;
  GroupNormScratch(const GroupNormShape& shape, std::int32_t max_slots, Scratch base) : scratch(base) {
    a = scratch.take<float>(std::int64_t{max_slots} * shape.channels);
    b = scratch.take<float>(std::int64_t{max_slots} * shape.channels);
  }
};
}  // namespace detail

template <class Context>
std::int64_t group_norm_workspace(Context&, const GroupNormShape& shape, std::int32_t max_slots, std::int32_t) {
  return detail::GroupNormScratch(shape, max_slots, Scratch()).scratch.floats();
}

template <class Context>
void group_norm_forward(Context& ctx, const ReplicaMap& map, const GroupNormShape& shape, View<const float> x,
                        const Parameters& parameters, const NormMemory& memory, View<float> y) {
  float *mean = memory.mean.data(), *inverse_std = memory.inverse_std.data();
  if constexpr (!Context::kIsDevice) {
    if (shape.layout == Layout::kChannelsFirst) {
      for_each_block(ctx, layer_slots<Context>(map.valid(), shape.groups),
                     detail::GroupNormForward{detail::NormBlocks(shape, map), shape.eps, x.data(), parameters.weight,
                                              parameters.bias, y.data(), mean, inverse_std});
      return;
    }
  }
  const detail::GroupNormScratch work(shape, map.max_slots, Scratch(memory.workspace.data()));
  const detail::NormColumns blocks(shape, map);
  for_each_column_block(ctx, layer_slots<Context>(map.valid(), blocks.per_slot()), blocks.items(),
                        detail::GroupNormForwardPixels{blocks, shape.eps, x.data(), parameters.weight, parameters.bias,
                                                       y.data(), mean, inverse_std, work.a, work.b, shape.relu});
}

template <class Context>
void group_norm_backward(Context& ctx, const ReplicaMap& map, const GroupNormShape& shape, const Backprop& io,
                         Grouped gamma, const NormMemory& memory, const Parameters& gradients) {
  const float *mean = memory.mean.data(), *inverse_std = memory.inverse_std.data();
  const detail::GroupNormScratch work(shape, map.max_slots, Scratch(memory.workspace.data()));
  bool first = false;
  if constexpr (!Context::kIsDevice) {
    first = shape.layout == Layout::kChannelsFirst;
    if (first) {
      for_each_block(ctx, layer_slots<Context>(map.valid(), shape.groups),
                     detail::GroupNormBackward{detail::NormBlocks(shape, map), io.x.data(), io.dy.data(), gamma, mean,
                                               inverse_std, work.a, work.b, io.dx.data()});
    }
  }
  if (!first) {
    const detail::NormColumns blocks(shape, map);
    for_each_column_block(ctx, layer_slots<Context>(map.valid(), blocks.per_slot()), blocks.items(),
                          detail::GroupNormBackwardPixels{blocks, io.x.data(), io.dy.data(), gamma, mean, inverse_std,
                                                          work.a, work.b, io.dx.data(), io.y.data()});
  }
  detail::sum_slot_rows(ctx, map, shape.channels, work.a, work.b, gradients);
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                               \
  template std::int64_t group_norm_workspace(C&, const GroupNormShape&, std::int32_t, std::int32_t);                   \
  template void group_norm_forward(C&, const ReplicaMap&, const GroupNormShape&, View<const float>, const Parameters&, \
                                   const NormMemory&, View<float>);                                                    \
  template void group_norm_backward(C&, const ReplicaMap&, const GroupNormShape&, const Backprop&, Grouped,            \
                                    const NormMemory&, const Parameters&);
