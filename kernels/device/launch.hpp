// How far a launch reaches. `outer_max` is fixed before the run (a launch never depends on device data); `outer_count`,
// if given, lies in device memory and cuts the range at run time: the CPU loops to it, a GPU thread beyond it leaves.
#pragma once

#include <cstdint>

namespace splitsim {

struct Extent {
  std::int64_t outer_max = 0;
  const std::int32_t* outer_count = nullptr;  ///< device pointer or null
  std::int64_t inner = 1;
};

/// Work shares below this many indices stay on one CPU thread: waking a team costs more.
constexpr std::int64_t kSerialBelow = 4096;

// The launchers themselves are templates over functors and live beside each backend:
//   kernels/device/launch_cpu.hpp    included by *_cpu.cpp
//   kernels/device/launch_cuda.cuh   included by *_cuda.cu
// All offer, for functors with PSL_HD operator() const:
//   for_each_index(ctx, Extent or n, f)      f(std::int64_t i) for i in [0, outer * inner)
//   for_each_cell(ctx, Extent, columns, f)   f(std::int64_t row, std::int32_t column): rows of equal length
//   for_each_block(ctx, Extent or n, f)      f(Team&, std::int64_t block)
//   for_each_column_block(ctx, Extent, items, f)  the same for teams that work on columns and never reduce(): wider ones
//                                            where a block has many items
//   for_each_wide_block(ctx, n, f)           the same for few blocks that have much to do and never reduce() but by
//                                            reduce_exact(): the widest teams

}  // namespace splitsim
