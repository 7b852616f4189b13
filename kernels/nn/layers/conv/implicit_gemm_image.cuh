// Forward and input gradient: rows are pixels, columns are channels, the summed index is (tap, channel).
//
//   forward:         y[slot, oy, ox, n]  = sum over (i, j, c) of x[slot, oy sh - ph + i, ox sw - pw + j, c]
//                                          w[n, i, j, c]
//   input gradient:  dx[slot, iy, ix, n] = sum over (i, j, c) of dy[slot, (iy + ph - i) / sh, (ix + pw - j) / sw, c]
//                                          w[c, i, j, n], where the quotients are whole
//
// The input gradient falls into sh sw phases by ((iy + ph) mod sh, (ix + pw) mod sw). A phase's quotients are whole for
// every sh-th, sw-th tap only, and over those it is a convolution of stride 1 that walks backwards: a launch of its own
// grid plane, with its own taps. So both directions gather rows of `source` at from + tap, or from - tap.
#pragma once

#include "kernels/device/launch_cuda.cuh"
#include "kernels/nn/layers/conv/implicit_gemm_tile.cuh"
#include "kernels/nn/support/run_tile.cuh"

namespace splitsim::implicit_gemm {

/// One direction's dimension (height or width) of one phase.
struct Axis {
  int pixels;               ///< of `out` in this phase
  int out, out_step;        ///< where they are: out + i out_step
  int from, from_step;      ///< the first tap's position in `source`: from + i from_step
  int taps, tap, tap_step;  ///< taps of this phase, their indices in the weights: tap + i tap_step
};

__device__ inline Axis forward_axis(int out, int kernel, int stride, int padding) {
  return {out, 0, 1, -padding, stride, kernel, 0, 1};
}
__device__ inline Axis gradient_axis(int in, int kernel, int stride, int padding, int phase) {
  const int lag = (phase - padding) % stride, first = lag < 0 ? lag + stride : lag;
  const int pixels = in > first ? (in - first + stride - 1) / stride : 0;
  const int taps = kernel > phase ? (kernel - phase + stride - 1) / stride : 0;
  return {pixels, first, stride, (first + padding - phase) / stride, 1, taps, phase, stride};
}

/// Rows of pixels, gathered: the deep operand A.
template <class Tile, bool kGradient, int kVector>
struct GatheredRows {
  static constexpr bool kWide = false;
  static constexpr int kFloats = Tile::kRows * kDepth;
  static constexpr int kChunks = kDepth / kVector, kPassRows = Tile::kThreads / kChunks;
  static constexpr int kPasses = Tile::kRows / kPassRows, kSign = kGradient ? -1 : 1;
  static constexpr bool kTable = kPasses > 8;  ///< rows are kept in shared memory instead of registers
  static_assert(Tile::kRows % kPassRows == 0 && kPassRows % 2 == 0);

  struct alignas(8) Row {
    int yx;      ///< the first tap's pixel, 2^16 y + x
    int offset;  ///< its place in `source` from `base`
  };

  __device__ GatheredRows(const ImageArgs& args, const Axis& ay, const Axis& ax, const RunTile& at, int group) {
    const ConvShape& s = args.shape;
    height = kGradient ? s.out_height() : s.in_height;
    width = kGradient ? s.out_width() : s.in_width;
    channels = kGradient ? s.out_channels : s.in_channels;
    depth = channels / s.groups;
    taps_y = ay.taps, taps_x = ax.taps;
    const int pixels = ay.pixels * ax.pixels, first = at.row / pixels, image = height * width * channels;
    base = args.source + std::int64_t{at.slot + first} * image + group * depth;
    const auto place = [&](int r) {
      const int row = at.row + r, slot = row / pixels, pixel = row - slot * pixels;
      const int y = pixel / ax.pixels, x = pixel - y * ax.pixels;
      const int from_y = ay.from + y * ay.from_step, from_x = ax.from + x * ax.from_step;
      return Row{(row < at.rows ? from_y : kOutside) * 65536 + from_x,
                 (slot - first) * image + (from_y * width + from_x) * channels};
    };
    const int k = static_cast<int>(threadIdx.x) % kChunks * kVector;  // the lane's place in the summed index
    row0 = static_cast<int>(threadIdx.x) / kChunks;
    to = deep_at(row0, k);
    if constexpr (kTable) {
      table = reinterpret_cast<Row*>(reinterpret_cast<float*>(shared_memory) + Tile::kStages * kStage);
      for (int r = static_cast<int>(threadIdx.x); r < Tile::kRows; r += Tile::kThreads) table[r] = place(r);
      __syncthreads();
    } else {
#pragma unroll
      for (int i = 0; i < kPasses; ++i) rows[i] = place(row0 + i * kPassRows);
    }
    tap_y = k / depth / taps_x, tap_x = k / depth - tap_y * taps_x, c = k - k / depth * depth;
    step_y = kDepth / depth / taps_x, step_x = kDepth / depth - step_y * taps_x, step_c = kDepth % depth;  // a stage
  }

