// How the CPU cuts a step's slots into work items. Pieces depend on the step's map only, never on the number of
// threads, so sums over slots have one order: within a piece slot by slot, then piece by piece.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/nn/support/grouped.hpp"

namespace splitsim {

/// Slots [first, last) of one rank. The first piece of a rank sums straight into the rank's gradient, the others into a
/// partial gradient of their own.
struct Piece {
  std::int32_t rank, first, last;
  std::int32_t partial;  ///< -1 for the first piece of a rank
};

/// Slots per piece: at most `most`, fewer in a small step so that there is still work for some 16 threads.
inline std::int32_t slots_per_piece(std::int32_t slots, std::int32_t most) {
  return std::clamp((slots + 15) / 16, 1, most);
}

/// Most partial gradients that cut_pieces asks for at that length: all pieces but the last of a rank are full. Of each of
/// several experiments 16, or as many as it has slots for.
inline std::int32_t max_partials(std::int32_t max_slots, std::int32_t most, std::int32_t experiments) {
  if (experiments > 1) return std::max(1, std::min(max_slots, max_slots / most + 16 * experiments));
  return std::max({max_slots / most, std::min(max_slots, 16), 1});
}

/// Cuts every rank into pieces: of at most `most` slots, fewer in a small step (slots_per_piece) of its experiment; or, not
/// adaptive, of just so many. Fills `pieces` (room for max_slots); returns their number.
inline std::int32_t cut_pieces(const ReplicaMap& map, std::int32_t most, bool adaptive, Piece* pieces) {
  std::int32_t count = 0, partials = 0;
  for (std::int32_t rank = 0; rank < *map.active; ++rank) {
    const std::int32_t length = adaptive ? slots_per_piece(map.slots_beside(rank), most) : most;
    for (std::int32_t first = map.first[rank]; first < map.first[rank + 1]; first += length) {
      const std::int32_t last = std::min(first + length, map.first[rank + 1]);
      pieces[count++] = {rank, first, last, first == map.first[rank] ? -1 : partials++};
    }
  }
  return count;
}

}  // namespace splitsim
