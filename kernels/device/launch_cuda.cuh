// for_each_index, for_each_cell and for_each_block for CUDA. Launch shapes depend only on the bounds in Extent.
#pragma once

#include <algorithm>

#include "kernels/device/cuda_impl.cuh"
#include "kernels/device/launch.hpp"
#include "kernels/device/launch_kernel.cuh"
#include "kernels/device/team_cuda.cuh"

namespace splitsim {

namespace detail {
__device__ inline std::int64_t cuda_range(const Extent& extent) {
  std::int64_t outer = extent.outer_max;
  if (extent.outer_count != nullptr && *extent.outer_count < outer) outer = *extent.outer_count;
  return outer * extent.inner;
}

template <class F>
__global__ void index_kernel(Extent extent, F f) {
  begin_kernel();
  const std::int64_t n = cuda_range(extent);
  const std::int64_t stride = std::int64_t{gridDim.x} * blockDim.x;
#pragma unroll 1  // most threads take one turn: a loop that is unrolled first divides to count them
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += stride) f(i);
}

// A row of blocks per row: no index is divided.
template <class F>
__global__ void cell_kernel(Extent rows, std::int32_t columns, F f) {
  begin_kernel();
  const std::int64_t n = cuda_range(rows);
  for (std::int64_t row = blockIdx.y; row < n; row += gridDim.y) {
#pragma unroll 1
    for (std::int32_t column = static_cast<std::int32_t>(blockIdx.x * blockDim.x + threadIdx.x); column < columns;
         column += static_cast<std::int32_t>(gridDim.x * blockDim.x)) {
      f(row, column);
    }
  }
}

template <class Team, class F>
__global__ void block_kernel(Extent extent, F f) {
  __shared__ alignas(16) unsigned char scratch[Team::kScratchBytes];
  begin_kernel();
  const std::int64_t n = cuda_range(extent);
  Team team(scratch);
  for (std::int64_t block = blockIdx.x; block < n; block += gridDim.x) {
    f(team, block);
    __syncthreads();
  }
}

/// Blocks of a grid of `wanted` blocks of `threads`: eight times what the device can hold at once, so that a launch with
/// nothing to do, or a bound far above what there is, costs little. Kernels stride over the rest.
inline unsigned grid(const CudaContext& ctx, std::int64_t wanted, int threads) {
  constexpr int kWaves = 8, kThreadsAtOnce = 2048;
  const std::int64_t most = std::int64_t{ctx.impl().multiprocessors} * kWaves * (kThreadsAtOnce / threads);
  return static_cast<unsigned>(std::min(wanted, most));
}
}  // namespace detail

template <class F>
void for_each_index(CudaContext& ctx, const Extent& extent, const F& f) {
  const std::int64_t n = extent.outer_max * extent.inner;
  if (n <= 0) return;
  constexpr int kThreads = 256;
  const unsigned blocks = detail::grid(ctx, (n + kThreads - 1) / kThreads, kThreads);
  launch_kernel(ctx, "launch of an index kernel", {blocks, kThreads}, detail::index_kernel<F>, extent, f);
}

template <class F>
void for_each_index(CudaContext& ctx, std::int64_t n, const F& f) {
  for_each_index(ctx, Extent{n, nullptr, 1}, f);
}

template <class F>
void for_each_cell(CudaContext& ctx, const Extent& rows, std::int32_t columns, const F& f) {
  const std::int64_t n = rows.outer_max * rows.inner;
  if (n <= 0 || columns <= 0) return;
  const int threads = columns <= 64 ? 64 : 256;
  const auto across = static_cast<unsigned>((columns + threads - 1) / threads);
  constexpr std::int64_t kMostRows = 65535;
  const unsigned down = std::max(1u, detail::grid(ctx, n * across, threads) / across);
  const dim3 blocks(across, static_cast<unsigned>(std::min({n, kMostRows, std::int64_t{down}})));
  launch_kernel(ctx, "launch of a cell kernel", {blocks, dim3(static_cast<unsigned>(threads))}, detail::cell_kernel<F>,
                rows, columns, f);
}

template <class F>
void for_each_block(CudaContext& ctx, const Extent& extent, const F& f) {
  const std::int64_t n = extent.outer_max * extent.inner;
  if (n <= 0) return;
  const unsigned blocks = detail::grid(ctx, n, kLanes);
  launch_kernel(ctx, "launch of a block kernel", {blocks, kLanes}, detail::block_kernel<BlockTeam, F>, extent, f);
}

template <class F>
void for_each_column_block(CudaContext& ctx, const Extent& extent, std::int64_t items, const F& f) {
  constexpr std::int64_t kItemsOfALane = 32;
  if (items < kLanes * kItemsOfALane) return for_each_block(ctx, extent, f);
  const std::int64_t n = extent.outer_max * extent.inner;
  if (n <= 0) return;
  constexpr int kThreads = 4 * kLanes;
  launch_kernel(ctx, "launch of a wide block kernel", {detail::grid(ctx, n, kThreads), kThreads},
                detail::block_kernel<WideTeam, F>, extent, f);
}

template <class F>
void for_each_wide_block(CudaContext& ctx, std::int64_t n, const F& f) {
  if (n <= 0) return;
  constexpr int kThreads = 8 * kLanes;
  launch_kernel(ctx, "launch of the widest blocks", {detail::grid(ctx, n, kThreads), kThreads},
                detail::block_kernel<WidestTeam, F>, Extent{n, nullptr, 1}, f);
}

template <class F>
void for_each_block(CudaContext& ctx, std::int64_t n, const F& f) {
  for_each_block(ctx, Extent{n, nullptr, 1}, f);
}

}  // namespace splitsim
