// What layers that work plane by plane (pools, norms) share.
#pragma once

#include <cstdint>

#include "kernels/nn/support/batched.hpp"

namespace splitsim::detail {

/// Planes per block, a divisor of the channels: enough work to pay for handing out a block, enough blocks to fill a
/// GPU.
inline std::int32_t planes_per_block(std::int32_t channels, std::int64_t pixels) {
  constexpr std::int64_t kPixelsPerBlock = 1024;
  std::int64_t planes = kPixelsPerBlock / pixels;
  if (planes < 1) planes = 1;
  if (planes > channels) planes = channels;
  while (channels % planes != 0) --planes;
  return static_cast<std::int32_t>(planes);
}

/// Adds what the slots of a rank gave, in slot order: rows of channels, as a single thread likes it. A block is a rank.
struct SumSlotRows {
  std::int32_t channels;
  const std::int32_t* first;
  const float* slot_a;
  const float* slot_b;
  Grouped a, b;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t rank) const {
    float* a_out = a.at(rank);
    float* b_out = b.at(rank);
    for (std::int32_t c = team.rank(); c < channels; c += team.size()) a_out[c] = b_out[c] = 0.0f;
    for (std::int64_t slot = first[rank]; slot < first[rank + 1]; ++slot) {
      for (std::int32_t c = team.rank(); c < channels; c += team.size()) {
        a_out[c] += slot_a[slot * channels + c];
        b_out[c] += slot_b[slot * channels + c];
      }
    }
  }
};

/// sums.weight[rank] = sum over the rank's slots of slot_a[slot], bias the same of slot_b. slot_*: [S, channels].
template <class Context>
void sum_slot_rows(Context& ctx, const ReplicaMap& map, std::int32_t channels, const float* slot_a, const float* slot_b,
                   const Parameters& sums) {
  if constexpr (Context::kIsDevice) {
    const Extent extent{map.max_active, map.active, channels};
    for_each_block(ctx, extent, SumRanks{map.first, channels, slot_a, sums.weight});
    for_each_block(ctx, extent, SumRanks{map.first, channels, slot_b, sums.bias});
  } else {
    for_each_block(ctx, Extent{map.max_active, map.active, 1},
                   SumSlotRows{channels, map.first, slot_a, slot_b, sums.weight, sums.bias});
  }
}

}  // namespace splitsim::detail
