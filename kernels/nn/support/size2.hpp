// Height and width of a window, a stride or a padding.
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"

namespace splitsim {

struct Size2 {
  std::int32_t height = 0, width = 0;

  constexpr Size2() = default;
  PSL_HD constexpr Size2(std::int32_t both) : height(both), width(both) {}
  PSL_HD constexpr Size2(std::int32_t h, std::int32_t w) : height(h), width(w) {}
  PSL_HD constexpr std::int32_t area() const { return height * width; }
  friend constexpr bool operator==(const Size2&, const Size2&) = default;
};

}  // namespace splitsim
