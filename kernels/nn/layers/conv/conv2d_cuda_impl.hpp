// Convolution by im2col and batched products, in chunks of slots that bound the workspace. Included by conv2d_cuda.cu,
// and by a test that runs the same code on the CPU.
#pragma once

#include <algorithm>

#include "kernels/nn/layers/conv/conv2d.hpp"
#include "kernels/nn/support/batched.hpp"
#include "kernels/nn/support/scratch.hpp"

namespace splitsim {

namespace detail {

/// The slots one set of launches works on.
struct ConvChunk {
  ReplicaMap map;
  ConvShape shape;
  std::int32_t first_slot, count;
};

struct ImageToPatches {
  ConvChunk chunk;
  const float* x;  ///< of the chunk's first slot
  float* patches;

  PSL_HD void operator()(std::int64_t i) const {
    const ConvShape& s = chunk.shape;
    const std::int64_t out_width = s.out_width(), pixels = out_width * s.out_height(), taps = s.taps();
    const std::int64_t row = i / pixels, pixel = i - row * pixels;
    const std::int64_t slot = row / taps;
    if (chunk.first_slot + slot >= *chunk.map.slots) return;
    const auto tap = static_cast<std::int32_t>(row - slot * taps);
    const std::int32_t c = tap / s.kernel.area(), within = tap - c * s.kernel.area();
    const auto oy = static_cast<std::int32_t>(pixel / out_width), ox = static_cast<std::int32_t>(pixel % out_width);
    const std::int32_t y = oy * s.stride.height + within / s.kernel.width - s.padding.height;
    const std::int32_t column = ox * s.stride.width + within % s.kernel.width - s.padding.width;
    const bool inside = y >= 0 && y < s.in_height && column >= 0 && column < s.in_width;
    patches[i] = inside ? x[slot * s.in_size() + (std::int64_t{c} * s.in_height + y) * s.in_width + column] : 0.0f;
  }
};

struct PatchesToImage {
  ConvChunk chunk;
  const float* patches;
  float* dx;  ///< of the chunk's first slot

  PSL_HD void operator()(std::int64_t i) const {
    const ConvShape& s = chunk.shape;
    const std::int64_t slot = i / s.in_size();
    if (chunk.first_slot + slot >= *chunk.map.slots) return;
    const auto at = static_cast<std::int32_t>(i - slot * s.in_size());
    const std::int32_t plane = s.in_height * s.in_width;
    const std::int32_t c = at / plane, y = (at - c * plane) / s.in_width, column = at % s.in_width;
    const std::int32_t out_height = s.out_height(), out_width = s.out_width();
    const std::int64_t pixels = std::int64_t{out_height} * out_width;
    const float* rows = patches + (slot * s.taps() + std::int64_t{c} * s.kernel.area()) * pixels;
    float sum = 0.0f;
    for (std::int32_t i_row = 0; i_row < s.kernel.height; ++i_row) {
      const std::int32_t from_y = y + s.padding.height - i_row, oy = from_y / s.stride.height;
      if (from_y < 0 || oy * s.stride.height != from_y || oy >= out_height) continue;
      for (std::int32_t j = 0; j < s.kernel.width; ++j) {
        const std::int32_t from_x = column + s.padding.width - j, ox = from_x / s.stride.width;
        if (from_x < 0 || ox * s.stride.width != from_x || ox >= out_width) continue;
        sum += rows[(i_row * s.kernel.width + j) * pixels + oy * out_width + ox];
      }
    }
    dx[i] = sum;
  }
};

/// Sums the slots' weight gradients to their ranks' in two passes of fixed order: first within blocks of kBlock slots,
/// into the block's first slot (of the rank); then those, into the rank's gradient.
struct SumWeightGradients {
  static constexpr std::int32_t kBlock = 16;
  ConvChunk chunk;
  bool within_blocks;
  float* partials;  ///< [count, weights]
  Grouped dweight;

