// Weight gradient: rows are output channels, columns are (tap, input channel), the summed index is the pixels of a
// rank.
//
//   dw[rank][m, i, j, c] = sum over the rank's (slot, oy, ox) of dy[slot, oy, ox, m]
//                          x[slot, oy sh - ph + i, ox sw - pw + j, c]
//   db[rank][m]          = sum over the rank's (slot, oy, ox) of dy[slot, oy, ox, m]
//
// One block walks through a part of a rank; a second kernel adds the parts' sums in order. With one rank a part is a range
// of slots that depends on bounds alone, with many an equal share of the rank's pixels: other ranks do not matter.
#pragma once

#include "kernels/device/launch_cuda.cuh"
#include "kernels/nn/layers/conv/implicit_gemm_tile.cuh"

namespace splitsim::implicit_gemm {

/// Pixels [first, last) of one part of one rank, counted from the step's first slot; `active`: whether the rank is.
struct Part {
  std::int64_t first, last;
  bool active;
};
__device__ inline Part find_part(const WeightArgs& args, int rank, int part) {
  if (rank >= *args.map.active) return {0, 0, false};
  const std::int64_t pixels = std::int64_t{args.shape.out_height()} * args.shape.out_width();
  const std::int64_t first = args.map.first[rank] * pixels, last = args.map.first[rank + 1] * pixels;
  if (args.parts == 1) return {first, last, true};
  if (args.part > 0) return {max(first, part * args.part), max(first, min(last, (part + 1) * args.part)), true};
  const std::int64_t whole = std::int64_t{args.parts} * kDepth, length = (last - first + whole - 1) / whole * kDepth;
  return {min(last, first + part * length), min(last, first + (part + 1) * length), true};
}

/// dy: output channels of a pixel are contiguous. The wide operand A.
template <class Tile, int kVector>
struct GradientRows {
  static constexpr bool kWide = true;
  static constexpr int kFloats = kDepth * Tile::kRowPitch;
  static constexpr int kChunks = Tile::kRows / kVector, kPassRows = Tile::kThreads / kChunks;
  static constexpr int kPasses = (kDepth + kPassRows - 1) / kPassRows;

  /// dy_: the part's first pixel, the group's first channel; row: the tile's first channel of `outputs` of the group.
  __device__ GradientRows(const float* dy_, int row, int outputs, int channels_, int pixels)
      : channels(channels_), left(pixels) {
    in_tile = static_cast<int>(threadIdx.x) % kChunks * kVector;
    row0 = static_cast<int>(threadIdx.x) / kChunks;
    inside = row + in_tile < outputs;
    from = dy_ + row + in_tile + std::int64_t{row0} * channels;
  }

  __device__ void copies(float* stage) {
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      const int k = row0 + i * kPassRows;
      const bool on = inside && k < left;
      if (kPassRows <= kDepth || k < kDepth)
        copy_async<kVector>(stage + wide_at<Tile::kRowPitch>(k, in_tile), from + i * kPassRows * channels, on);
    }
    left -= kDepth;
    from += std::int64_t{kDepth} * channels;
  }

  const float* from;
  int channels, left, in_tile, row0;
  bool inside;
};

/// x: a lane keeps its tap and channel, and walks through the pixels. The wide operand B.
template <class Tile, int kVector>
struct PatchColumns {
  static constexpr bool kWide = true;
  static constexpr int kFloats = kDepth * Tile::kPitch;
  static constexpr int kChunks = Tile::kColumns / kVector, kPassRows = Tile::kThreads / kChunks;
  static constexpr int kPasses = (kDepth + kPassRows - 1) / kPassRows;
  static constexpr int kMoves = kPassRows < kDepth ? kPassRows : kDepth;

  /// x_: the part's first slot, the group's first channel; first: the part's first pixel in that slot, pixels: how
  /// many; column: the tile's first.
  __device__ PatchColumns(const ConvShape& s, const float* x_, int column, int first, int pixels) : left(pixels) {
    const int inputs = s.in_channels / s.groups;
    in_tile = static_cast<int>(threadIdx.x) % kChunks * kVector;
    row0 = static_cast<int>(threadIdx.x) / kChunks;
    const int patch = static_cast<int>(s.patch()), n = column + in_tile, tap = n / inputs;
    const int tap_y = tap / s.kernel.width, tap_x = tap - tap_y * s.kernel.width;
    height = s.in_height, width = s.in_width, channels = s.in_channels;
    if (n >= patch) left = 0;
    image = std::int64_t{height} * width * channels;
    // The pixel of x that is under the lane's tap, where it wraps around, and how a pass moves it.
    const int out_width = s.out_width(), pixels_out = s.out_height() * out_width;
    row_x = out_width * s.stride.width, column_y = s.out_height() * s.stride.height, next_y = s.stride.height;
    const int at = first + row0, slot = at / pixels_out, pixel = at - slot * pixels_out, out_y = pixel / out_width;
    y = out_y * s.stride.height + tap_y - s.padding.height;
    x = (pixel - out_y * out_width) * s.stride.width + tap_x - s.padding.width;
    end_y = column_y + tap_y - s.padding.height, end_x = row_x + tap_x - s.padding.width;
    const int step_slot = kMoves / pixels_out, step = kMoves - step_slot * pixels_out, rows = step / out_width;
    step_y = rows * s.stride.height, step_x = (step - rows * out_width) * s.stride.width;
    from = x_ + slot * image + n - tap * inputs;
    step_image = step_slot * image;
  }

