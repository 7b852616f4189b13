#include <algorithm>
#include <string>

#include "base/error.hpp"
#include "kernels/device/launch_kernel.cuh"
#include "kernels/nn/layers/conv/few_channels/few_channels.hpp"
#include "kernels/nn/layers/conv/implicit_gemm_args.hpp"
#include "kernels/nn/support/run_tile.cuh"

namespace splitsim {

namespace {

using namespace implicit_gemm;

constexpr std::int64_t kPartialFloats = std::int64_t{8} << 20;  // 32 MiB: stays in L2
constexpr std::int64_t kPartPixels = 128;                       // a part sums at least as many pixels
constexpr std::int64_t kDepthOfStage = 32;                      // pixels that a block sums at a time
constexpr std::int64_t kGroups = 32;                            // lanes that share a float's many parts

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
bool aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }
bool aligned(const Grouped& g, std::int32_t copies) { return aligned(g.data) && (copies <= 1 || g.stride % 4 == 0); }

/// Tiles would be mostly empty.
bool is_direct(const ConvShape& s) {
  return s.groups > 1 && s.in_channels / s.groups < 8 && s.out_channels / s.groups < 8;
}

void check(const ReplicaMap& map, const ConvShape& s) {
  const std::int64_t in = std::int64_t{s.in_height} * s.in_width, out = std::int64_t{s.out_height()} * s.out_width();
  const std::int32_t sides[] = {s.in_height + 2 * s.padding.height, s.in_width + 2 * s.padding.width};
  const bool fits = std::max(in, out) * map.max_slots < (std::int64_t{1} << 31) &&
                    std::max(s.in_size(), s.out_size()) < (std::int64_t{1} << 23) &&
                    s.patch() * s.out_channels < (std::int64_t{1} << 31) && std::max(sides[0], sides[1]) < (1 << 14);
  if (!fits)
    throw InputError("a convolution of " + std::to_string(s.in_size()) + " floats an image is too large for the GPU");
}

void launch(CudaContext& ctx, Precision precision, const ImageLaunch& launch, const ImageArgs& args) {
  switch (precision) {
    case Precision::kFp32:
      return launch_image<Precision::kFp32>(ctx, launch, args);
    case Precision::kTf32:
      return launch_image<Precision::kTf32>(ctx, launch, args);
    case Precision::kBf16:
      return launch_image<Precision::kBf16>(ctx, launch, args);
  }
}

/// Share of the time of `places`, each of which takes one block after another, that blocks of equal length use.
double used(std::int64_t blocks, std::int64_t places = kProcessors) {
  const std::int64_t turns = std::max<std::int64_t>(1, ceil_div(blocks, places));
  return static_cast<double>(blocks) / static_cast<double>(turns * places);
}

/// The tile that keeps most processors busy, weighed with how well it keeps one busy: a larger one loads less.
ImageTile choose(const ReplicaMap& map, std::int64_t pixels, std::int64_t columns, std::int64_t times, bool vector) {
  const auto blocks = [&](ImageTile tile) {
    const TileSize size = size_of(tile);
    const std::int64_t rows = ceil_div(map.max_slots * pixels, size.rows) + map.max_active - 1;
    return rows * ceil_div(columns, size.columns) * times;
  };
  const std::int64_t run = map.max_slots * pixels / std::max(1, map.max_active);
  if (pixels % 128 != 0 && map.max_active > 1 && run < 64) return ImageTile::kFlat;  // few rows of a replica
  if (blocks(ImageTile::kSmall) < kProcessors / 2) return ImageTile::kFlat;
  if (columns <= 32) return ImageTile::kNarrow;
  if (!vector) return ImageTile::kMedium;
  const double medium = 0.9 * used(blocks(ImageTile::kMedium));
  if (columns > 64 && used(blocks(ImageTile::kLarge)) >= medium) return ImageTile::kLarge;
  if (medium < 0.6 * used(blocks(ImageTile::kSmall))) return ImageTile::kSmall;
  return blocks(ImageTile::kMedium) < 2 * kProcessors ? ImageTile::kBusy : ImageTile::kMedium;
}

/// Fills in the grid of a launch over `pixels` rows a slot and `columns` of each group.
void launch_rows(CudaContext& ctx, Precision precision, std::int64_t pixels, std::int64_t columns, ImageLaunch how,
                 ImageArgs args) {
  how.tile = choose(args.map, pixels, columns, std::int64_t{how.phases} * how.groups, how.vector.both());
  const TileSize size = size_of(how.tile);
  args.column_tiles = static_cast<std::int32_t>(ceil_div(columns, size.columns));
  how.blocks = most_run_tiles(args.map, pixels, size.rows) * args.column_tiles;
  if (how.blocks > 0) launch(ctx, precision, how, args);
}

/// How a weight gradient is cut: tiles, and parts of the pixels. Depends on bounds alone.
struct WeightPlan {
  WeightTile tile;
  std::int32_t row_tiles, column_tiles, parts;
  std::int64_t partial;  ///< floats
  std::int64_t part;     ///< pixels

