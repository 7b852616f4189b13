// Body of kernels/nn/gather.hpp.
#pragma once

#include "kernels/device/philox.hpp"
#include "kernels/nn/gather.hpp"
#include "kernels/nn/support/team_loops.hpp"

namespace splitsim {

namespace detail {
/// Uniform integer in [0, n) from 32 bits (the bias, n / 2^32, is far below anything an image shows).
PSL_HD inline std::int32_t uniform_below(std::uint32_t bits, std::int32_t n) {
  return static_cast<std::int32_t>((std::uint64_t{bits} * static_cast<std::uint32_t>(n)) >> 32);
}

/// How an image is cut out and turned over.
struct Augmentation {
  std::int32_t shift_y = 0, shift_x = 0;  ///< of the crop window against the image
  bool mirror = false;

  PSL_HD Augmentation(const GatherShape& shape, std::int32_t sample, const std::int32_t* epoch) {
    if (shape.crop_pad == 0 && !shape.flip) return;
    const Bits128 bits = random_bits(
        shape.seed, {Purpose::kAugment, static_cast<std::uint32_t>(sample), 0, static_cast<std::uint32_t>(*epoch), 0});
    shift_y = uniform_below(bits.x, 2 * shape.crop_pad + 1) - shape.crop_pad;
    shift_x = uniform_below(bits.y, 2 * shape.crop_pad + 1) - shape.crop_pad;
    mirror = shape.flip && (bits.z >> 31) != 0;
  }
  PSL_HD bool none() const { return shift_y == 0 && shift_x == 0 && !mirror; }
  /// Pixel (row, column) of what is cut out of a plane, 0..1; outside of the plane 0.
  PSL_HD float at(const GatherShape& shape, const std::uint8_t* plane, std::int32_t row, std::int32_t column) const {
    const std::int32_t from_row = row + shift_y;
    const std::int32_t from_column = (mirror ? shape.width - 1 - column : column) + shift_x;
    const bool inside = from_row >= 0 && from_row < shape.height && from_column >= 0 && from_column < shape.width;
    return inside ? static_cast<float>(plane[from_row * shape.width + from_column]) / 255.0f : 0.0f;
  }
};

/// A block is one slot.
struct GatherPlanes {
  const std::int32_t* slots;
  GatherShape shape;
  const std::uint8_t* images;
  const std::int32_t* sample;
  const std::int32_t* epoch;
  float* x;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t slot) const {
    const std::int64_t size = shape.size();
    float* __restrict__ out = x + slot * size;
    if (slot >= *slots) {
      team_range(team, static_cast<std::int32_t>(size), [=](std::int32_t i) { out[i] = 0.0f; });
      return;
    }
    const GatherShape s = shape;
    const std::uint8_t* image = images + sample[slot] * size;
    const std::int32_t pixels = s.height * s.width;
    const Augmentation cut(s, sample[slot], epoch);
    for (std::int32_t c = 0; c < s.channels; ++c) {
      const float mean = s.mean[c], inverse_std = s.inverse_std[c];
      const std::uint8_t* in = image + c * pixels;
      float* __restrict__ plane = out + c * pixels;
      if (cut.none()) {
        team_range(team, pixels,
                   [=](std::int32_t i) { plane[i] = (static_cast<float>(in[i]) / 255.0f - mean) * inverse_std; });
        continue;
      }
      team_grid(team, s.height, s.width, [=](std::int32_t row, std::int32_t column) {
        plane[row * s.width + column] = (cut.at(s, in, row, column) - mean) * inverse_std;
      });
    }
  }
};

/// Channels last. A row is a slot, a column a pixel.
struct GatherPixels {
  const std::int32_t* slots;
  GatherShape shape;
  FastDiv width;
  const std::uint8_t* images;
  const std::int32_t* sample;
  const std::int32_t* epoch;
  float* x;

  PSL_HD void operator()(std::int64_t slot, std::int32_t pixel) const {
    const std::int64_t size = shape.size();
    const std::int32_t pixels = shape.height * shape.width;
    const bool valid = slot < *slots;
    const std::int32_t id = valid ? sample[slot] : 0;
    const std::uint8_t* image = images + id * size;
    float* out = x + slot * size + pixel * shape.channels;
    const Augmentation cut(shape, id, epoch);
    const std::int32_t row = width.quotient(pixel), column = pixel - row * shape.width;
    PSL_UNROLL
    for (std::int32_t c = 0; c < GatherShape::kMaxChannels; ++c) {
      if (c >= shape.channels) break;
      const float value = valid ? cut.at(shape, image + c * pixels, row, column) : shape.mean[c];
      out[c] = (value - shape.mean[c]) * shape.inverse_std[c];
    }
  }
};
}  // namespace detail

template <class Context>
void gather_images(Context& ctx, Slots slots, const GatherShape& shape, View<const std::uint8_t> images,
                   View<const std::int32_t> sample, const std::int32_t* epoch, View<float> x) {
  if constexpr (!Context::kIsDevice) {
    if (shape.layout == Layout::kChannelsFirst) {
      for_each_block(ctx, slots.max,
                     detail::GatherPlanes{slots.count, shape, images.data(), sample.data(), epoch, x.data()});
      return;
    }
  }
  for_each_cell(
      ctx, Extent{slots.max}, shape.height * shape.width,
      detail::GatherPixels{slots.count, shape, FastDiv(shape.width), images.data(), sample.data(), epoch, x.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                         \
  template void gather_images(C&, Slots, const GatherShape&, View<const std::uint8_t>, View<const std::int32_t>, \
                              const std::int32_t*, View<float>);
