// Bodies of kernels/nn/layers/norm/batch_norm.hpp.
#pragma once

#include <algorithm>

#include "kernels/nn/layers/norm/batch_norm.hpp"
#include "kernels/nn/layers/norm/batch_norm_moments.hpp"
#include "kernels/nn/layers/norm/batch_norm_pixels.hpp"
#include "kernels/nn/layers/norm/batch_norm_planes.hpp"
#include "kernels/nn/support/scratch.hpp"

namespace splitsim {

namespace detail {
struct BatchNormScratch {
  Scratch scratch;
  float *plane_a, *plane_b;      ///< [S, channels]
  float *segment_a, *segment_b;  ///< [max segments, channels]
  double* means;                 ///< [max runs of slots, channels]
  BatchNormScratch(const BatchNormShape& shape, std::int32_t max_slots, std::int32_t max_segments, Scratch base)
      : scratch(base) {
    plane_a = scratch.take<float>(std::int64_t{max_slots} * shape.channels);
    plane_b = scratch.take<float>(std::int64_t{max_slots} * shape.channels);
    segment_a = scratch.take<float>(std::int64_t{max_segments} * shape.channels);
    segment_b = scratch.take<float>(std::int64_t{max_segments} * shape.channels);
    means = scratch.take<double>(std::int64_t{std::max(max_slots, max_segments)} * shape.channels);
  }
};

/// How the planes of the slots are cut into blocks, channels first.
struct PlaneBlocks {
  std::int32_t plane, planes, per_slot;
  explicit PlaneBlocks(const BatchNormShape& shape)
      : plane(static_cast<std::int32_t>(shape.plane())),
        planes(planes_per_block(shape.channels, plane)),
        per_slot(shape.channels / planes) {}
};

template <class Context, class Moments>
void normalise(Context& ctx, const ReplicaMap& map, const BatchNormShape& shape, View<const float> x,
               const BatchNormParameters& p, const Moments& moments, View<float> y) {
  if constexpr (!Context::kIsDevice) {
    if (shape.layout == Layout::kChannelsFirst) {
      const PlaneBlocks blocks(shape);
      for_each_block(ctx, layer_slots<Context>(map.valid(), blocks.per_slot),
                     NormalisePlanes<Moments>{blocks.planes, blocks.plane, shape.channels, map.rank, map.replica,
                                              x.data(), p.gamma, p.beta, moments, y.data()});
      return;
    }
  }
  const ColumnBlocks blocks(shape.channels, shape.plane(), 1, map);
  for_each_column_block(ctx, layer_slots<Context>(map.valid(), blocks.per_slot()), blocks.items(),
                        NormaliseColumns<Moments>{blocks, x.data(), p.gamma, p.beta, moments, y.data(), shape.relu});
}
}  // namespace detail

template <class Context>
std::int64_t batch_norm_workspace(Context&, const BatchNormShape& shape, std::int32_t max_slots,
                                  std::int32_t max_segments) {
  return detail::BatchNormScratch(shape, max_slots, max_segments, Scratch()).scratch.floats();
}

template <class Context>
void batch_norm_forward(Context& ctx, const ReplicaMap& map, const Segments& segments, const BatchNormShape& shape,
                        View<const float> x, const BatchNormParameters& parameters, const NormMemory& memory,
                        View<float> y) {
  using namespace detail;
  const BatchNormScratch work(shape, map.max_slots, segments.max, Scratch(memory.workspace.data()));
  bool planes = false;
  if constexpr (!Context::kIsDevice) {
    planes = shape.layout == Layout::kChannelsFirst;
    const PlaneBlocks blocks(shape);
    if (planes) {
      for_each_block(ctx, layer_slots<Context>(map.valid(), blocks.per_slot),
                     PlaneMoments{blocks.planes, blocks.plane, x.data(), work.plane_a, work.plane_b});
    }
  }
  if (!planes) {
    const ColumnBlocks blocks(shape.channels, shape.plane(), 1, map);
    for_each_column_block(ctx, layer_slots<Context>(map.valid(), blocks.per_slot()), blocks.items(),
                          ColumnMoments{blocks, x.data(), work.plane_a, work.plane_b});
  }
  const std::int32_t per_block = channels_per_block(shape.channels), parts = shape.channels / per_block;
  for_each_column_block(ctx, Extent{segments.max, segments.count, parts}, per_block,
                        JoinMoments<SegmentMoments>{shape,
                                                    per_block,
                                                    segments.first,
                                                    work.plane_a,
                                                    work.plane_b,
                                                    work.means,
                                                    {shape, memory.mean.data(), memory.inverse_std.data()}});
  for_each_column_block(ctx, Extent{map.max_active, map.active, parts}, per_block,
                        JoinMoments<UpdateRunning>{shape,
                                                   per_block,
                                                   map.first,
                                                   work.plane_a,
                                                   work.plane_b,
                                                   work.means,
                                                   {shape, map.replica, parameters.running}});
  const SegmentStatistics of{segments.of_slot, shape.channels, memory.mean.data(), memory.inverse_std.data()};
  normalise(ctx, map, shape, x, parameters, of, y);
}

template <class Context>
void batch_norm_backward(Context& ctx, const ReplicaMap& map, const Segments& segments, const BatchNormShape& shape,
                         const Backprop& io, Grouped gamma, const NormMemory& memory, const Parameters& gradients) {
  using namespace detail;
  const float *x = io.x.data(), *dy = io.dy.data();
  const BatchNormScratch work(shape, map.max_slots, segments.max, Scratch(memory.workspace.data()));
  const SegmentStatistics of{segments.of_slot, shape.channels, memory.mean.data(), memory.inverse_std.data()};
  const std::int32_t per_block = channels_per_block(shape.channels);
  const auto segment_sums = [&] {
    if (io.dx.empty()) return;
    for_each_column_block(ctx, Extent{segments.max, segments.count, shape.channels / per_block}, per_block,
                          SegmentGradients{shape, per_block, segments.first, map.rank, map.replica, gamma, work.plane_a,
                                           work.plane_b, work.segment_a, work.segment_b});
  };
  bool planes = false;
  if constexpr (!Context::kIsDevice) {
    planes = shape.layout == Layout::kChannelsFirst;
    const PlaneBlocks blocks(shape);
    const Extent all = layer_slots<Context>(map.valid(), blocks.per_slot);
    if (planes) {
      for_each_block(
          ctx, all, PlaneGradients{blocks.planes, blocks.plane, shape.channels, x, dy, of, work.plane_a, work.plane_b});
      segment_sums();
    }
    if (planes && !io.dx.empty()) {
      for_each_block(ctx, all,
                     InputGradients{blocks.planes, blocks.plane, shape.channels, map.rank, map.replica, x, dy, gamma,
                                    of, work.segment_a, work.segment_b, io.dx.data()});
    }
  }
  if (!planes) {
    const ColumnBlocks blocks(shape.channels, shape.plane(), 1, map);
    const Extent all = layer_slots<Context>(map.valid(), blocks.per_slot());
    for_each_column_block(ctx, all, blocks.items(),
                          ColumnGradients{blocks, x, dy, of, work.plane_a, work.plane_b, io.y.data()});
    segment_sums();
    if (!io.dx.empty()) {
      for_each_column_block(
          ctx, all, blocks.items(),
          ColumnInputGradients{blocks, x, dy, gamma, of, work.segment_a, work.segment_b, io.dx.data(), io.y.data()});
    }
  }
  sum_slot_rows(ctx, map, shape.channels, work.plane_a, work.plane_b, gradients);
}

template <class Context>
void batch_norm_evaluate(Context& ctx, const ReplicaMap& map, const BatchNormShape& shape, View<const float> x,
                         const BatchNormParameters& parameters, View<float> y) {
  detail::normalise(ctx, map, shape, x, parameters, detail::RunningMoments{parameters.running, shape.eps}, y);
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                             \
  template std::int64_t batch_norm_workspace(C&, const BatchNormShape&, std::int32_t, std::int32_t);                 \
  template void batch_norm_forward(C&, const ReplicaMap&, const Segments&, const BatchNormShape&, View<const float>, \
                                   const BatchNormParameters&, const NormMemory&, View<float>);                      \
  template void batch_norm_backward(C&, const ReplicaMap&, const Segments&, const BatchNormShape&, const Backprop&,  \
                                    Grouped, const NormMemory&, const Parameters&);                                  \
  template void batch_norm_evaluate(C&, const ReplicaMap&, const BatchNormShape&, View<const float>,                 \
                                    const BatchNormParameters&, View<float>);