  // Both coordinates are tested at once: the sum has a sign bit set in either half where the coordinate is negative,
  // and the distance from the last pixel where it is beyond. A borrow from the lower half only comes from a coordinate
  // that is outside itself. Sides are below 2^14, so that kOutside is, whatever is added once or twice.
  __device__ void copies(float* stage) {
    const int tap = tap_y < taps_y ? kSign * (tap_y * 65536 + tap_x) : kOutside * 65536;
    const int last = (height - 1) * 65536 + width - 1 - tap;
    const float* from = base + (kSign * (tap_y * width + tap_x) * channels + c);
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      Row row;
      if constexpr (kTable) {
        row = table[row0 + i * kPassRows];
      } else {
        row = rows[i];
      }
      const bool on = (((row.yx + tap) | (last - row.yx)) & 0x80008000) == 0;
      copy_async<kVector>(stage + to + i * kPassRows * kDepth, from + row.offset, on);
    }
    c += step_c, tap_x += step_x, tap_y += step_y;
    if (c >= depth) c -= depth, ++tap_x;
    if (tap_x >= taps_x) tap_x -= taps_x, ++tap_y;
  }

  static constexpr int kOutside = -(1 << 14);
  static constexpr int kStage = kFloats + (kGradient ? kDepth * Tile::kPitch : kDepth * Tile::kColumns);
  const float* base;
  int height, width, channels, depth, taps_y, taps_x, row0, to;
  int tap_y, tap_x, c, step_y, step_x, step_c;
  Row rows[kTable ? 1 : kPasses];
  Row* table;
};

/// Weights of the forward pass: a column's weights are contiguous. The deep operand B.
template <class Tile, int kVector>
struct WeightRows {
  static constexpr bool kWide = false;
  static constexpr int kFloats = Tile::kColumns * kDepth;
  static constexpr int kChunks = kDepth / kVector, kPassRows = Tile::kThreads / kChunks;
  static constexpr int kPasses = (Tile::kColumns + kPassRows - 1) / kPassRows;

  __device__ WeightRows(const float* weights, int column, int columns, int patch_)
      : patch(patch_), left(columns - column) {
    k = static_cast<int>(threadIdx.x) % kChunks * kVector;
    row0 = static_cast<int>(threadIdx.x) / kChunks;
    from = weights + std::int64_t{column + row0} * patch + k;
    to = deep_at(row0, k);
  }

  __device__ void copies(float* stage) {
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      const int row = row0 + i * kPassRows;
      if (Tile::kColumns % kPassRows != 0 && row >= Tile::kColumns) break;
      const bool on = row < left && k < patch;
      copy_async<kVector>(stage + to + i * kPassRows * kDepth, from + i * kPassRows * patch, on);
    }
    k += kDepth;
    from += kDepth;
  }

  const float* from;
  int patch, left, k, row0, to;
};