  PSL_HD void operator()(std::int64_t i) const {
    const std::int64_t weights = chunk.shape.weights();
    const auto entry = static_cast<std::int32_t>(i / weights);
    const std::int64_t w = i - entry * weights;
    const std::int32_t slot = chunk.first_slot + entry;
    if (slot >= *chunk.map.slots) return;
    const std::int32_t rank = chunk.map.rank[slot];
    const bool starts_rank = chunk.map.first[rank] == slot;
    const bool starts_here = starts_rank || entry == 0 || (within_blocks && entry % kBlock == 0);
    if (!starts_here) return;
    std::int32_t end = chunk.map.first[rank + 1] - chunk.first_slot;
    if (end > chunk.count) end = chunk.count;
    const std::int32_t next_block = (entry / kBlock + 1) * kBlock;
    if (within_blocks && end > next_block) end = next_block;
    float sum = partials[i];
    for (std::int32_t e = within_blocks ? entry + 1 : next_block; e < end; e += within_blocks ? 1 : kBlock) {
      sum += partials[e * weights + w];
    }
    if (within_blocks) {
      partials[i] = sum;
    } else {
      float* out = dweight.at(rank) + w;
      *out = starts_rank ? sum : *out + sum;  // chunks are in slot order: an earlier one has begun this rank
    }
  }
};

/// out[slot, c] = sum of plane c of dy[slot]. A block is one (slot, c).
struct SumPlanes {
  std::int64_t pixels;
  const float* dy;
  float* out;
  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const float sum = team_sum(team, dy + block * pixels, pixels);
    if (team.rank() == 0) out[block] = sum;
  }
};

struct BatchedConvWorkspace {
  Scratch scratch;
  std::int32_t chunk;  ///< slots
  PointerTable table;
  float* patches;     ///< [chunk, taps, pixels]
  float* partials;    ///< [chunk, weights]
  float* plane_sums;  ///< [S, out_channels]

  BatchedConvWorkspace(const ConvShape& shape, std::int32_t max_slots, Scratch base) : scratch(base) {
    constexpr std::int64_t kChunkFloats = std::int64_t{8} << 20;  // 32 MiB: stays in a large GPU's L2 cache
    const std::int64_t pixels = std::int64_t{shape.out_height()} * shape.out_width();
    const std::int64_t per_slot_floats = shape.taps() * pixels + shape.weights();
    const std::int64_t fitting = kChunkFloats / per_slot_floats / SumWeightGradients::kBlock;
    chunk = static_cast<std::int32_t>(
        std::min<std::int64_t>(max_slots, std::max<std::int64_t>(fitting, 1) * SumWeightGradients::kBlock));
    table.a = scratch.take<float*>(std::int64_t{chunk} * shape.groups);
    table.b = scratch.take<float*>(std::int64_t{chunk} * shape.groups);
    table.c = scratch.take<float*>(std::int64_t{chunk} * shape.groups);
    patches = scratch.take<float>(chunk * shape.taps() * pixels);
    partials = scratch.take<float>(chunk * shape.weights());
    plane_sums = scratch.take<float>(std::int64_t{max_slots} * shape.out_channels);
  }
};

/// Floats of a group's part of the weights and of a slot's outputs.
struct GroupSizes {
  std::int64_t weights, outputs;
  explicit GroupSizes(const ConvShape& s) : weights(s.weights() / s.groups), outputs(s.out_size() / s.groups) {}
};

/// A 1x1 convolution needs no patches: the image is the matrix.
inline bool needs_patches(const ConvShape& s) { return !(s.kernel == 1 && s.stride == 1 && s.padding == 0); }

/// The patch matrices of a chunk.
template <class Context>
Operand chunk_patches(Context& ctx, const ConvChunk& chunk, const float* x, float* patches) {
  const ConvShape& s = chunk.shape;
  const std::int64_t pixels = std::int64_t{s.out_height()} * s.out_width();
  if (!needs_patches(s)) return per_slot(x, s.in_size(), s.patch() * pixels);
  const std::int64_t size = s.taps() * pixels;
  for_each_index(ctx, chunk.count * size, ImageToPatches{chunk, x, patches});
  return per_slot(patches, size, s.patch() * pixels);
}

}  // namespace detail

inline std::int64_t batched_conv2d_workspace(const ConvShape& shape, std::int32_t max_slots) {
  return detail::BatchedConvWorkspace(shape, max_slots, Scratch()).scratch.floats();
}

