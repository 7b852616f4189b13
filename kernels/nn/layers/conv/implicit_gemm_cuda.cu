#include <algorithm>
#include <string>

#include "base/error.hpp"
#include "kernels/nn/layers/conv/implicit_gemm.hpp"
#include "kernels/nn/layers/conv/implicit_gemm_weight.cuh"

namespace splitsim {

namespace {

using namespace implicit_gemm;

constexpr std::int64_t kProcessors = 132;  // of an H100; a constant, so that another GPU cuts sums in the same way
constexpr std::int64_t kPartialFloats = std::int64_t{5} << 20;  // 20 MiB: stays in L2
constexpr std::int64_t kPartRows = 256;                         // a part sums at least as many pixels

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

/// Row tiles that a step can have at most: runs of slots each round up, and the empty ones are a run, too.
std::int64_t row_tiles(const ReplicaMap& map, std::int64_t pixels, std::int64_t rows) {
  const std::int64_t all = ceil_div(map.max_slots * pixels, rows);
  return pixels % rows == 0 ? all : all + std::min(map.max_slots, map.max_active + 1) - 1;
}

void launch(CudaContext& ctx, MathPrecision precision, const ImageLaunch& launch, const ImageArgs& args) {
  switch (precision) {
    case MathPrecision::kFp32:
      return launch_image<MathPrecision::kFp32>(ctx, launch, args);
    case MathPrecision::kTf32:
      return launch_image<MathPrecision::kTf32>(ctx, launch, args);
    case MathPrecision::kBf16:
      return launch_image<MathPrecision::kBf16>(ctx, launch, args);
  }
}

/// The largest tile of which there are enough for all processors, else the one that makes most of them.
ImageTile choose(const ReplicaMap& map, std::int64_t pixels, std::int64_t columns, std::int64_t times, bool vector) {
  const auto blocks = [&](ImageTile tile) {
    const TileSize size = size_of(tile);
    return row_tiles(map, pixels, size.rows) * ceil_div(columns, size.columns) * times;
  };
  const std::int64_t run = map.max_slots * pixels / std::max(1, map.max_active);
  if (pixels % 128 != 0 && map.max_active > 1 && run < 64) return ImageTile::kFlat;  // rows of one replica
  if (blocks(ImageTile::kSmall) < kProcessors / 2) return ImageTile::kFlat;
  if (columns <= 32) return ImageTile::kNarrow;
  if (!vector) return ImageTile::kMedium;
  if (columns > 64 && blocks(ImageTile::kLarge) >= kProcessors) return ImageTile::kLarge;
  return blocks(ImageTile::kMedium) >= kProcessors ? ImageTile::kMedium : ImageTile::kSmall;
}

/// Fills in the grid of a launch over `pixels` rows a slot and `columns` of each group.
void launch_rows(CudaContext& ctx, MathPrecision precision, std::int64_t pixels, std::int64_t columns, ImageLaunch how,
                 ImageArgs args) {
  how.tile = choose(args.map, pixels, columns, std::int64_t{how.phases} * how.groups, how.vector);
  const TileSize size = size_of(how.tile);
  args.column_tiles = static_cast<std::int32_t>(ceil_div(columns, size.columns));
  how.blocks = row_tiles(args.map, pixels, size.rows) * args.column_tiles;
  if (how.blocks > 0) launch(ctx, precision, how, args);
}

/// How a weight gradient is cut.
struct WeightPlan {
  WeightTile tile;
  std::int32_t row_tiles, column_tiles, parts;
  std::int64_t partial;  ///< floats