/// Weights of the input gradient: of a summed index (tap, output channel) the input channels are contiguous. The wide
/// operand B.
template <class Tile, int kVector>
struct WeightColumns {
  static constexpr bool kWide = true;
  static constexpr int kFloats = kDepth * Tile::kPitch;
  static constexpr int kChunks = Tile::kColumns / kVector, kPassRows = Tile::kThreads / kChunks;
  static constexpr int kPasses = (kDepth + kPassRows - 1) / kPassRows;

  __device__ WeightColumns(const ConvShape& s, const float* weights, const Axis& ay, const Axis& ax, int column) {
    const int inputs = s.in_channels / s.groups;
    outputs = s.out_channels / s.groups;
    patch = static_cast<int>(s.patch());
    taps_y = ay.taps, taps_x = ax.taps;
    row0 = static_cast<int>(threadIdx.x) / kChunks;
    in_tile = static_cast<int>(threadIdx.x) % kChunks * kVector;
    inside = column + in_tile < inputs;
    base = weights + (ay.tap * s.kernel.width + ax.tap) * inputs + column + in_tile;
    per_y = ay.tap_step * s.kernel.width * inputs, per_x = ax.tap_step * inputs;
    tap_y = row0 / outputs / taps_x, tap_x = row0 / outputs - tap_y * taps_x, o = row0 % outputs;
    constexpr int kMoves =
        kPassRows < kDepth ? kPassRows : kDepth;  // passes walk through a stage's rows into the next's
    step_y = kMoves / outputs / taps_x, step_x = kMoves / outputs - step_y * taps_x, step_o = kMoves % outputs;
  }

  __device__ void copies(float* stage) {
    if (outputs % kDepth == 0) {  // a stage is within one tap
      const bool on = inside && tap_y < taps_y;
      const float* from = base + (std::int64_t{o} * patch + tap_y * per_y + tap_x * per_x);
#pragma unroll
      for (int i = 0; i < kPasses; ++i) {
        const int row = row0 + i * kPassRows;
        if (kPassRows <= kDepth || row < kDepth)
          copy_async<kVector>(stage + wide_at<Tile::kPitch>(row, in_tile), from + i * kPassRows * patch, on);
      }
      o += kDepth;
      if (o >= outputs) o -= outputs, ++tap_x;
      if (tap_x >= taps_x) tap_x -= taps_x, ++tap_y;
      return;
    }
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      const int row = row0 + i * kPassRows;
      const float* from = base + (std::int64_t{o} * patch + tap_y * per_y + tap_x * per_x);
      if (kPassRows <= kDepth || row < kDepth)
        copy_async<kVector>(stage + wide_at<Tile::kPitch>(row, in_tile), from, inside && tap_y < taps_y);
      o += step_o, tap_x += step_x, tap_y += step_y;
      if (o >= outputs) o -= outputs, ++tap_x;
      if (tap_x >= taps_x) tap_x -= taps_x, ++tap_y;
    }
  }

  const float* base;
  int outputs, patch, taps_y, taps_x, row0, in_tile, per_y, per_x;
  int tap_y, tap_x, o, step_y, step_x, step_o;
  bool inside;
};

