// for_each_index, for_each_cell and for_each_block for CUDA. Launch shapes depend only on the bounds in Extent.
#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "kernels/device/cuda_impl.cuh"
#include "kernels/device/launch.hpp"
#include "kernels/device/team.hpp"

namespace splitsim {

/// A CUDA block of kLanes threads. The shared scratch holds one value of up to 16 bytes per lane and a result.
class BlockTeam {
 public:
  static constexpr int kScratchBytes = 16 * (kLanes + 1);

  __device__ BlockTeam(unsigned char* scratch) : scratch_(scratch) {}
  __device__ int rank() const { return static_cast<int>(threadIdx.x); }
  __device__ int size() const { return kLanes; }
  __device__ void sync() { __syncthreads(); }

  template <class T, class Load, class Combine>
  __device__ T reduce(std::int64_t n, T identity, Load load, Combine combine) {
    static_assert(sizeof(T) <= 16, "the team's scratch holds 16 bytes per lane");
    T* lane = reinterpret_cast<T*>(scratch_);
    // Apart from the lanes of any type: a thread may read it while others begin the next reduction.
    T* result = reinterpret_cast<T*>(scratch_ + 16 * kLanes);
    T mine = identity;
    for (std::int64_t i = rank(); i < n; i += kLanes) mine = combine(mine, load(i));
    lane[rank()] = mine;
    __syncthreads();
    // The pairwise tree of SerialTeam: lanes 64 apart, then 32 apart, which one warp does for the four; then within it.
    static_assert(kLanes == 4 * 32);
    if (rank() < 32) {
      T sum = combine(combine(lane[rank()], lane[rank() + 64]), combine(lane[rank() + 32], lane[rank() + 96]));
      for (int half = 16; half > 0; half /= 2) sum = combine(sum, shuffle_down(sum, half));
      if (rank() == 0) *result = sum;
    }
    __syncthreads();
    return *result;
  }

  /// As SerialTeam's, but a lane adds every few rows of its column, and then the lanes of a column join in order.
  template <class T, class Load, class Store>
  __device__ void column_sums(std::int32_t rows, std::int32_t columns, Load load, Store store) {
    static_assert(sizeof(T) <= 16, "the team's scratch holds 16 bytes per lane");
    T* lane = reinterpret_cast<T*>(scratch_);
    for (std::int32_t first = 0; first < columns; first += kLanes) {
      const Columns mine(rank(), columns - first);
      T sum{};
      if (mine.row < rows && mine.row < mine.step) {
#pragma unroll 4
        for (std::int32_t row = mine.row; row < rows; row += mine.step) sum += load(row, first + mine.column);
      }
      lane[rank()] = sum;
      __syncthreads();
      if (mine.row == 0) {
        for (std::int32_t other = 1; other < mine.step; ++other) sum += lane[rank() + other * mine.width];
        store(first + mine.column, sum);
      }
      __syncthreads();
    }
  }

  template <class Prepare, class F>
  __device__ void columns_each(std::int32_t rows, std::int32_t columns, Prepare prepare, F f) {
    for (std::int32_t first = 0; first < columns; first += kLanes) {
      const Columns mine(rank(), columns - first);
      if (mine.row >= mine.step) continue;
      const auto prepared = prepare(first + mine.column);
#pragma unroll 4
      for (std::int32_t row = mine.row; row < rows; row += mine.step) f(row, first + mine.column, prepared);
    }
  }

  __device__ void atomic_add(std::int32_t* counter, std::int32_t value) { atomicAdd(counter, value); }

 private:
  /// The value of the lane `down` further on; of a whole warp.
  template <class T>
  __device__ static T shuffle_down(const T& value, int down) {
    static_assert(sizeof(T) % 4 == 0 && std::is_trivially_copyable_v<T>);
    unsigned words[sizeof(T) / 4];
    memcpy(words, &value, sizeof(T));
    for (unsigned& word : words) word = __shfl_down_sync(0xffffffffu, word, down);
    T other;
    memcpy(&other, words, sizeof(T));
    return other;
  }

  /// Lanes side by side on the columns of a row, the next rows beside it: neighbours read neighbouring floats.
  struct Columns {
    std::int32_t width, step, row, column;
    __device__ Columns(std::int32_t lane, std::int32_t columns)
        : width(columns < kLanes ? columns : kLanes),
          step(kLanes / width),
          row(lane / width),
          column(lane - row * width) {}
  };

  unsigned char* scratch_;
};

namespace detail {
__device__ inline std::int64_t cuda_range(const Extent& extent) {
  std::int64_t outer = extent.outer_max;
  if (extent.outer_count != nullptr && *extent.outer_count < outer) outer = *extent.outer_count;
  return outer * extent.inner;
}

template <class F>
__global__ void index_kernel(Extent extent, F f) {
  const std::int64_t n = cuda_range(extent);
  const std::int64_t stride = std::int64_t{gridDim.x} * blockDim.x;
#pragma unroll 1  // most threads take one turn: a loop that is unrolled first divides to count them
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += stride) f(i);
}

// A row of blocks per row: no index is divided.
template <class F>
__global__ void cell_kernel(Extent rows, std::int32_t columns, F f) {
  const std::int64_t n = cuda_range(rows);
  for (std::int64_t row = blockIdx.y; row < n; row += gridDim.y) {
#pragma unroll 1
    for (std::int32_t column = static_cast<std::int32_t>(blockIdx.x * blockDim.x + threadIdx.x); column < columns;
         column += static_cast<std::int32_t>(gridDim.x * blockDim.x)) {
      f(row, column);
    }
  }
}

template <class F>
__global__ void block_kernel(Extent extent, F f) {
  __shared__ alignas(16) unsigned char scratch[BlockTeam::kScratchBytes];
  const std::int64_t n = cuda_range(extent);
  BlockTeam team(scratch);
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
  detail::index_kernel<<<blocks, kThreads, 0, ctx.impl().stream>>>(extent, f);
  cuda_check(cudaGetLastError(), "launch of an index kernel");
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
  detail::cell_kernel<<<blocks, threads, 0, ctx.impl().stream>>>(rows, columns, f);
  cuda_check(cudaGetLastError(), "launch of a cell kernel");
}

template <class F>
void for_each_block(CudaContext& ctx, const Extent& extent, const F& f) {
  const std::int64_t n = extent.outer_max * extent.inner;
  if (n <= 0) return;
  const unsigned blocks = detail::grid(ctx, n, kLanes);
  detail::block_kernel<<<blocks, kLanes, 0, ctx.impl().stream>>>(extent, f);
  cuda_check(cudaGetLastError(), "launch of a block kernel");
}

template <class F>
void for_each_block(CudaContext& ctx, std::int64_t n, const F& f) {
  for_each_block(ctx, Extent{n, nullptr, 1}, f);
}

}  // namespace splitsim
