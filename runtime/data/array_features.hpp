// Arrays of files as the samples of a data set. Errors: InputError naming the array and what is wrong with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/npy.hpp"
#include "runtime/data/dataset.hpp"

namespace splitsim {

/// What real numbers of images stand for.
enum class PixelScale : std::uint8_t { kUnknown, kUnit, kWhole };

/// Reads arrays into a set: the first, of the training part, decides on shape and type, the others must agree.
/// - images [N, H, W], [N, H, W, C] (C <= 4) or [N, C, H, W] (C = 1 or 3 and W > 4, which no other reading fits).
///   Integers are pixels 0..255; float32 and float64 are either all in [0, 1], and become 255 times that, rounded to
///   nearest, or all whole numbers 0..255; the training images decide, the others follow.
/// - float_images of the same shapes, of any finite numbers: they stay floats.
/// - windows [N, C, L] and rows [N, D], of any finite numbers, which become floats.
/// - tokens [N, L], integers from 0.
class ArrayFeatures {
 public:
  /// what: one of the names but auto, or auto for images and, where real numbers have two axes, rows. The set must outlive
  /// this.
  ArrayFeatures(Dataset& set, ReadAs what) : set_(set), what_(what) {}

  std::vector<std::uint8_t> read(NpyFile& file);

 private:
  struct Layout;
  Layout layout_of(const NpyFile& file) const;
  void agree(const NpyFile& file, const Layout& layout);
  std::vector<std::uint8_t> pixels(NpyFile& file);
  std::vector<std::uint8_t> floats(NpyFile& file);
  std::vector<std::uint8_t> tokens(NpyFile& file);

  Dataset& set_;
  ReadAs what_;
  PixelScale scale_ = PixelScale::kUnknown;
};

}  // namespace splitsim
