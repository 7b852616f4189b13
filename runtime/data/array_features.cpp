#include "runtime/data/array_features.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "base/error.hpp"
#include "runtime/data/loaders.hpp"

namespace splitsim {

namespace {

constexpr std::int64_t kMaxPixelChannels = 4, kMaxSide = 4096;

constexpr const char* kAllowedReals =
    "all from 0 to 1 (they become 255 times that, rounded), or all whole numbers from 0 to 255";

bool is_unit(double value) { return value >= 0.0 && value <= 1.0; }
bool is_whole(double value) { return value >= 0.0 && value <= 255.0 && value == std::rint(value); }

/// The first value that a reading does not fit.
struct Misfit {
  std::int64_t at = -1;
  double value = 0.0;

  void look(bool fits, std::int64_t index, double found) {
    if (!fits && at < 0) *this = {index, found};
  }
};

PixelScale scale_of(NpyFile& file, PixelScale training) {
  Misfit not_unit, not_whole;
  file.for_each_real([&](const std::vector<double>& piece, std::int64_t first) {
    for (std::size_t i = 0; i < piece.size(); ++i) {
      const std::int64_t at = first + static_cast<std::int64_t>(i);
      not_unit.look(is_unit(piece[i]), at, piece[i]);
      not_whole.look(is_whole(piece[i]), at, piece[i]);
    }
  });
  const auto say = [&](const Misfit& misfit) {
    return fmt::format("entry {} is {}", file.c_index(misfit.at), misfit.value);
  };
  if (training == PixelScale::kUnit && not_unit.at >= 0) {
    throw InputError(fmt::format("'{}': {}; allowed: 0 to 1, as in the training images", file.path(), say(not_unit)));
  }
  if (training == PixelScale::kWhole && not_whole.at >= 0) {
    throw InputError(fmt::format("'{}': {}; allowed: whole numbers from 0 to 255, as in the training images",
                                 file.path(), say(not_whole)));
  }
  if (training != PixelScale::kUnknown) return training;
  if (not_unit.at < 0) return PixelScale::kUnit;
  if (not_whole.at < 0) return PixelScale::kWhole;
  const std::string both = not_unit.at == not_whole.at ? "" : " and " + say(not_whole);
  throw InputError(fmt::format("'{}': {}{}; allowed: {}; any numbers with data.read_as = \"float_images\"",
                               file.path(), say(not_unit), both, kAllowedReals));
}

/// [N, H, W, C] to [N, C, H, W].
template <class T>
std::vector<T> channels_first(const std::vector<T>& pixels, std::int64_t plane, std::int64_t channels) {
  std::vector<T> images(pixels.size());
  const std::int64_t count = static_cast<std::int64_t>(pixels.size()) / (plane * channels);
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < count; ++i) {
    const T* from = pixels.data() + i * plane * channels;
    T* to = images.data() + i * plane * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t j = 0; j < plane; ++j) to[c * plane + j] = from[j * channels + c];
    }
  }
  return images;
}

bool is_image(ReadAs what) { return what == ReadAs::kImages || what == ReadAs::kFloatImages; }

const char* allowed_shapes(ReadAs what) {
  switch (what) {
    case ReadAs::kWindows:
      return "[N, C, L], with data.read_as = \"windows\"";
    case ReadAs::kRows:
      return "[N, D], with data.read_as = \"rows\"";
    case ReadAs::kTokens:
      return "[N, L], with data.read_as = \"tokens\"";
    default:
      return "[N, H, W], [N, H, W, C] with C from 1 to 4, [N, C, H, W] with C = 1 or 3 and W > 4; H and W from 1 to 4096 "
             "(other samples: data.read_as)";
  }
}

}  // namespace

/// Extents of a file's samples, and whether its channels come last.
struct ArrayFeatures::Layout {
  std::int64_t channels, height, width;
  bool channels_last = false;
};

ArrayFeatures::Layout ArrayFeatures::layout_of(const NpyFile& file) const {
  const std::vector<std::int64_t>& shape = file.shape();
  const auto within = [](std::int64_t extent, std::int64_t most) { return extent >= 1 && extent <= most; };
  const auto fail = [&] {
    throw InputError(
        fmt::format("'{}' has the shape {}; allowed: {}; N >= 1", file.path(), file.shape_text(), allowed_shapes(what_)));
  };
  if (shape.empty() || !within(shape[0], std::numeric_limits<std::int32_t>::max())) fail();
  if (is_image(what_)) {
    if (shape.size() != 3 && shape.size() != 4) fail();
    Layout layout{shape.size() == 4 ? shape[3] : 1, shape[1], shape[2], shape.size() == 4};
    const bool first = shape.size() == 4 && (shape[1] == 1 || shape[1] == 3) && shape[3] > kMaxPixelChannels;
    if (first) layout = {shape[1], shape[2], shape[3]};  // no [N, H, W, C] then
    if (!within(layout.height, kMaxSide) || !within(layout.width, kMaxSide)) fail();
    if (!within(layout.channels, kMaxPixelChannels)) fail();
    return layout;
  }
  const bool windows = what_ == ReadAs::kWindows;
  if (shape.size() != (windows ? 3u : 2u)) fail();
  Layout layout{windows ? shape[1] : 1, 1, shape.back()};
  if (what_ == ReadAs::kRows) layout = {shape[1], 1, 1};
  if (!within(layout.channels, kMaxSampleValues) || !within(layout.width, kMaxSampleValues / layout.channels)) fail();
  return layout;
}

