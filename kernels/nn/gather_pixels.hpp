// How a sample becomes the input of a slot, pixel by pixel, or value by value.
#pragma once

#include <cstdint>

#include "kernels/device/fast_div.hpp"
#include "kernels/device/macros.hpp"
#include "kernels/device/philox.hpp"
#include "kernels/nn/gather.hpp"

namespace splitsim::detail {

/// Uniform integer in [0, n) from 32 bits (the bias, n / 2^32, is far below anything an image shows).
PSL_HD inline std::int32_t uniform_below(std::uint32_t bits, std::int32_t n) {
  return static_cast<std::int32_t>((std::uint64_t{bits} * static_cast<std::uint32_t>(n)) >> 32);
}

/// How an image is cut out and turned over.
struct Augmentation {
  std::int32_t shift_y = 0, shift_x = 0;  ///< of the crop window against the image
  bool mirror = false;

  /// epoch: the slot's.
  PSL_HD Augmentation(const GatherShape& shape, std::uint64_t seed, std::int32_t sample, const std::int32_t* epoch) {
    if (shape.crop_pad == 0 && !shape.flip) return;
    const Bits128 bits = random_bits(
        seed, {Purpose::kAugment, static_cast<std::uint32_t>(sample), 0, static_cast<std::uint32_t>(*epoch), 0});
    shift_y = uniform_below(bits.x, 2 * shape.crop_pad + 1) - shape.crop_pad;
    shift_x = uniform_below(bits.y, 2 * shape.crop_pad + 1) - shape.crop_pad;
    mirror = shape.flip && (bits.z >> 31) != 0;
  }
  PSL_HD bool none() const { return shift_y == 0 && shift_x == 0 && !mirror; }
  /// Pixel (row, column) of what is cut out of a plane, 0..1; outside of the plane 0.
  PSL_HD float at(const GatherShape& shape, const std::uint8_t* plane, std::int32_t row, std::int32_t column) const {
    const std::int32_t from = place(shape, row, column);
    return from >= 0 ? static_cast<float>(plane[from]) / 255.0f : 0.0f;
  }
  PSL_HD float at(const GatherShape& shape, const float* plane, std::int32_t row, std::int32_t column) const {
    const std::int32_t from = place(shape, row, column);
    return from >= 0 ? plane[from] : 0.0f;
  }

 private:
  /// Where it is in the plane; -1: outside.
  PSL_HD std::int32_t place(const GatherShape& shape, std::int32_t row, std::int32_t column) const {
    const std::int32_t from_row = row + shift_y;
    const std::int32_t from_column = (mirror ? shape.width - 1 - column : column) + shift_x;
    const bool inside = from_row >= 0 && from_row < shape.height && from_column >= 0 && from_column < shape.width;
    return inside ? from_row * shape.width + from_column : -1;
  }
};

/// The cell of a slot by the tables of `gather.of`.
template <class Gather>
PSL_HD void gather_cell(const Gather& gather, std::int64_t slot, std::int32_t column) {
  const GatherSlots& of = gather.of;
  const bool valid = slot < *gather.slots;
  gather.write(slot, column, valid ? of.sample[slot] : -1, valid && of.source != nullptr ? of.source[slot] : 0,
               of.epoch == nullptr ? nullptr : of.epoch + slot);
}

/// Channels last. A row is a slot, a column a pixel.
struct GatherPixels {
  const std::int32_t* slots;
  GatherShape shape;
  FastDiv width;
  const GatherSource* sources;
  GatherSlots of;
  float* x;

  PSL_HD void operator()(std::int64_t slot, std::int32_t pixel) const { gather_cell(*this, slot, pixel); }
  /// sample: -1 for an empty slot.
  PSL_HD void write(std::int64_t slot, std::int32_t pixel, std::int32_t sample, std::int32_t from,
                    const std::int32_t* epoch) const {
    const std::int64_t size = shape.size();
    const std::int32_t pixels = shape.height * shape.width;
    const bool valid = sample >= 0;
    const std::int32_t id = valid ? sample : 0;
    const GatherSource& source = sources[from];
    const std::uint8_t* image = source.images + id * size;
    float* out = x + slot * size + pixel * shape.channels;
    const Augmentation cut(shape, source.seed, id, epoch);
    const std::int32_t row = width.quotient(pixel), column = pixel - row * shape.width;
    PSL_UNROLL
    for (std::int32_t c = 0; c < GatherShape::kMaxChannels; ++c) {
      if (c >= shape.channels) break;
      const float value = valid ? cut.at(shape, image + c * pixels, row, column) : source.mean[c];
      out[c] = (value - source.mean[c]) * source.inverse_std[c];
    }
  }
};

/// Floats, in either layout. A row is a slot, a column a value of x.
struct GatherValues {
  const std::int32_t* slots;
  GatherShape shape;
  FastDiv width, inner;  ///< inner: channels (channels last) or pixels of a plane
  const GatherSource* sources;
  GatherSlots of;
  float* x;

  PSL_HD GatherValues(const std::int32_t* count, const GatherShape& s, const GatherSource* from, const GatherSlots& where,
                      float* to)
      : slots(count),
        shape(s),
        width(s.width),
        inner(s.layout == Layout::kChannelsFirst ? s.height * s.width : s.channels),
        sources(from),
        of(where),
        x(to) {}

  PSL_HD void operator()(std::int64_t slot, std::int32_t value) const { gather_cell(*this, slot, value); }
  /// sample: -1 for an empty slot.
  PSL_HD void write(std::int64_t slot, std::int32_t value, std::int32_t sample, std::int32_t from,
                    const std::int32_t* epoch) const {
    const std::int64_t size = shape.size();
    float& out = x[slot * size + value];
    if (sample < 0) {
      out = 0.0f;
      return;
    }
    const std::int32_t outer = inner.quotient(value), rest = value - outer * inner.divisor();
    const bool channels_first = shape.layout == Layout::kChannelsFirst;
    const std::int32_t channel = channels_first ? outer : rest, pixel = channels_first ? rest : outer;
    const float* plane = sources[from].values + sample * size + channel * shape.height * shape.width;
    const std::int32_t row = width.quotient(pixel), column = pixel - row * shape.width;
    out = Augmentation(shape, sources[from].seed, sample, epoch).at(shape, plane, row, column);
  }
};

}  // namespace splitsim::detail
