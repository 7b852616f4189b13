// CPU convolution: im2col of a few slots of one rank into the thread's scratch, then one product on that thread. With
// 32 channels and more, slots on different weights cost no more than slots on the same ones.
#include <algorithm>
#include <cstdint>

#include "kernels/device/context.hpp"
#include "kernels/nn/layers/conv/conv2d.hpp"
#include "kernels/nn/layers/conv/conv2d_last_cpu.hpp"
#include "kernels/nn/layers/conv/im2col_cpu.hpp"
#include "kernels/nn/support/pieces_cpu.hpp"
#include "kernels/nn/support/scratch.hpp"
#include "kernels/nn/support/simd.hpp"
#include "kernels/primitives/gemm_cpu.hpp"

namespace splitsim {

namespace {

constexpr std::int32_t kSlotsPerPiece = 8;  // of a weight gradient

/// Slots whose patches stand side by side in one product: small maps alone would leave sgemm's kernels half empty.
std::int32_t slots_per_product(const ConvShape& shape) {
  constexpr std::int32_t kColumns = 160;
  const std::int32_t pixels = shape.out_height() * shape.out_width();
  return std::clamp((kColumns + pixels - 1) / pixels, 1, kSlotsPerPiece);
}

/// A thread's scratch.
struct ThreadScratch {
  float *padded, *patches, *dpatches;
  float* outputs;  ///< [out_channels, images * pixels]
};

/// One layer's workspace: scratch per thread, and what the weight gradient needs.
struct ConvWorkspace {
  Scratch scratch;
  std::int64_t padded, patches, outputs;  ///< floats of a thread's scratch
  float* threads;
  Piece* pieces;
  float* partials;
  std::int64_t partial;  ///< floats of one partial gradient: weights, then bias