  WeightPlan(const ConvShape& s, std::int32_t max_slots, std::int32_t max_active, bool vector) {
    const std::int64_t outputs = s.out_channels / s.groups, patch = s.patch();
    const std::int64_t pixels = std::int64_t{s.out_height()} * s.out_width() * max_slots;
    const auto tiles = [&](WeightTile t) {
      return ceil_div(outputs, size_of(t).rows) * ceil_div(patch, size_of(t).columns) * s.groups;
    };
    partial = ceil_div(s.weights() + s.out_channels, 32) * 32;
    const std::int64_t in_l2 = kPartialFloats / (partial * max_active);
    if (few_channels::fits(s)) {
      tile = WeightTile::kFlat;
      row_tiles = column_tiles = 1;
      part = 0;
      parts = few_channels::weight_parts(s, max_slots, max_active, in_l2);
      return;
    }
    const std::int64_t most = std::max<std::int64_t>(1, std::min(pixels / max_active / kPartPixels, in_l2));
    if (vector && outputs > 64 && patch > 64) {
      tile = WeightTile::kLarge;
    } else if (vector && outputs > 32 && patch > 64) {
      tile = WeightTile::kMedium;
    } else {
      tile = outputs > 32 && patch > 32 ? WeightTile::kSmall : WeightTile::kFlat;
    }
    if (tiles(tile) * most * max_active < kProcessors) tile = WeightTile::kFlat;
    row_tiles = static_cast<std::int32_t>(ceil_div(outputs, size_of(tile).rows));
    column_tiles = static_cast<std::int32_t>(ceil_div(patch, size_of(tile).columns));
    std::int64_t blocks = tiles(tile);
    if (is_direct(s)) blocks = ceil_div(s.out_channels, kDirectChannels) * (patch + 1);
    // Blocks that a processor holds at a time: they hide each other's waiting.
    const int held = tile == WeightTile::kLarge ? 1 : tile == WeightTile::kMedium ? 2 : 3;
    const std::int64_t places = held * kProcessors;
    if (max_active > 1) {
      constexpr std::int32_t kMostRanks = 65535;  // rows of a grid, in the sum
      part = 0;
      parts = max_active > kMostRanks
                  ? 1
                  : static_cast<std::int32_t>(std::min(most, ceil_div(places, blocks * max_active)));
      return;
    }
    std::int64_t best = 1;
    for (std::int64_t p = 1; p <= most && used(blocks * best, places) < 0.9; ++p) {
      if (used(blocks * p, places) > used(blocks * best, places)) best = p;
    }
    part = ceil_div(ceil_div(pixels, best), kDepthOfStage) * kDepthOfStage;
    parts = static_cast<std::int32_t>(std::max<std::int64_t>(1, ceil_div(pixels, part)));
  }
};

/// gradient = the parts' sums, in order: blockDim.y lanes take every blockDim.y-th part of a float each, and the first
/// adds up what they have.
__global__ void __launch_bounds__(1024) sum_parts_kernel(const __grid_constant__ WeightArgs args) {
  __shared__ float sums[1024];
  begin_kernel();
  const std::int64_t weights = args.shape.weights();
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const auto rank = static_cast<std::int32_t>(blockIdx.y);
  const bool on =
      rank < *args.map.active && i < weights + (args.gradients.bias.data != nullptr ? args.shape.out_channels : 0);
  const float* partials = args.partials + std::int64_t{rank} * args.parts * args.partial;
  const int groups = static_cast<int>(blockDim.y), group = static_cast<int>(threadIdx.y);
  float sum = 0.0f;
  if (on) {
#pragma unroll 4
    for (int p = group; p < args.parts; p += groups) sum += partials[p * args.partial + i];
  }
  if (groups > 1) {
    sums[group * blockDim.x + threadIdx.x] = sum;
    __syncthreads();
    if (group > 0) return;
    for (int g = 1; g < groups; ++g) sum += sums[g * blockDim.x + threadIdx.x];
  }
  if (on) (i < weights ? args.gradients.weight.at(rank) + i : args.gradients.bias.at(rank) + (i - weights))[0] = sum;
}

void sum_parts(CudaContext& ctx, const WeightArgs& args) {
  const bool many = args.parts >= 2 * kGroups;
  const dim3 block = many ? dim3(32, kGroups) : dim3(256, 1);
  const auto blocks = static_cast<unsigned>(ceil_div(args.shape.weights() + args.shape.out_channels, block.x));
  const dim3 grid(blocks, static_cast<unsigned>(args.map.max_active));
  launch_kernel(ctx, "launch of a sum over parts", {grid, block}, sum_parts_kernel, args);
}

/// Whether each of a tensor's groups of channels begins at a multiple of 16 bytes, if the tensor does.
bool fours(std::int32_t channels, std::int32_t groups) { return channels / groups % 4 == 0; }

}  // namespace

