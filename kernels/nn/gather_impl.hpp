// Body of kernels/nn/gather.hpp. A block is one slot.
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

struct GatherImages {
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
    const std::uint8_t* image = images + sample[slot] * size;
    const std::int32_t height = shape.height, width = shape.width;
    std::int32_t shift_y = 0, shift_x = 0;  // of the crop window against the image
    bool mirror = false;
    if (shape.crop_pad > 0 || shape.flip) {
      const Bits128 bits = random_bits(shape.seed, {Purpose::kAugment, static_cast<std::uint32_t>(sample[slot]), 0,
                                                    static_cast<std::uint32_t>(*epoch), 0});
      shift_y = uniform_below(bits.x, 2 * shape.crop_pad + 1) - shape.crop_pad;
      shift_x = uniform_below(bits.y, 2 * shape.crop_pad + 1) - shape.crop_pad;
      mirror = shape.flip && (bits.z >> 31) != 0;
    }
    for (std::int32_t c = 0; c < shape.channels; ++c) {
      const float mean = shape.mean[c], inverse_std = shape.inverse_std[c];
      const std::uint8_t* in = image + c * height * width;
      float* __restrict__ plane = out + c * height * width;
      if (shift_y == 0 && shift_x == 0 && !mirror) {
        team_range(team, height * width,
                   [=](std::int32_t i) { plane[i] = (static_cast<float>(in[i]) / 255.0f - mean) * inverse_std; });
        continue;
      }
      team_grid(team, height, width, [=](std::int32_t row, std::int32_t column) {
        const std::int32_t from_row = row + shift_y;
        const std::int32_t from_column = (mirror ? width - 1 - column : column) + shift_x;
        const bool inside = from_row >= 0 && from_row < height && from_column >= 0 && from_column < width;
        const float value = inside ? static_cast<float>(in[from_row * width + from_column]) / 255.0f : 0.0f;
        plane[row * width + column] = (value - mean) * inverse_std;
      });
    }
  }
};
}  // namespace detail

template <class Context>
void gather_images(Context& ctx, Slots slots, const GatherShape& shape, View<const std::uint8_t> images,
                   View<const std::int32_t> sample, const std::int32_t* epoch, View<float> x) {
  for_each_block(ctx, slots.max,
                 detail::GatherImages{slots.count, shape, images.data(), sample.data(), epoch, x.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                            \
  template void gather_images(C&, Slots, const GatherShape&, View<const \
      std::uint8_t>, View<const std::int32_t>, const std::int32_t*, View<float>);