void ArrayFeatures::agree(const NpyFile& file, const Layout& layout) {
  const auto channels = static_cast<std::int32_t>(layout.channels), height = static_cast<std::int32_t>(layout.height),
             width = static_cast<std::int32_t>(layout.width);
  if (set_.height != 0 && (channels != set_.channels || height != set_.height || width != set_.width)) {
    const std::string kind(name_of(set_.kind));
    throw InputError(fmt::format(
        "'{}' has {} of {} x {} x {} (height, width, channels), the training {} have {} x {} x {}", file.path(), kind,
        height, width, channels, kind, set_.height, set_.width, set_.channels));
  }
  set_.channels = channels;
  set_.height = height;
  set_.width = width;
}

std::vector<std::uint8_t> ArrayFeatures::pixels(NpyFile& file) {
  if (file.type().is_integer()) return file.integers<std::uint8_t>({0, 255, "pixels"});
  if (!file.type().is_real()) {
    throw InputError(fmt::format("'{}' holds images of type '{}'; allowed: integers, float32, float64", file.path(),
                                 file.type().code));
  }
  scale_ = scale_of(file, scale_);
  const double factor = scale_ == PixelScale::kUnit ? 255.0 : 1.0;
  std::vector<std::uint8_t> values(static_cast<std::size_t>(file.size()));
  file.for_each_real([&](const std::vector<double>& piece, std::int64_t first) {
    // Clamped, since the file may have changed since it was looked through.
    for (std::size_t i = 0; i < piece.size(); ++i) {
      const double value = std::rint(piece[i] * factor);
      values[static_cast<std::size_t>(first) + i] =
          static_cast<std::uint8_t>(value >= 0.0 ? std::min(value, 255.0) : 0.0);
    }
  });
  return file.in_c_order(std::move(values));
}

std::vector<std::uint8_t> ArrayFeatures::floats(NpyFile& file) {
  std::vector<float> values(static_cast<std::size_t>(file.size()));
  if (file.type().is_integer()) {
    constexpr std::int64_t kMost = std::int64_t{1} << 53;
    const std::vector<std::int64_t> whole = file.integers<std::int64_t>({-kMost, kMost, "numbers"});
    std::copy(whole.begin(), whole.end(), values.begin());
  } else {
    file.for_each_real([&](const std::vector<double>& piece, std::int64_t first) {
      for (std::size_t i = 0; i < piece.size(); ++i) {
        const auto value = static_cast<float>(piece[i]);
        if (!std::isfinite(value)) {
          const std::int64_t at = first + static_cast<std::int64_t>(i);
          throw InputError(fmt::format("'{}': entry {} is {}; allowed: finite numbers of float32", file.path(),
                                       file.c_index(at), piece[i]));
        }
        values[static_cast<std::size_t>(first) + i] = value;
      }
    });
    values = file.in_c_order(std::move(values));
  }
  if (is_image(what_) && set_.channels > 1 && layout_of(file).channels_last) {
    values = channels_first(values, std::int64_t{set_.height} * set_.width, set_.channels);
  }
  return bytes_of(values);
}

std::vector<std::uint8_t> ArrayFeatures::tokens(NpyFile& file) {
  const std::vector<std::int32_t> ids = file.integers<std::int32_t>({0, kMaxVocabulary - 1, "tokens"});
  set_.vocabulary = std::max(set_.vocabulary, 1 + *std::max_element(ids.begin(), ids.end()));
  return bytes_of(std::vector<float>(ids.begin(), ids.end()));
}

std::vector<std::uint8_t> ArrayFeatures::read(NpyFile& file) {
  if (what_ == ReadAs::kAuto) {
    what_ = file.shape().size() == 2 && file.type().is_real() ? ReadAs::kRows : ReadAs::kImages;
  }
  set_.kind = what_ == ReadAs::kWindows  ? SampleKind::kWindows
              : what_ == ReadAs::kRows   ? SampleKind::kRows
              : what_ == ReadAs::kTokens ? SampleKind::kTokens
                                         : SampleKind::kImages;
  set_.type = what_ == ReadAs::kImages ? FeatureType::kUint8 : FeatureType::kFloat32;
  const Layout layout = layout_of(file);
  agree(file, layout);
  if (what_ == ReadAs::kTokens) return tokens(file);
  if (what_ != ReadAs::kImages) return floats(file);
  std::vector<std::uint8_t> values = pixels(file);
  if (layout.channels == 1 || !layout.channels_last) return values;
  return channels_first(values, layout.height * layout.width, layout.channels);
}

}  // namespace splitsim
