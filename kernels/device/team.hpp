// A team of threads that works on one block. A functor for for_each_block is written once against this interface:
//
//   struct Rows { template <class Team> PSL_HD void operator()(Team& team, std::int64_t block) const; };
//
// On the CPU a team is one thread; on a GPU it is a CUDA block (kernels/device/launch_cuda.cuh).
//
// reduce() visits indices in one fixed pattern (kLanes strided partial results, then a pairwise tree over the lanes),
// so floating-point sums have the same bits for every team size. Determinism: exact.
#pragma once

#include <atomic>
#include <cstdint>

#include "kernels/device/macros.hpp"

namespace splitsim {

constexpr int kLanes = 128;  ///< partial results of a reduction, and the size of a CUDA team

class SerialTeam {
 public:
  PSL_HD int rank() const { return 0; }
  PSL_HD int size() const { return 1; }
  PSL_HD void sync() {}

  /// combine over i in [0, n) of load(i); every member gets the result. load: int64 -> T, combine: (T, T) -> T.
  template <class T, class Load, class Combine>
  PSL_HD T reduce(std::int64_t n, T identity, Load load, Combine combine) {
    T lane[kLanes];
    for (int l = 0; l < kLanes; ++l) lane[l] = identity;
    for (std::int64_t first = 0; first < n; first += kLanes) {
      const int width = static_cast<int>(n - first < kLanes ? n - first : kLanes);
      for (int l = 0; l < width; ++l) lane[l] = combine(lane[l], load(first + l));
    }
    for (int half = kLanes / 2; half > 0; half /= 2) {
      for (int l = 0; l < half; ++l) lane[l] = combine(lane[l], lane[l + half]);
    }
    return lane[0];
  }

  /// The same where order does not matter: sums of integers, the least, the greatest. Of teams of any size.
  template <class T, class Load, class Combine>
  PSL_HD T reduce_exact(std::int64_t n, T identity, Load load, Combine combine) {
    T result = identity;
    for (std::int64_t i = 0; i < n; ++i) result = combine(result, load(i));
    return result;
  }

  /// store(column, sum over rows of load(row, column)) for every column, each by one member; what it stores may be read
  /// after the call. T: a sum from {} by +=. Determinism: fixed-order on each backend.
  template <class T, class Load, class Store>
  PSL_HD void column_sums(std::int32_t rows, std::int32_t columns, Load load, Store store) {
    for (std::int32_t column = 0; column < columns; ++column) {
      T sum{};
      for (std::int32_t row = 0; row < rows; ++row) sum += load(row, column);
      store(column, sum);
    }
  }

  /// f(row, column, prepare(column)) for all of rows x columns, in any order. A member stays in a column, so that what
  /// depends on it alone is worked out once.
  template <class Prepare, class F>
  PSL_HD void columns_each(std::int32_t rows, std::int32_t columns, Prepare prepare, F f) {
    for (std::int32_t column = 0; column < columns; ++column) {
      const auto prepared = prepare(column);
      for (std::int32_t row = 0; row < rows; ++row) f(row, column, prepared);
    }
  }

  /// Adds to an integer counter that other members may also touch: order-free, hence exact.
  PSL_HD void atomic_add(std::int32_t* counter, std::int32_t value) { *counter += value; }
};

/// What this thread wrote before is seen by whoever sees what it writes next, the host included.
PSL_HD inline void publish() {
#if defined(__CUDA_ARCH__)
  __threadfence_system();
#else
  std::atomic_thread_fence(std::memory_order_release);
#endif
}

struct Plus {
  template <class T>
  PSL_HD T operator()(T a, T b) const {
    return a + b;
  }
};

}  // namespace splitsim
