// What a CUDA block of threads is to a functor (kernels/device/team.hpp).
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/device/team.hpp"

namespace splitsim {

/// A CUDA block. The shared scratch holds one value of up to 16 bytes per lane and a result.
template <int kThreads>
class CudaTeam {
 public:
  static constexpr int kScratchBytes = 16 * (kThreads + 1);

  __device__ CudaTeam(unsigned char* scratch) : scratch_(scratch) {}
  __device__ int rank() const { return static_cast<int>(threadIdx.x); }
  __device__ int size() const { return kThreads; }
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
    static_assert(kThreads == kLanes && kLanes == 4 * 32, "a wide team's sums would have other bits");
    if (rank() < 32) {
      T sum = combine(combine(lane[rank()], lane[rank() + 64]), combine(lane[rank() + 32], lane[rank() + 96]));
      for (int half = 16; half > 0; half /= 2) sum = combine(sum, shuffle_down(sum, half));
      if (rank() == 0) *result = sum;
    }
    __syncthreads();
    return *result;
  }

  template <class T, class Load, class Combine>
  __device__ T reduce_exact(std::int64_t n, T identity, Load load, Combine combine) {
    static_assert(sizeof(T) <= 16 && kThreads <= 32 * 32);
    constexpr int kWarps = kThreads / 32;
    T* of_warp = reinterpret_cast<T*>(scratch_);
    T* result = reinterpret_cast<T*>(scratch_ + 16 * kWarps);
    T mine = identity;
    for (std::int64_t i = rank(); i < n; i += kThreads) mine = combine(mine, load(i));
    for (int half = 16; half > 0; half /= 2) mine = combine(mine, shuffle_down(mine, half));
    if (rank() % 32 == 0) of_warp[rank() / 32] = mine;
    __syncthreads();
    if (rank() < 32) {
      T all = rank() < kWarps ? of_warp[rank()] : identity;
      for (int half = 16; half > 0; half /= 2) all = combine(all, shuffle_down(all, half));
      if (rank() == 0) *result = all;
    }
    __syncthreads();
    return *result;
  }

  /// As SerialTeam's, but a lane adds every few rows of its column, and then the lanes of a column join: first those of
  /// a warp, where its 32 lanes are whole rows, then the warps in order.
  template <class T, class Load, class Store>
  __device__ void column_sums(std::int32_t rows, std::int32_t columns, Load load, Store store) {
    static_assert(sizeof(T) <= 16, "the team's scratch holds 16 bytes per lane");
    T* lane = reinterpret_cast<T*>(scratch_);
    for (std::int32_t first = 0; first < columns; first += kThreads) {
      const Columns mine(rank(), columns - first);
      T sum{};
      if (mine.row < rows && mine.row < mine.step) {
#pragma unroll 4
        for (std::int32_t row = mine.row; row < rows; row += mine.step) sum += load(row, first + mine.column);
      }
      std::int32_t parts = mine.step, apart = mine.width;
      if (32 % mine.width == 0) {
        for (int half = 16; half >= mine.width; half /= 2) sum += shuffle_down(sum, half);
        parts = kThreads / 32, apart = 32;
      }
      lane[rank()] = sum;
      __syncthreads();
      if (mine.row == 0) {
        for (std::int32_t other = 1; other < parts; ++other) sum += lane[rank() + other * apart];
        store(first + mine.column, sum);
      }
      __syncthreads();
    }
  }

  template <class Prepare, class F>
  __device__ void columns_each(std::int32_t rows, std::int32_t columns, Prepare prepare, F f) {
    for (std::int32_t first = 0; first < columns; first += kThreads) {
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
        : width(columns < kThreads ? columns : kThreads),
          step(kThreads / width),
          row(lane / width),
          column(lane - row * width) {}
  };

  unsigned char* scratch_;
};

using BlockTeam = CudaTeam<kLanes>;
using WideTeam = CudaTeam<4 * kLanes>;
using WidestTeam = CudaTeam<8 * kLanes>;

}  // namespace splitsim