template <class Context>
void batched_conv2d_forward(Context& ctx, const ReplicaMap& map, const ConvShape& shape, View<const float> x,
                            const Parameters& parameters, View<float> workspace, View<float> y) {
  const Grouped weight = parameters.weight, bias = parameters.bias;
  const detail::BatchedConvWorkspace work(shape, map.max_slots, Scratch(workspace.data()));
  const std::int32_t pixels = shape.out_height() * shape.out_width();
  const auto patch = static_cast<std::int32_t>(shape.patch());
  const detail::GroupSizes group(shape);
  const GemmShape product{.m = shape.out_channels / shape.groups,
                          .n = pixels,
                          .k = patch,
                          .lda = patch,
                          .ldb = pixels,
                          .ldc = pixels,
                          .beta = bias.data == nullptr ? 0.0f : 1.0f};
  for (std::int32_t first = 0; first < map.max_slots; first += work.chunk) {
    const detail::ConvChunk chunk{map, shape, first, std::min(work.chunk, map.max_slots - first)};
    float* out = y.data() + first * shape.out_size();
    const Operand patches = detail::chunk_patches(ctx, chunk, x.data() + first * shape.in_size(), work.patches);
    if (bias.data != nullptr) {
      for_each_index(ctx, chunk.count * shape.out_size(),
                     detail::FillBias{map, first, shape.out_channels, pixels, bias, out});
    }
    gemm_per_slot(
        ctx, map, first, chunk.count, product,
        {per_replica(weight, group.weights), patches, per_slot(out, shape.out_size(), group.outputs), shape.groups},
        work.table);
  }
}

template <class Context>
void batched_conv2d_backward(Context& ctx, const ReplicaMap& map, const ConvShape& shape, const Backprop& io,
                             Grouped weight, View<float> workspace, const Parameters& gradients) {
  const View<const float> x = io.x, dy = io.dy;
  const View<float> dx = io.dx;
  const Grouped dweight = gradients.weight, dbias = gradients.bias;
  const detail::BatchedConvWorkspace work(shape, map.max_slots, Scratch(workspace.data()));
  const std::int32_t pixels = shape.out_height() * shape.out_width();
  const auto patch = static_cast<std::int32_t>(shape.patch());
  const detail::GroupSizes group(shape);
  const GemmShape for_weight{.transpose_b = true,
                             .m = shape.out_channels / shape.groups,
                             .n = patch,
                             .k = pixels,
                             .lda = pixels,
                             .ldb = pixels,
                             .ldc = patch};
  const GemmShape for_input{.transpose_a = true,
                            .m = patch,
                            .n = pixels,
                            .k = shape.out_channels / shape.groups,
                            .lda = patch,
                            .ldb = pixels,
                            .ldc = pixels};
  for (std::int32_t first = 0; first < map.max_slots; first += work.chunk) {
    const detail::ConvChunk chunk{map, shape, first, std::min(work.chunk, map.max_slots - first)};
    const Operand out_gradient = per_slot(dy.data() + first * shape.out_size(), shape.out_size(), group.outputs);
    const Operand patches = detail::chunk_patches(ctx, chunk, x.data() + first * shape.in_size(), work.patches);
    gemm_per_slot(ctx, map, first, chunk.count, for_weight,
                  {out_gradient, patches, per_slot(work.partials, shape.weights(), group.weights), shape.groups},
                  work.table);
    for (const bool within_blocks : {true, false}) {
      for_each_index(ctx, chunk.count * shape.weights(),
                     detail::SumWeightGradients{chunk, within_blocks, work.partials, dweight});
    }
    if (dx.empty()) continue;
    float* in_gradient = dx.data() + first * shape.in_size();
    const bool scatter = detail::needs_patches(shape);
    const Operand dpatches = scatter ? patches : per_slot(in_gradient, shape.in_size(), patches.group_stride);
    gemm_per_slot(ctx, map, first, chunk.count, for_input,
                  {per_replica(weight, group.weights), out_gradient, dpatches, shape.groups}, work.table);
    if (scatter) {
      for_each_index(ctx, chunk.count * shape.in_size(), detail::PatchesToImage{chunk, work.patches, in_gradient});
    }
  }
  if (dbias.data == nullptr) return;
  for_each_block(ctx, Extent{map.max_slots, map.slots, shape.out_channels},
                 detail::SumPlanes{pixels, dy.data(), work.plane_sums});
  for_each_block(ctx, Extent{map.max_active, map.active, shape.out_channels},
                 detail::SumRanks{map.first, shape.out_channels, work.plane_sums, dbias});
}

}  // namespace splitsim