/// Writes the tile: sums, bias and ReLU. `pixels` rows a slot; column: the tile's first of `columns` of the group.
template <class Tile, bool kGradient>
__device__ inline void store_tile(const ImageArgs& args, const WarpTile<Tile>& warp, const Axis& ay, const Axis& ax,
                                  const RunTile& at, int column, int group) {
  const ConvShape& s = args.shape;
  const int height = kGradient ? s.in_height : s.out_height(), width = kGradient ? s.in_width : s.out_width();
  const int channels = kGradient ? s.in_channels : s.out_channels, columns = channels / s.groups;
  const int pixels = ay.pixels * ax.pixels;
  const Grouped& biases = args.parameters.bias;
  const bool has_bias = !kGradient && biases.data != nullptr && at.replica >= 0;
  const float* bias = has_bias ? biases.at(at.replica) + group * columns : nullptr;
#pragma unroll
  for (int m = 0; m < WarpTile<Tile>::kM; ++m) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int row = at.row + warp.template row<false>(m, h);
      if (row >= at.rows) continue;
      std::int64_t pixel = std::int64_t{at.slot} * pixels + row;
      if (ay.out_step != 1 || ax.out_step != 1) {
        const int slot = row / pixels, y = (row - slot * pixels) / ax.pixels, x = row - slot * pixels - y * ax.pixels;
        pixel = (std::int64_t{at.slot + slot} * height + ay.out + y * ay.out_step) * width + ax.out + x * ax.out_step;
      }
      const std::int64_t first = pixel * channels + group * columns;
      float* to = args.out + first;
#pragma unroll
      for (int p = 0; p < WarpTile<Tile>::kN / 2; ++p) {
        const int c = column + warp.column(p);
        float4 v = warp.template four<kGradient>(m, p, h);
        if (has_bias) {
          v.x += c < columns ? bias[c] : 0.0f;
          v.y += c + 1 < columns ? bias[c + 1] : 0.0f;
          v.z += c + 2 < columns ? bias[c + 2] : 0.0f;
          v.w += c + 3 < columns ? bias[c + 3] : 0.0f;
        }
        if (!kGradient && args.relu) v = {rectify(v.x), rectify(v.y), rectify(v.z), rectify(v.w)};
        if (kGradient && args.rectified != nullptr) {
          const float4 x = load_four(args.rectified + first, c, columns, args.wide_stores);
          v = {rectify_gradient(x.x, v.x), rectify_gradient(x.y, v.y), rectify_gradient(x.z, v.z),
               rectify_gradient(x.w, v.w)};
        }
        store_four(to, c, columns, args.wide_stores, v);
      }
    }
  }
}

template <class Tile, Precision kPrecision, bool kGradient, int kVectorA, int kVectorB>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks) image_kernel(const __grid_constant__ ImageArgs args) {
  begin_kernel();
  const ConvShape& s = args.shape;
  const int group = static_cast<int>(blockIdx.z), phase = static_cast<int>(blockIdx.y);
  const int phase_y = phase / s.stride.width, phase_x = phase - phase_y * s.stride.width;
  const Axis ay = kGradient ? gradient_axis(s.in_height, s.kernel.height, s.stride.height, s.padding.height, phase_y)
                            : forward_axis(s.out_height(), s.kernel.height, s.stride.height, s.padding.height);
  const Axis ax = kGradient ? gradient_axis(s.in_width, s.kernel.width, s.stride.width, s.padding.width, phase_x)
                            : forward_axis(s.out_width(), s.kernel.width, s.stride.width, s.padding.width);
  if (ay.pixels * ax.pixels == 0) return;
  const int tile = static_cast<int>(blockIdx.x) / args.column_tiles;
  const int column = (static_cast<int>(blockIdx.x) - tile * args.column_tiles) * Tile::kColumns;
  const RunTile at = find_tile<Tile::kRows>(args.map, tile, ay.pixels * ax.pixels);
  if (at.replica == -2) return;

  WarpTile<Tile> warp(false, kGradient);
  const int depth = (kGradient ? s.out_channels : s.in_channels) / s.groups;
  const int summed = ay.taps * ax.taps * depth;
  if (at.replica >= 0 && summed > 0) {
    const int outputs = s.out_channels / s.groups, patch = static_cast<int>(s.patch());
    const float* weights = args.parameters.weight.at(at.replica) + std::int64_t{group} * outputs * patch;
    GatheredRows<Tile, kGradient, kVectorA> rows(args, ay, ax, at, group);
    const int stages = (summed + kDepth - 1) / kDepth;
    if constexpr (kGradient) {
      WeightColumns<Tile, kVectorB> columns(s, weights, ay, ax, column);
      multiply_stages<Tile, kPrecision>(warp, stages, rows, columns, [] {});
    } else {
      WeightRows<Tile, kVectorB> columns(weights, column, outputs, patch);
      multiply_stages<Tile, kPrecision>(warp, stages, rows, columns, [] {});
    }
  }
  store_tile<Tile, kGradient>(args, warp, ay, ax, at, column, group);
}

}  // namespace splitsim::implicit_gemm
