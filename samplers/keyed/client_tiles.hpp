// Clients in tiles, each of which one team looks at.
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"

namespace splitsim::detail {

template <std::int64_t kEach>
struct ClientTiles {
  PSL_HD static std::int64_t tiles(std::int64_t clients) { return (clients + kEach - 1) / kEach; }
  PSL_HD static std::int64_t first(std::int64_t tile) { return tile * kEach; }
  PSL_HD static std::int64_t count(std::int64_t tile, std::int64_t clients) {
    const std::int64_t left = clients - first(tile);
    return left < kEach ? left : kEach;
  }
};

}  // namespace splitsim::detail
