// What layers that work plane by plane (pools, norms) share.
#pragma once

#include <cstdint>

#include "kernels/device/launch.hpp"
#include "kernels/device/macros.hpp"
#include "kernels/nn/support/grouped.hpp"

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

/// Two sums at a time.
template <class T>
struct Pair {
  T a = T(0), b = T(0);
  PSL_HD Pair& operator+=(const Pair& other) {
    a += other.a;
    b += other.b;
    return *this;
  }
};

/// Channels that a block takes where channels lie side by side: enough for whole sectors of memory (32 bytes), few enough
/// for many blocks. A multiple of `unit`, unless that is larger.
inline std::int32_t channels_per_block(std::int32_t channels, std::int32_t unit = 1) {
  constexpr std::int32_t kChannels = 8;
  std::int32_t most = unit;
  for (std::int32_t n = unit; n <= channels && n <= kChannels; n += unit) {
    if (channels % n == 0) most = n;
  }
  return most;
}

/// Blocks of a few channels of one slot, channels last: a team reads them line by line.
struct ColumnBlocks {
  std::int32_t channels, pixels, columns;  ///< columns: channels of a block
  const std::int32_t* slots;
  const std::int32_t* rank;
  const std::int32_t* replica;

  /// unit: channels that must not be parted.
  ColumnBlocks(std::int32_t of, std::int64_t pixels_of, std::int32_t unit, const ReplicaMap& map)
      : channels(of),
        pixels(static_cast<std::int32_t>(pixels_of)),
        columns(channels_per_block(of, unit)),
        slots(map.slots),
        rank(map.rank),
        replica(map.replica) {}
  std::int32_t per_slot() const { return channels / columns; }
  std::int64_t items() const { return std::int64_t{pixels} * columns; }

  struct Place {
    std::int64_t slot;
    std::int32_t channel;
    std::int64_t row, at;  ///< in a [S, channels], in an activation
    bool empty;
  };
  PSL_HD Place place(std::int64_t block) const {
    const std::int32_t blocks = channels / columns;
    const std::int64_t slot = block / blocks;
    const auto channel = static_cast<std::int32_t>(block - slot * blocks) * columns;
    return {slot, channel, slot * channels + channel, slot * pixels * channels + channel, slot >= *slots};
  }
};

/// The same by a team. A block is a rank and as many channels.
struct SumSlotColumns {
  std::int32_t channels, per_block;
  const std::int32_t* first;
  const float* slot_a;
  const float* slot_b;
  Grouped a, b;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const std::int32_t parts = channels / per_block, begin = static_cast<std::int32_t>(block % parts) * per_block;
    const std::int64_t rank = block / parts;
    const std::int64_t from = std::int64_t{first[rank]} * channels + begin;
    const std::int32_t stride = channels;
    const float *a_in = slot_a + from, *b_in = slot_b + from;
    float *a_out = a.at(rank) + begin, *b_out = b.at(rank) + begin;
    team.template column_sums<Pair<float>>(
        first[rank + 1] - first[rank], per_block,
        [=](std::int32_t s, std::int32_t c) {
          return Pair<float>{a_in[s * stride + c], b_in[s * stride + c]};
        },
        [=](std::int32_t c, const Pair<float>& sum) {
          a_out[c] = sum.a;
          b_out[c] = sum.b;
        });
  }
};

/// sums.weight[rank] = sum over the rank's slots of slot_a[slot], bias the same of slot_b. slot_*: [S, channels].
template <class Context>
void sum_slot_rows(Context& ctx, const ReplicaMap& map, std::int32_t channels, const float* slot_a, const float* slot_b,
                   const Parameters& sums) {
  if constexpr (Context::kIsDevice) {
    const std::int32_t per_block = channels_per_block(channels);
    for_each_block(ctx, Extent{map.max_active, map.active, channels / per_block},
                   SumSlotColumns{channels, per_block, map.first, slot_a, slot_b, sums.weight, sums.bias});
  } else {
    for_each_block(ctx, Extent{map.max_active, map.active, 1},
                   SumSlotRows{channels, map.first, slot_a, slot_b, sums.weight, sums.bias});
  }
}

}  // namespace splitsim::detail