  ConvWorkspace(const CpuContext& ctx, const ConvShape& shape, std::int32_t max_slots, std::int32_t experiments,
                Scratch base)
      : scratch(base) {
    const std::int32_t images = slots_per_product(shape);
    padded = padded_size(shape) * images;
    patches = patches_size(shape, images);
    outputs = (shape.out_size() * images + 15) / 16 * 16;
    partial = (shape.weights() + shape.out_channels + 15) / 16 * 16;
    threads = scratch.take<float>(ctx.threads() * per_thread());
    pieces = scratch.take<Piece>(max_slots);
    partials = scratch.take<float>(max_partials(max_slots, kSlotsPerPiece, experiments) * partial);
  }
  std::int64_t per_thread() const { return padded + 2 * patches + outputs; }
  ThreadScratch of(int thread) const {
    float* base = threads + thread * per_thread();
    return {base, base + padded + kPatchSlack, base + padded + patches + kPatchSlack, base + padded + 2 * patches};
  }
};

/// The patch matrix of `count` images; one image itself where that is the same.
const float* patches_of(const ConvShape& shape, const float* images, std::int32_t count, const ThreadScratch& scratch) {
  if (is_pointwise(shape) && count == 1) return images;
  images_to_patches(shape, images, count, scratch.padded, scratch.patches);
  return scratch.patches;
}

/// f(weights, patches, outputs) for every group of channels: where its part of each begins.
template <class F>
void for_each_group(const ConvShape& shape, std::int32_t columns, const F& f) {
  const std::int64_t outputs = shape.out_channels / shape.groups, patch = shape.patch();
  for (std::int64_t g = 0; g < shape.groups; ++g) f(g * outputs * patch, g * patch * columns, g * outputs * columns);
}

/// Row sums of [rows, length], joined to `sums` or written over them.
void add_row_sums(const float* from, std::int32_t rows, std::int64_t length, bool overwrite, float* sums) {
  for (std::int32_t r = 0; r < rows; ++r, from += length) {
    const float sum = sum_simd(
        length, [=](std::int64_t i) { return load8(from + i); }, [=](std::int64_t i) { return from[i]; });
    sums[r] = overwrite ? sum : sums[r] + sum;
  }
}

/// [rows, count * pixels] from `count` slots' [rows, pixels].
const float* side_by_side(const float* slots, std::int32_t count, std::int32_t rows, std::int64_t pixels, float* to) {
  if (count == 1) return slots;
  float* at = to;
  for (std::int32_t r = 0; r < rows; ++r) {
    for (std::int32_t n = 0; n < count; ++n, at += pixels) std::copy_n(slots + (n * rows + r) * pixels, pixels, at);
  }
  return to;
}

}  // namespace

template <>
std::int64_t conv2d_workspace(CpuContext& ctx, const ConvShape& shape, std::int32_t max_slots, std::int32_t,
                              std::int32_t experiments) {
  return ConvWorkspace(ctx, shape, max_slots, experiments, Scratch()).scratch.floats();
}

template <>
void conv2d_forward(CpuContext& ctx, const ReplicaMap& map, const ConvShape& shape, View<const float> x,
                    const Parameters& parameters, View<float> workspace, View<float> y, bool relu) {
  if (shape.layout == Layout::kChannelsLast) return conv2d_forward_last(ctx, map, shape, x, parameters, y, relu);
  const Grouped weight = parameters.weight, bias = parameters.bias;
  const ConvWorkspace work(ctx, shape, map.max_slots, map.experiments, Scratch(workspace.data()));
  const std::int32_t pixels = shape.out_height() * shape.out_width();
  const auto patch = static_cast<std::int32_t>(shape.patch());
  const std::int64_t multiply_adds = *map.slots * shape.weights() * pixels;
  const std::int32_t piece_count = cut_pieces(map, slots_per_product(shape), true, work.pieces);

  parallel_items(ctx, piece_count, multiply_adds, [&](std::int64_t item, int thread) {
    const Piece piece = work.pieces[item];
    const ThreadScratch scratch = work.of(thread);
    const std::int32_t count = piece.last - piece.first, replica = map.replica[piece.rank], columns = count * pixels;
    const float* patches = patches_of(shape, x.data() + piece.first * shape.in_size(), count, scratch);
    float* out = y.data() + piece.first * shape.out_size();
    const bool has_bias = bias.data != nullptr;
    const auto bias_of = [&](std::int32_t c) { return has_bias ? bias.at(replica)[c] : 0.0f; };
    GemmShape product{
        .m = shape.out_channels / shape.groups, .n = columns, .k = patch, .lda = patch, .ldb = columns, .ldc = columns};
    const auto multiply = [&](float* to) {
      for_each_group(shape, columns, [&](std::int64_t weights, std::int64_t taps, std::int64_t outputs) {
        gemm_on_this_thread(product, weight.at(replica) + weights, patches + taps, to + outputs);
      });
    };
    if (count == 1) {
      product.beta = has_bias ? 1.0f : 0.0f;
      for (std::int32_t c = 0; has_bias && c < shape.out_channels; ++c) {
        std::fill_n(out + std::int64_t{c} * pixels, pixels, bias_of(c));
      }
      multiply(out);
      return;
    }
    multiply(scratch.outputs);
    for (std::int32_t n = 0; n < count; ++n) {
      for (std::int32_t c = 0; c < shape.out_channels; ++c, out += pixels) {
        const float* from = scratch.outputs + c * columns + n * pixels;
        const float offset = bias_of(c);
        for (std::int32_t i = 0; i < pixels; ++i) out[i] = from[i] + offset;
      }
    }
  });
}

template <>
void conv2d_backward(CpuContext& ctx, const ReplicaMap& map, const ConvShape& shape, const Backprop& io, Grouped weight,
                     View<float> workspace, const Parameters& gradients) {
  if (shape.layout == Layout::kChannelsLast) return conv2d_backward_last(ctx, map, shape, io, weight, gradients);
  const View<const float> x = io.x, dy = io.dy;
  const View<float> dx = io.dx;
  const Grouped dweight = gradients.weight, dbias = gradients.bias;
  const ConvWorkspace work(ctx, shape, map.max_slots, map.experiments, Scratch(workspace.data()));
  const std::int32_t pixels = shape.out_height() * shape.out_width(), most = slots_per_product(shape);
  const auto patch = static_cast<std::int32_t>(shape.patch());
  const std::int64_t multiply_adds = *map.slots * shape.weights() * pixels * (dx.empty() ? 1 : 2);
  const std::int32_t piece_count = cut_pieces(map, kSlotsPerPiece, true, work.pieces);

  parallel_items(ctx, piece_count, multiply_adds, [&](std::int64_t item, int thread) {
    const Piece piece = work.pieces[item];
    const ThreadScratch scratch = work.of(thread);
    const float* w = weight.at(map.replica[piece.rank]);
    float* dw = piece.partial < 0 ? dweight.at(piece.rank) : work.partials + piece.partial * work.partial;
    float* db = dw + shape.weights();
    if (piece.partial < 0 && dbias.data != nullptr) db = dbias.at(piece.rank);
    for (std::int32_t first = piece.first; first < piece.last; first += most) {
      const std::int32_t count = std::min(most, piece.last - first), columns = count * pixels;
      const bool overwrite = first == piece.first;
      const float* patches = patches_of(shape, x.data() + first * shape.in_size(), count, scratch);
      const float* out_gradient =
          side_by_side(dy.data() + first * shape.out_size(), count, shape.out_channels, pixels, scratch.outputs);
      for_each_group(shape, columns, [&](std::int64_t weights, std::int64_t taps, std::int64_t outputs) {
        gemm_on_this_thread({.transpose_b = true,
                             .m = shape.out_channels / shape.groups,
                             .n = patch,
                             .k = columns,
                             .lda = columns,
                             .ldb = columns,
                             .ldc = patch,
                             .beta = overwrite ? 0.0f : 1.0f},
                            out_gradient + outputs, patches + taps, dw + weights);
      });
      if (dbias.data != nullptr) add_row_sums(out_gradient, shape.out_channels, columns, overwrite, db);
      if (dx.empty()) continue;
      float* in_gradient = dx.data() + first * shape.in_size();
      const bool direct = is_pointwise(shape) && count == 1;
      float* dpatches = direct ? in_gradient : scratch.dpatches;
      for_each_group(shape, columns, [&](std::int64_t weights, std::int64_t taps, std::int64_t outputs) {
        gemm_on_this_thread({.transpose_a = true,
                             .m = patch,
                             .n = columns,
                             .k = shape.out_channels / shape.groups,
                             .lda = patch,
                             .ldb = columns,
                             .ldc = columns},
                            w + weights, out_gradient + outputs, dpatches + taps);
      });
      if (!direct) patches_to_images(shape, dpatches, count, in_gradient);
    }
  });

  // Partial gradients join their rank's, piece by piece, in blocks of weights.
  constexpr std::int64_t kBlock = 4096;
  const std::int64_t length = shape.weights() + (dbias.data != nullptr ? shape.out_channels : 0);
  const std::int64_t blocks = (length + kBlock - 1) / kBlock;
  const std::int32_t partials = piece_count - *map.active;
  parallel_items(ctx, partials > 0 ? blocks : 0, length * partials, [&](std::int64_t block, int) {
    for (std::int32_t p = 0; p < piece_count; ++p) {
      const Piece piece = work.pieces[p];
      if (piece.partial < 0) continue;
      const float* from = work.partials + piece.partial * work.partial;
      const std::int64_t begin = block * kBlock, end = std::min(begin + kBlock, length);
      const std::int64_t split = std::clamp(shape.weights(), begin, end);
      float* dw = dweight.at(piece.rank);
      for (std::int64_t i = begin; i < split; ++i) dw[i] += from[i];
      for (std::int64_t i = split; i < end; ++i) dbias.at(piece.rank)[i - shape.weights()] += from[i];
    }
  });
}

}  // namespace splitsim