  WeightPlan(const ConvShape& s, std::int32_t max_slots, std::int32_t max_active, bool vector) {
    const std::int64_t outputs = s.out_channels / s.groups, pixels = std::int64_t{s.out_height()} * s.out_width();
    const auto tiles = [&](WeightTile t) {
      return ceil_div(outputs, size_of(t).rows) * ceil_div(s.patch(), size_of(t).columns) * s.groups;
    };
    tile = outputs <= 16 ? WeightTile::kFlat : WeightTile::kMedium;
    if (vector && outputs > 64 && s.patch() > 64 && tiles(WeightTile::kLarge) * max_active >= kProcessors / 8)
      tile = WeightTile::kLarge;
    row_tiles = static_cast<std::int32_t>(ceil_div(outputs, size_of(tile).rows));
    column_tiles = static_cast<std::int32_t>(ceil_div(s.patch(), size_of(tile).columns));
    partial = ceil_div(s.weights() + s.out_channels, 32) * 32;
    std::int64_t blocks = std::int64_t{row_tiles} * column_tiles * s.groups;
    if (is_direct(s)) blocks = ceil_div(s.out_channels, kDirectChannels) * (s.patch() + 1);
    std::int64_t most = std::min<std::int64_t>(max_slots, max_slots * pixels / kPartRows);
    most = std::min(most, kPartialFloats / partial);
    parts = max_active > 1 ? 1
                           : static_cast<std::int32_t>(std::clamp<std::int64_t>(2 * kProcessors / blocks, 1,
                                                                                std::max<std::int64_t>(most, 1)));
  }
};

bool vector_gradient(const ConvShape& s) {
  return s.in_channels / s.groups % 4 == 0 && s.out_channels / s.groups % 4 == 0;
}

}  // namespace

std::int64_t implicit_gemm_workspace(const ConvShape& shape, std::int32_t max_slots, std::int32_t max_active) {
  std::int64_t floats = 0;  // what memory is aligned to decides the tile, and is not known here
  for (const bool vector : {false, vector_gradient(shape)}) {
    const WeightPlan plan(shape, max_slots, max_active, vector);
    if (plan.parts > 1) floats = std::max(floats, plan.parts * plan.partial);
  }
  return floats;
}

void implicit_gemm_forward(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, const ConvMath& math,
                           View<const float> x, const Parameters& parameters, View<float> y) {
  check(map, shape);
  ImageArgs args{map, shape, x.data(), y.data(), parameters, 1, math.relu, false};
  args.wide_stores = shape.out_channels / shape.groups % 4 == 0 && aligned(y.data());
  if (is_direct(shape)) return direct_forward(ctx, args);
  ImageLaunch how{};
  how.vector =
      shape.in_channels / shape.groups % 4 == 0 && aligned(x.data()) && aligned(parameters.weight, map.replicas);
  how.phases = 1, how.groups = shape.groups;
  launch_rows(ctx, math.precision, std::int64_t{shape.out_height()} * shape.out_width(),
              shape.out_channels / shape.groups, how, args);
}

void implicit_gemm_input_gradient(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape,
                                  MathPrecision precision, View<const float> dy, Grouped weight, View<float> dx) {
  check(map, shape);
  ImageArgs args{map, shape, dy.data(), dx.data(), {weight, {}}, 1, false, false};
  args.wide_stores = shape.in_channels / shape.groups % 4 == 0 && aligned(dx.data());
  if (is_direct(shape)) return direct_input_gradient(ctx, args);
  ImageLaunch how{};
  how.gradient = true;
  how.vector = vector_gradient(shape) && aligned(dy.data()) && aligned(weight, map.replicas);
  how.phases = shape.stride.area(), how.groups = shape.groups;
  // Of the largest phase.
  const std::int64_t height = ceil_div(shape.in_height, shape.stride.height);
  const std::int64_t width = ceil_div(shape.in_width, shape.stride.width);
  launch_rows(ctx, precision, height * width, shape.in_channels / shape.groups, how, args);
}

void implicit_gemm_weight_gradient(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape,
                                   MathPrecision precision, const Backprop& io, View<float> workspace,
                                   const Parameters& gradients) {
  check(map, shape);
  const bool vector = vector_gradient(shape) && aligned(io.x.data()) && aligned(io.dy.data());
  const WeightPlan plan(shape, map.max_slots, map.max_active, vector);
  WeightArgs args{};
  args.map = map, args.shape = shape, args.x = io.x.data(), args.dy = io.dy.data(), args.gradients = gradients;
  args.parts = plan.parts, args.partial = plan.partial;
  args.row_tiles = plan.row_tiles, args.column_tiles = plan.column_tiles;
  if (plan.parts > 1) args.partials = workspace.data();
  args.wide_stores =
      shape.patch() % 4 == 0 && (plan.parts > 1 ? aligned(args.partials) : aligned(gradients.weight, map.max_active));
  const std::int64_t units = std::int64_t{map.max_active} * plan.parts;
  const WeightLaunch how{plan.tile, vector, units * plan.row_tiles * plan.column_tiles, shape.groups};
  if (is_direct(shape)) {
    direct_weight_gradient(ctx, args);
  } else if (precision == MathPrecision::kFp32) {
    launch_weight<MathPrecision::kFp32>(ctx, how, args);
  } else if (precision == MathPrecision::kTf32) {
    launch_weight<MathPrecision::kTf32>(ctx, how, args);
  } else {
    launch_weight<MathPrecision::kBf16>(ctx, how, args);
  }
  if (plan.parts > 1) for_each_index(ctx, shape.weights() + shape.out_channels, SumParts{args});
}

}  // namespace splitsim