std::int64_t implicit_gemm_workspace(const ConvShape& shape, std::int32_t max_slots, std::int32_t max_active) {
  std::int64_t floats = 0;  // what memory is aligned to decides the tile, and is not known here
  for (const bool vector : {false, true}) {
    const WeightPlan plan(shape, max_slots, max_active, vector);
    if (plan.parts > 1) floats = std::max(floats, max_active * plan.parts * plan.partial);
  }
  return floats;
}

void implicit_gemm_forward(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, const ConvMath& math,
                           View<const float> x, const Parameters& parameters, View<float> y) {
  check(map, shape);
  ImageArgs args{map, shape, x.data(), y.data(), parameters, 1, math.relu, false, nullptr};
  args.wide_stores = fours(shape.out_channels, shape.groups) && aligned(y.data());
  if (few_channels::fits(shape)) return few_channels::forward(ctx, args);
  if (is_direct(shape)) return direct_forward(ctx, args);
  ImageLaunch how{};
  const bool vector =
      fours(shape.in_channels, shape.groups) && aligned(x.data()) && aligned(parameters.weight, map.replicas);
  how.vector = {vector, vector};
  how.phases = 1, how.groups = shape.groups;
  launch_rows(ctx, math.precision, std::int64_t{shape.out_height()} * shape.out_width(),
              shape.out_channels / shape.groups, how, args);
}

void implicit_gemm_input_gradient(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, Precision precision,
                                  const Backprop& io, Grouped weight) {
  check(map, shape);
  ImageArgs args{map, shape, io.dy.data(), io.dx.data(), {weight, {}}, 1, false, false, nullptr};
  if (io.rectified) args.rectified = io.x.data();
  args.wide_stores = fours(shape.in_channels, shape.groups) && aligned(io.dx.data()) && aligned(args.rectified);
  if (few_channels::fits(shape)) return few_channels::input_gradient(ctx, args);
  if (is_direct(shape)) return direct_input_gradient(ctx, args);
  ImageLaunch how{};
  how.gradient = true;
  how.vector = {fours(shape.out_channels, shape.groups) && aligned(io.dy.data()),
                fours(shape.in_channels, shape.groups) && aligned(weight, map.replicas)};
  how.phases = shape.stride.area(), how.groups = shape.groups;
  // Of the largest phase.
  const std::int64_t height = ceil_div(shape.in_height, shape.stride.height);
  const std::int64_t width = ceil_div(shape.in_width, shape.stride.width);
  launch_rows(ctx, precision, height * width, shape.in_channels / shape.groups, how, args);
}

void implicit_gemm_weight_gradient(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, Precision precision,
                                   const Backprop& io, View<float> workspace, const Parameters& gradients) {
  check(map, shape);
  const Vectors vector{fours(shape.out_channels, shape.groups) && aligned(io.dy.data()),
                       fours(shape.in_channels, shape.groups) && aligned(io.x.data())};
  const WeightPlan plan(shape, map.max_slots, map.max_active, vector.both());
  WeightArgs args{};
  args.map = map, args.shape = shape, args.x = io.x.data(), args.dy = io.dy.data(), args.gradients = gradients;
  args.parts = plan.parts, args.partial = plan.partial, args.part = plan.part;
  args.row_tiles = plan.row_tiles, args.column_tiles = plan.column_tiles;
  if (plan.parts > 1) args.partials = workspace.data();
  args.wide_stores =
      shape.patch() % 4 == 0 && (plan.parts > 1 ? aligned(args.partials) : aligned(gradients.weight, map.max_active));
  const std::int64_t units = std::int64_t{map.max_active} * plan.parts;
  const WeightLaunch how{plan.tile, vector, units * plan.row_tiles * plan.column_tiles, shape.groups};
  if (few_channels::fits(shape)) {
    few_channels::weight_gradient(ctx, args);
  } else if (is_direct(shape)) {
    direct_weight_gradient(ctx, args);
  } else if (precision == Precision::kFp32) {
    launch_weight<Precision::kFp32>(ctx, how, args);
  } else if (precision == Precision::kTf32) {
    launch_weight<Precision::kTf32>(ctx, how, args);
  } else {
    launch_weight<Precision::kBf16>(ctx, how, args);
  }
  if (plan.parts > 1) sum_parts(ctx, args);
}

}  // namespace splitsim
