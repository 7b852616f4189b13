// How far apart a slot's features lie, whatever the layout.
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"
#include "kernels/nn/support/layout.hpp"

namespace splitsim {

/// Floats from a channel to the next one, and from a pixel (a token) to the next one.
struct Steps {
  std::int32_t channel, pixel;

  PSL_HD explicit Steps(const PlaneShape& shape)
      : channel(shape.layout == Layout::kChannelsFirst ? shape.pixels : 1),
        pixel(shape.layout == Layout::kChannelsFirst ? 1 : shape.channels) {}
  PSL_HD std::int32_t operator()(std::int32_t c, std::int32_t p) const { return c * channel + p * pixel; }
};

/// Splits the place of a feature within a slot's row into channel and pixel.
class SplitPlace {
 public:
  explicit SplitPlace(const PlaneShape& shape)
      : first_(shape.layout == Layout::kChannelsFirst), inner_(first_ ? shape.pixels : shape.channels) {}

  struct Place {
    std::int32_t channel, pixel;
  };
  PSL_HD Place operator()(std::int32_t i) const {
    const std::int32_t outer = inner_.quotient(i), rest = i - outer * inner_.divisor();
    return first_ ? Place{outer, rest} : Place{rest, outer};
  }

 private:
  bool first_;
  FastDiv inner_;
};

}  // namespace splitsim
