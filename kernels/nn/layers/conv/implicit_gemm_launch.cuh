// Tiles and launches of the implicit GEMM, made for one precision per unit.
#pragma once

#include "kernels/nn/layers/conv/implicit_gemm_image.cuh"
#include "kernels/nn/layers/conv/implicit_gemm_weight.cuh"

namespace splitsim::implicit_gemm {

// Rows, columns; of a warp; stages; blocks per SM.
using ImageLarge = Tile<128, 128, 64, 32, 3, 1>;
using ImageMedium = Tile<128, 64, 64, 32, 3, 2>;
using ImageBusy = Tile<128, 64, 32, 32, 3, 1>;  // twice as many warps: for processors with one block each
using ImageSmall = Tile<64, 64, 16, 32, 3, 2>;
using ImageNarrow = Tile<128, 32, 32, 32, 3, 3>;
using ImageFlat = Tile<16, 64, 16, 16, 4, 4>;
using WeightLarge = Tile<128, 128, 64, 32, 3, 1>;
using WeightMedium = Tile<64, 128, 32, 32, 3, 2>;
using WeightSmall = Tile<64, 64, 32, 32, 3, 3>;
using WeightFlat = Tile<32, 32, 16, 16, 4, 4>;

constexpr const char* kLaunch = "launch of an implicit GEMM";

/// Lets a kernel have more shared memory than 48 KiB; once, since it holds for the process.
template <auto kKernel>
void allow_shared(int bytes) {
  static const cudaError_t status = cudaFuncSetAttribute(kKernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  cuda_check(status, "shared memory of an implicit GEMM");
}

template <class T, Precision kPrecision, bool kGradient, int kVectorA, int kVectorB>
void launch_image_tile(CudaContext& ctx, const ImageLaunch& launch, const ImageArgs& args) {
  using Rows = GatheredRows<T, kGradient, kVectorA>;
  constexpr auto kKernel = image_kernel<T, kPrecision, kGradient, kVectorA, kVectorB>;
  constexpr int kBytes = T::kStages * Rows::kStage * static_cast<int>(sizeof(float)) +
                         (Rows::kTable ? T::kRows * static_cast<int>(sizeof(typename Rows::Row)) : 0);
  allow_shared<kKernel>(kBytes);
  const dim3 grid(static_cast<unsigned>(launch.blocks), static_cast<unsigned>(launch.phases),
                  static_cast<unsigned>(launch.groups));
  launch_kernel(ctx, kLaunch, {grid, T::kThreads, kBytes}, kKernel, args);
}

template <Precision kPrecision, bool kGradient, int kVectorA, int kVectorB>
void launch_image_vector(CudaContext& ctx, const ImageLaunch& launch, const ImageArgs& args) {
  constexpr bool kBoth = kVectorA == 4 && kVectorB == 4;
  switch (launch.tile) {
    case ImageTile::kLarge:
      if constexpr (kBoth) return launch_image_tile<ImageLarge, kPrecision, kGradient, 4, 4>(ctx, launch, args);
      break;
    case ImageTile::kBusy:
      if constexpr (kBoth) return launch_image_tile<ImageBusy, kPrecision, kGradient, 4, 4>(ctx, launch, args);
      break;
    case ImageTile::kSmall:
      if constexpr (kBoth) return launch_image_tile<ImageSmall, kPrecision, kGradient, 4, 4>(ctx, launch, args);
      break;
    case ImageTile::kMedium:
      return launch_image_tile<ImageMedium, kPrecision, kGradient, kVectorA, kVectorB>(ctx, launch, args);
    case ImageTile::kNarrow:
      return launch_image_tile<ImageNarrow, kPrecision, kGradient, kVectorA, kVectorB>(ctx, launch, args);
    case ImageTile::kFlat:
      return launch_image_tile<ImageFlat, kPrecision, kGradient, kVectorA, kVectorB>(ctx, launch, args);
  }
  throw BackendError("implicit GEMM: no such tile without vectors");
}

template <Precision kPrecision>
void launch_image(CudaContext& ctx, const ImageLaunch& launch, const ImageArgs& args) {
  const Vectors v = launch.vector;
  if (!launch.gradient) {  // both depend on the channels of x
    if (v.both()) return launch_image_vector<kPrecision, false, 4, 4>(ctx, launch, args);
    return launch_image_vector<kPrecision, false, 1, 1>(ctx, launch, args);
  }
  if (v.both()) return launch_image_vector<kPrecision, true, 4, 4>(ctx, launch, args);
  if (v.a) return launch_image_vector<kPrecision, true, 4, 1>(ctx, launch, args);
  if (v.b) return launch_image_vector<kPrecision, true, 1, 4>(ctx, launch, args);
  launch_image_vector<kPrecision, true, 1, 1>(ctx, launch, args);
}

template <class T, Precision kPrecision, int kVectorA, int kVectorB>
void launch_weight_tile(CudaContext& ctx, const WeightLaunch& launch, const WeightArgs& args) {
  constexpr auto kKernel = weight_kernel<T, kPrecision, kVectorA, kVectorB>;
  constexpr int kBytes = T::kStages * kDepth * (T::kRowPitch + T::kPitch) * static_cast<int>(sizeof(float));
  allow_shared<kKernel>(kBytes);
  const dim3 grid(static_cast<unsigned>(launch.blocks), static_cast<unsigned>(launch.groups));
  launch_kernel(ctx, kLaunch, {grid, T::kThreads, kBytes}, kKernel, args);
}

template <Precision kPrecision, int kVectorA, int kVectorB>
void launch_weight_vector(CudaContext& ctx, const WeightLaunch& launch, const WeightArgs& args) {
  constexpr bool kBoth = kVectorA == 4 && kVectorB == 4;
  switch (launch.tile) {
    case WeightTile::kLarge:
      if constexpr (kBoth) return launch_weight_tile<WeightLarge, kPrecision, 4, 4>(ctx, launch, args);
      break;
    case WeightTile::kMedium:
      if constexpr (kBoth) return launch_weight_tile<WeightMedium, kPrecision, 4, 4>(ctx, launch, args);
      break;
    case WeightTile::kSmall:
      return launch_weight_tile<WeightSmall, kPrecision, kVectorA, kVectorB>(ctx, launch, args);
    case WeightTile::kFlat:
      return launch_weight_tile<WeightFlat, kPrecision, kVectorA, kVectorB>(ctx, launch, args);
  }
  throw BackendError("implicit GEMM: no such tile without vectors");
}

template <Precision kPrecision>
void launch_weight(CudaContext& ctx, const WeightLaunch& launch, const WeightArgs& args) {
  const Vectors v = launch.vector;
  if (v.both()) return launch_weight_vector<kPrecision, 4, 4>(ctx, launch, args);
  if (v.a) return launch_weight_vector<kPrecision, 4, 1>(ctx, launch, args);
  if (v.b) return launch_weight_vector<kPrecision, 1, 4>(ctx, launch, args);
  launch_weight_vector<kPrecision, 1, 1>(ctx, launch, args);
}

}  // namespace splitsim::implicit_gemm
