// The input of a step in one kernel: gather + normalise + augment. Data sets live on the device as uint8 pixels, or as
// floats that are normalised already.
// Ring R1. Determinism: exact; augmentation is addressed by (seed, epoch, sample id), never by slot or client.
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"
#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "kernels/nn/support/layout.hpp"

namespace splitsim {

struct GatherShape {
  static constexpr int kMaxChannels = 4;  ///< of pixels; floats may have any number
  std::int32_t channels, height, width;
  std::int32_t crop_pad = 0;  ///< > 0: pad with 0 (pixels: before they are normalised) by this much, then crop at random
  bool flip = false;          ///< horizontal flip with probability 1/2
  Layout layout = Layout::kChannelsFirst;  ///< of x
  bool floats = false;                     ///< samples are GatherSource::values
  PSL_HD std::int64_t size() const { return std::int64_t{channels} * height * width; }
};

/// What samples are gathered from, and how pixels are normalised.
struct GatherSource {
  const std::uint8_t* images = nullptr;        ///< [N, C, H, W]
  float mean[GatherShape::kMaxChannels] = {};  ///< per channel, of pixels scaled to 0..1
  float inverse_std[GatherShape::kMaxChannels] = {};
  std::uint64_t seed = 0;
  const float* values = nullptr;  ///< [N, C, H, W], in place of images
};

/// Where the samples of slots are: all device memory, [S] each.
struct GatherSlots {
  const std::int32_t* sample = nullptr;  ///< ids
  const std::int32_t* source = nullptr;  ///< which one; null: the first
  const std::int32_t* epoch = nullptr;   ///< read only when augmenting
};

/// x[s] = (image / 255 - mean) / std, or the values, for the valid slots, 0 for the empty ones. sources: device memory; x: [S, size].
template <class Context>
void gather_images(Context& ctx, Slots slots, const GatherShape& shape, View<const GatherSource> sources,
                   const GatherSlots& of, View<float> x);

}  // namespace splitsim
