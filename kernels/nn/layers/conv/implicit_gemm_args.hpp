// What the implicit GEMM's host part hands to its kernels, and the shapes of tile that they are made in.
#pragma once

#include <cstdint>

#include "kernels/nn/layers/conv/implicit_gemm.hpp"

namespace splitsim::implicit_gemm {

constexpr std::int64_t kProcessors = 132;  ///< of an H100; a constant, so that another GPU cuts sums in the same way

/// Arguments of the forward pass and of the input gradient.
struct ImageArgs {
  ReplicaMap map;
  ConvShape shape;
  const float* source;  ///< x or dy
  float* out;           ///< y or dx
  Parameters parameters;
  std::int32_t column_tiles;
  bool relu;
  bool wide_stores;        ///< a group's channels of `out` begin at multiples of 16 bytes
  const float* rectified;  ///< x, where the input gradient is to be that of what a ReLU was given, or null
};

/// Arguments of the weight gradient and of the sum over parts.
struct WeightArgs {
  ReplicaMap map;
  ConvShape shape;
  const float *x, *dy;
  Parameters gradients;
  float* partials;       ///< [ranks, parts][partial]: weights, then out_channels; null where there is one part
  std::int64_t partial;  ///< floats from one part's sums to the next's
  std::int32_t parts;    ///< of a rank's pixels
  std::int64_t part;     ///< pixels of one, empty slots' too; 0: each is an equal share of its rank's pixels
  std::int32_t row_tiles, column_tiles;
  bool wide_stores;  ///< an output channel's weights begin at multiples of 16 bytes
};

/// Tiles of rows by columns (kernels/nn/layers/conv/implicit_gemm_launch.cuh).
enum class ImageTile { kLarge, kMedium, kBusy, kSmall, kNarrow, kFlat };
enum class WeightTile { kLarge, kMedium, kSmall, kFlat };
struct TileSize {
  std::int32_t rows, columns;
};
constexpr TileSize size_of(ImageTile tile) {
  switch (tile) {
    case ImageTile::kLarge:
      return {128, 128};
    case ImageTile::kMedium:
    case ImageTile::kBusy:
      return {128, 64};
    case ImageTile::kSmall:
      return {64, 64};
    case ImageTile::kNarrow:
      return {128, 32};
    case ImageTile::kFlat:
      break;
  }
  return {16, 64};
}
constexpr TileSize size_of(WeightTile tile) {
  switch (tile) {
    case WeightTile::kLarge:
      return {128, 128};
    case WeightTile::kMedium:
      return {64, 128};
    case WeightTile::kSmall:
      return {64, 64};
    case WeightTile::kFlat:
      break;
  }
  return {32, 32};
}

/// Which operands are copied four channels at a time: all of their rows begin at multiples of 16 bytes.
struct Vectors {
  bool a, b;
  bool both() const { return a && b; }
};

/// How a launch is made: which kernel, and its grid.
struct ImageLaunch {
  ImageTile tile;
  bool gradient;  ///< of the input
  Vectors vector;
  std::int64_t blocks;  ///< row tiles * column tiles; per phase and group
  std::int32_t phases, groups;
};
struct WeightLaunch {
  WeightTile tile;
  Vectors vector;
  std::int64_t blocks;  ///< ranks * parts * tiles; per group
  std::int32_t groups;
};

/// Made for each precision in a unit of its own.
template <Precision kPrecision>
void launch_image(CudaContext& ctx, const ImageLaunch& launch, const ImageArgs& args);
template <Precision kPrecision>
void launch_weight(CudaContext& ctx, const WeightLaunch& launch, const WeightArgs& args);

/// Where groups are so small that a tile would be mostly empty: plain loops, always in float.
void direct_forward(CudaContext& ctx, const ImageArgs& args);
void direct_input_gradient(CudaContext& ctx, const ImageArgs& args);
void direct_weight_gradient(CudaContext& ctx, const WeightArgs& args);
constexpr std::int32_t kDirectChannels = 32;  ///< output channels of a block of direct_weight_gradient

}  // namespace splitsim::implicit_gemm
