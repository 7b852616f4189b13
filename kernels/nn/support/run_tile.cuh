// Tiles of rows that lie within one replica's run of slots.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/nn/support/grouped.hpp"

namespace splitsim {

/// A run of slots on one replica, or of empty slots, and the part of its rows that a tile has.
struct RunTile {
  int slot;     ///< the run's first
  int rows;     ///< of the run
  int row;      ///< the tile's first within the run
  int replica;  ///< -1: the slots are empty; -2: there is no such tile
};

/// The tile'th tile of kRows rows, in the order of the slots; `pixels` rows a slot. Whole warps call this.
template <int kRows>
__device__ inline RunTile find_tile(const ReplicaMap& map, int tile, int pixels) {
  if (pixels % kRows == 0) {  // a tile lies in one slot
    const int per_slot = pixels / kRows, slot = tile / per_slot;
    if (slot >= map.max_slots) return {0, 0, 0, -2};
    return {slot, pixels, (tile - slot * per_slot) * kRows, slot < *map.slots ? map.replica[map.rank[slot]] : -1};
  }
  const int lane = static_cast<int>(threadIdx.x) % 32, active = *map.active;
  int before = 0;
  for (int first = 0; first <= active; first += 32) {
    const int run = first + lane;  // ranks, then the empty slots
    int slot = 0, tiles = 0, rows = 0;
    if (run <= active) {
      slot = map.first[run];
      rows = ((run < active ? map.first[run + 1] : map.max_slots) - slot) * pixels;
      tiles = (rows + kRows - 1) / kRows;
    }
    int upto = tiles;
#pragma unroll
    for (int d = 1; d < 32; d *= 2) {
      const int other = __shfl_up_sync(0xffffffffu, upto, d);
      if (lane >= d) upto += other;
    }
    const unsigned beyond = __ballot_sync(0xffffffffu, before + upto > tile);
    if (beyond != 0) {
      const int owner = __ffs(static_cast<int>(beyond)) - 1;
      const int skipped = before + __shfl_sync(0xffffffffu, upto - tiles, owner);
      return {__shfl_sync(0xffffffffu, slot, owner), __shfl_sync(0xffffffffu, rows, owner), (tile - skipped) * kRows,
              first + owner < active ? map.replica[first + owner] : -1};
    }
    before += __shfl_sync(0xffffffffu, upto, 31);
  }
  return {0, 0, 0, -2};
}

/// Row tiles that a step can have at most: runs of slots each round up, and the empty ones are a run, too.
inline std::int64_t most_run_tiles(const ReplicaMap& map, std::int64_t pixels, std::int64_t rows) {
  const std::int64_t all = (map.max_slots * pixels + rows - 1) / rows;
  return pixels % rows == 0 ? all : all + std::min(map.max_slots, map.max_active + 1) - 1;
}

}  // namespace splitsim
