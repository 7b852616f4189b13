// How the features of a slot lie in memory. Files, hashes and initial weights know one order, PyTorch's (channels
// first); a backend trains in the one that its products like.
#pragma once

#include <cstdint>

#include "kernels/device/fast_div.hpp"
#include "kernels/device/macros.hpp"

namespace splitsim {

enum class Layout : std::uint8_t {
  kChannelsFirst,  ///< [channels, height, width]
  kChannelsLast    ///< [height, width, channels]
};

/// What a backend trains in. A CPU can do both, so that tests run what a GPU does; a GPU only this one.
template <class Context>
constexpr Layout native_layout() {
  return Context::kIsDevice ? Layout::kChannelsLast : Layout::kChannelsFirst;
}

/// Features as planes of pixels.
struct PlaneShape {
  std::int32_t channels, pixels;
  Layout layout = Layout::kChannelsFirst;
  PSL_HD std::int32_t size() const { return channels * pixels; }
};

/// Which feature lies where in a slot's row; features count channels first, whatever the layout.
struct FeaturePlaces {
  PlaneShape shape;
  FastDiv channels, pixels;

  explicit FeaturePlaces(const PlaneShape& planes) : shape(planes), channels(planes.channels), pixels(planes.pixels) {}
  PSL_HD std::int32_t feature(std::int32_t place) const {
    if (shape.layout == Layout::kChannelsFirst) return place;
    const std::int32_t pixel = channels.quotient(place);
    return (place - pixel * shape.channels) * shape.pixels + pixel;
  }
  PSL_HD std::int32_t place(std::int32_t feature) const {
    if (shape.layout == Layout::kChannelsFirst) return feature;
    const std::int32_t channel = pixels.quotient(feature);
    return (feature - channel * shape.pixels) * shape.channels + channel;
  }
};

/// Splits the place of a feature that lies channels last.
struct ChannelsLast {
  FastDiv channels, width;

  PSL_HD ChannelsLast(std::int32_t channel_count, std::int32_t row_width) : channels(channel_count), width(row_width) {}

  struct Place {
    std::int32_t row, column, channel;
  };
  PSL_HD Place operator()(std::int32_t i) const {
    const std::int32_t pixel = channels.quotient(i), row = width.quotient(pixel);
    return {row, pixel - row * width.divisor(), i - pixel * channels.divisor()};
  }
};

}  // namespace splitsim
