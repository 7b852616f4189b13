#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "base/npy.hpp"
#include "runtime/data/loaders.hpp"

namespace splitsim {
namespace {

constexpr std::int64_t kMaxChannels = 4, kMaxSide = 4096;
constexpr std::int32_t kMaxClasses = 1 << 20;  // a label beyond this is a mistake, not a class

/// What real numbers stand for.
enum class PixelScale { kUnknown, kUnit, kWhole };

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
  throw InputError(fmt::format("'{}': {}{}; allowed: {}", file.path(), say(not_unit), both, kAllowedReals));
}

std::vector<std::uint8_t> read_pixels(NpyFile& file, PixelScale& scale) {
  if (file.type().is_integer()) return file.integers<std::uint8_t>({0, 255, "pixels"});
  if (!file.type().is_real()) {
    throw InputError(fmt::format("'{}' holds images of type '{}'; allowed: integers, float32, float64", file.path(),
                                 file.type().code));
  }
  scale = scale_of(file, scale);
  const double factor = scale == PixelScale::kUnit ? 255.0 : 1.0;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(file.size()));
  file.for_each_real([&](const std::vector<double>& piece, std::int64_t first) {
    // Clamped, since the file may have changed since it was looked through.
    for (std::size_t i = 0; i < piece.size(); ++i) {
      const double value = std::rint(piece[i] * factor);
      pixels[static_cast<std::size_t>(first) + i] =
          static_cast<std::uint8_t>(value >= 0.0 ? std::min(value, 255.0) : 0.0);
    }
  });
  return file.in_c_order(std::move(pixels));
}

/// Extents of a file's images, and whether its channels come last.
struct Layout {
  std::int64_t count, height, width, channels;
  bool channels_last;
};

Layout layout_of(const NpyFile& file) {
  const std::vector<std::int64_t>& shape = file.shape();
  const auto within = [](std::int64_t extent, std::int64_t most) { return extent >= 1 && extent <= most; };
  if ((shape.size() == 3 || shape.size() == 4) && within(shape[0], std::numeric_limits<std::int32_t>::max())) {
    Layout layout{shape[0], shape[1], shape[2], shape.size() == 4 ? shape[3] : 1, true};
    const bool channels_first =
        shape.size() == 4 && (shape[1] == 1 || shape[1] == 3) && shape[3] > kMaxChannels;  // no [N, H, W, C] then
    if (channels_first) layout = {shape[0], shape[2], shape[3], shape[1], false};
    if (within(layout.height, kMaxSide) && within(layout.width, kMaxSide) && within(layout.channels, kMaxChannels)) {
      return layout;
    }
  }
  throw InputError(
      fmt::format("'{}' has the shape {}; allowed: [N, H, W], [N, H, W, C] with C from 1 to {}, [N, C, H, W] with C = "
                  "1 or 3 and W > "
                  "{}; N >= 1, H and W from 1 to {}",
                  file.path(), file.shape_text(), kMaxChannels, kMaxChannels, kMaxSide));
}

/// [N, H, W, C] to [N, C, H, W].
std::vector<std::uint8_t> channels_first(const std::vector<std::uint8_t>& pixels, const Layout& layout) {
  std::vector<std::uint8_t> images(pixels.size());
  const std::int64_t plane = layout.height * layout.width, channels = layout.channels;
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < layout.count; ++i) {
    const std::uint8_t* from = pixels.data() + i * plane * channels;
    std::uint8_t* to = images.data() + i * plane * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t j = 0; j < plane; ++j) to[c * plane + j] = from[j * channels + c];
    }
  }
  return images;
}

std::vector<std::uint8_t> read_images(const std::string& path, Dataset& set, PixelScale& scale) {
  NpyFile file(path);
  const Layout layout = layout_of(file);
  if (set.height != 0 &&
      (layout.height != set.height || layout.width != set.width || layout.channels != set.channels)) {
    throw InputError(
        fmt::format("'{}' has images of {} x {} x {} (height, width, channels), the training images have {} x {} x {}",
                    path, layout.height, layout.width, layout.channels, set.height, set.width, set.channels));
  }
  set.height = static_cast<std::int32_t>(layout.height);
  set.width = static_cast<std::int32_t>(layout.width);
  set.channels = static_cast<std::int32_t>(layout.channels);
  std::vector<std::uint8_t> pixels = read_pixels(file, scale);
  return layout.channels == 1 || !layout.channels_last ? pixels : channels_first(pixels, layout);
}

std::vector<std::int32_t> read_labels(const std::string& path, std::int64_t images, const std::string& image_path) {
  NpyFile file(path);
  if (!is_list_of(images, file.shape())) {
    throw InputError(
        fmt::format("'{}' has the shape {}; allowed: ({},) or ({}, 1), one label for each of the {} images of '{}'",
                    path, file.shape_text(), images, images, images, image_path));
  }
  return file.integers<std::int32_t>({0, kMaxClasses - 1, "labels"});
}

/// x.npy, y.npy, and the same as x_test.npy, y_test.npy. Classes are 1 + the largest label.
/// Images: [N, H, W], [N, H, W, C] (C <= 4) or [N, C, H, W] (C = 1 or 3 and W > 4, which no other reading fits).
/// Integers of any type are pixels 0..255. float32 and float64 are either all in [0, 1], and become 255 times that,
/// rounded to nearest, or all whole numbers 0..255; the training images decide, the test images follow.
/// Labels: [N] or [N, 1], integers of any type.
Dataset load(const DataSettings& settings, std::uint64_t) {
  const std::filesystem::path dir(settings.dir);
  for (const char* name : {"x.npy", "y.npy", "x_test.npy", "y_test.npy"}) {
    std::error_code ignored;
    if (!std::filesystem::exists(dir / name, ignored)) {
      throw InputError(fmt::format(
          "data.dir = '{}': {}'{}' is missing; data.name = 'npy' needs x.npy, y.npy, x_test.npy and y_test.npy",
          settings.dir, std::filesystem::is_directory(dir, ignored) ? "" : "no such folder, so ", name));
    }
  }
  const auto path = [&](const char* name) { return (dir / name).string(); };
  Dataset set;
  set.name = settings.name;
  PixelScale scale = PixelScale::kUnknown;
  set.train_images = read_images(path("x.npy"), set, scale);
  set.train_labels = read_labels(path("y.npy"), set.train_images.size() / set.image_size(), path("x.npy"));
  set.test_images = read_images(path("x_test.npy"), set, scale);
  set.test_labels = read_labels(path("y_test.npy"), set.test_images.size() / set.image_size(), path("x_test.npy"));
  set.classes = 1 + std::max(*std::max_element(set.train_labels.begin(), set.train_labels.end()),
                             *std::max_element(set.test_labels.begin(), set.test_labels.end()));
  return set;
}

}  // namespace

namespace datasets {

DatasetInfo npy() {
  return {
      "npy",
      "x.npy integer or float [N,H,W], [N,H,W,C] or [N,C,H,W], y.npy integer [N], x_test.npy, y_test.npy in data.dir",
      load};
}

}  // namespace datasets

}  // namespace splitsim
