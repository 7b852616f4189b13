// Random numbers of the embedded data sets. Determinism: exact.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "kernels/device/philox.hpp"

namespace splitsim {

/// What is drawn: the step field of the addresses. Values are part of every result.
enum class DrawnPart : std::uint32_t {
  kGlyphGeometry = 0,
  kGlyphPixels = 1,
  kGestureClass = 2,   ///< element = class
  kGesturePerson = 3,  ///< element = person
  kGesture = 4,
  kAssayColumn = 5,  ///< element = column
  kAssayClass = 6,   ///< element = class
  kAssayLab = 7,     ///< element = lab
  kAssay = 8,
  kPhraseAuthor = 9,  ///< element = author
  kPhrase = 10,
};

/// Uniform floats, one after another, at one element's address.
class Draws {
 public:
  Draws(std::uint64_t seed, std::uint32_t element, DrawnPart part)
      : seed_(seed), at_{Purpose::kGlyphs, element, static_cast<std::uint32_t>(part), 0, 0} {}
  /// Uniform in (low, high).
  float operator()(float low, float high) {
    const float u = (static_cast<float>(word() >> 9) + .5f) * 0x1p-23f;
    return low + (high - low) * u;
  }
  /// Uniform in [0, n).
  std::int32_t below(std::int32_t n) {
    return static_cast<std::int32_t>((std::uint64_t{word()} * static_cast<std::uint32_t>(n)) >> 32);
  }
  /// Near enough normal, with deviation 1: the sum of four bytes, whose own is sqrt(4 (256^2 - 1) / 12) = 147.8.
  float normal() {
    const std::uint32_t w = word();
    const int sum = static_cast<int>((w & 255) + ((w >> 8) & 255) + ((w >> 16) & 255) + (w >> 24)) - 510;
    return static_cast<float>(sum) / 147.8f;
  }

 private:
  std::uint32_t word() {
    if (left_ == 0) {
      const Bits128 bits = random_bits(seed_, at_);
      ++at_.attempt;
      words_ = {bits.x, bits.y, bits.z, bits.w};
      left_ = 4;
    }
    return words_[--left_];
  }

  std::uint64_t seed_;
  Address at_;
  std::array<std::uint32_t, 4> words_{};
  std::size_t left_ = 0;
};

}  // namespace splitsim