  __device__ void copies(float* stage) {
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      const int k = row0 + i * kPassRows;
      const bool on = k < left && static_cast<unsigned>(y) < static_cast<unsigned>(height) &&
                      static_cast<unsigned>(x) < static_cast<unsigned>(width);
      if (kPassRows <= kDepth || k < kDepth)
        copy_async<kVector>(stage + wide_at<Tile::kPitch>(k, in_tile), from + (y * width + x) * channels, on);
      x += step_x, y += step_y, from += step_image;
      if (x >= end_x) x -= row_x, y += next_y;
      if (y >= end_y) y -= column_y, from += image;
    }
    left -= kDepth;
  }

  const float* from;
  std::int64_t image, step_image;
  int height, width, channels, left, in_tile, row0;
  int y, x, end_y, end_x, row_x, column_y, next_y, step_y, step_x;
};

template <class Tile, Precision kPrecision, int kVectorA, int kVectorB>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks)
    weight_kernel(const __grid_constant__ WeightArgs args) {
  begin_kernel();
  const ConvShape& s = args.shape;
  const int tiles = args.row_tiles * args.column_tiles, unit = static_cast<int>(blockIdx.x) / tiles;
  const int tile = static_cast<int>(blockIdx.x) - unit * tiles, row_tile = tile / args.column_tiles;
  const int row = row_tile * Tile::kRows, column = (tile - row_tile * args.column_tiles) * Tile::kColumns;
  const int group = static_cast<int>(blockIdx.y), rank = unit / args.parts, part = unit - rank * args.parts;
  const Part range = find_part(args, rank, part);
  if (!range.active) return;

  const int outputs = s.out_channels / s.groups, inputs = s.in_channels / s.groups;
  const int patch = static_cast<int>(s.patch()), out_pixels = s.out_height() * s.out_width();
  const int pixels = static_cast<int>(range.last - range.first);
  WarpTile<Tile> warp(true, true);
  float bias[WarpTile<Tile>::kM][2] = {};
  const bool sums_bias = column == 0 && warp.column0 == 0 && args.gradients.bias.data != nullptr;
  if (pixels > 0) {
    const std::int64_t slot = range.first / out_pixels;
    GradientRows<Tile, kVectorA> a(args.dy + range.first * s.out_channels + group * outputs, row, outputs,
                                   s.out_channels, pixels);
    PatchColumns<Tile, kVectorB> b(s, args.x + slot * s.in_size() + group * inputs, column,
                                   static_cast<int>(range.first - slot * out_pixels), pixels);
    multiply_stages<Tile, kPrecision>(warp, (pixels + kDepth - 1) / kDepth, a, b, [&] {
      if (!sums_bias) return;
#pragma unroll
      for (int m = 0; m < WarpTile<Tile>::kM; ++m) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          bias[m][h] += (warp.a[m][h][0] + warp.a[m][h][1]) + (warp.a[m][h][2] + warp.a[m][h][3]);
        }
      }
    });
  }

  float* weights = args.partials == nullptr ? args.gradients.weight.at(rank) : args.partials + unit * args.partial;
  float* biases = args.partials == nullptr ? args.gradients.bias.at(rank) : weights + s.weights();
#pragma unroll
  for (int m = 0; m < WarpTile<Tile>::kM; ++m) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int r = row + warp.template row<true>(m, h);
      if (sums_bias) {  // the four lanes of a row have every fourth pixel each
        float sum = bias[m][h];
        sum += __shfl_xor_sync(0xffffffffu, sum, 1);
        sum += __shfl_xor_sync(0xffffffffu, sum, 2);
        if (warp.t == 0 && r < outputs) biases[group * outputs + r] = sum;
      }
      if (r >= outputs) continue;
      float* to = weights + std::int64_t{group * outputs + r} * patch;
#pragma unroll
      for (int p = 0; p < WarpTile<Tile>::kN / 2; ++p) {
        store_four(to, column + warp.column(p), patch, args.wide_stores, warp.template four<true>(m, p, h));
      }
    }
  }
}

}  // namespace splitsim::implicit_gemm
