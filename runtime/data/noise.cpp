#include "runtime/data/noise.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>
#include <utility>

#include "base/error.hpp"
#include "kernels/device/math.hpp"
#include "kernels/device/philox.hpp"

namespace splitsim {

namespace {

Bits128 label_bits(std::uint64_t seed, std::size_t sample) {
  return random_bits(seed, {Purpose::kLabelNoise, static_cast<std::uint32_t>(sample)});
}

void flip_labels(Dataset& dataset, const std::vector<std::int32_t>& owner, double share, std::uint64_t seed) {
  if (dataset.classes < 2) return;
  const std::int32_t clients = 1 + *std::max_element(owner.begin(), owner.end());
  std::vector<std::vector<std::size_t>> samples(static_cast<std::size_t>(clients));
  for (std::size_t s = 0; s < owner.size(); ++s) samples[static_cast<std::size_t>(owner[s])].push_back(s);
  for (std::vector<std::size_t>& mine : samples) {
    const auto key = [&](std::size_t s) {
      const Bits128 bits = label_bits(seed, s);
      return (static_cast<std::uint64_t>(bits.y) << 32) | bits.x;
    };
    std::sort(mine.begin(), mine.end(), [&](std::size_t a, std::size_t b) {
      const std::uint64_t x = key(a), y = key(b);
      return x != y ? x < y : a < b;
    });
    const auto flipped = static_cast<std::size_t>(std::nearbyint(share * static_cast<double>(mine.size())));
    for (std::size_t i = 0; i < flipped; ++i) {
      const auto other = static_cast<std::int32_t>(
          (std::uint64_t{label_bits(seed, mine[i]).z} * static_cast<std::uint64_t>(dataset.classes - 1)) >> 32);
      std::int32_t& label = dataset.train_labels[mine[i]];
      label = other < label ? other : other + 1;
    }
  }
}

/// What is wrong with the settings for samples of this kind.
void check_shifts(const Dataset& dataset, const PartitionSettings& settings) {
  const auto refuse = [&](const char* key, const std::string& value, const std::string& why) {
    throw InputError(fmt::format("partition.{} = {}: {}", key, value, why));
  };
  const std::string kind(name_of(dataset.kind));
  const std::string what = fmt::format("the samples of data.name = \"{}\" are {}", dataset.name, kind);
  if (dataset.kind == SampleKind::kTokens) {
    for (const auto& [key, value] : {std::pair{"contrast_sd", settings.contrast_sd},
                                     std::pair{"brightness_sd", settings.brightness_sd},
                                     std::pair{"pixel_noise", settings.pixel_noise}}) {
      if (value > 0.0) refuse(key, fmt::to_string(value), what + "; allowed: 0.0");
    }
  }
  if (settings.rotation == Rotation::kNone) return;
  const std::string value = fmt::format("\"{}\"", name_of(settings.rotation));
  if (dataset.kind != SampleKind::kImages) refuse("rotation", value, what + "; allowed: \"none\"");
  if (settings.rotation == Rotation::kQuarter && dataset.height != dataset.width) {
    refuse("rotation", value,
           fmt::format("the images of data.name = \"{}\" are {} x {}; allowed: \"none\", \"half\"", dataset.name,
                       dataset.height, dataset.width));
  }
}

/// The same pixels, turned left by quarters of a circle: an odd number of them for squares only.
template <class T>
void turn(const Dataset& dataset, int quarters, T* sample, std::vector<T>& plane) {
  const std::int32_t height = dataset.height, width = dataset.width;
  plane.resize(static_cast<std::size_t>(height) * static_cast<std::size_t>(width));
  for (std::int32_t c = 0; c < dataset.channels; ++c) {
    T* pixels = sample + std::int64_t{c} * height * width;
    std::copy(pixels, pixels + plane.size(), plane.begin());
    for (std::int32_t y = 0; y < height; ++y) {
      for (std::int32_t x = 0; x < width; ++x) {
        const std::int32_t from_y = quarters == 1 ? x : quarters == 2 ? height - 1 - y : height - 1 - x;
        const std::int32_t from_x = quarters == 1 ? width - 1 - y : quarters == 2 ? width - 1 - x : y;
        pixels[y * width + x] = plane[static_cast<std::size_t>(from_y * width + from_x)];
      }
    }
  }
}

/// range: of a pixel; of floats their standard deviation, which is 1.
template <class T>
void shift_features(Dataset& dataset, const std::vector<std::int32_t>& owner, const PartitionSettings& settings,
                    std::uint64_t seed, double range) {
  const auto size = static_cast<std::size_t>(dataset.sample_size());
  const bool shades = settings.contrast_sd > 0.0 || settings.brightness_sd > 0.0 || settings.pixel_noise > 0.0;
  std::vector<T> plane;
  for (std::size_t s = 0; s < owner.size(); ++s) {
    const auto client = static_cast<std::uint32_t>(owner[s]);
    T* values = reinterpret_cast<T*>(dataset.train_features.data()) + s * size;
    if (settings.rotation != Rotation::kNone) {
      const std::uint32_t word = random_bits(seed, {Purpose::kFeatureShift, client, 2}).x;
      const int quarters = static_cast<int>(settings.rotation == Rotation::kHalf ? word >> 31 << 1 : word >> 30);
      if (quarters > 0) turn(dataset, quarters, values, plane);
    }
    if (!shades) continue;
    const double factor = exact_exp(settings.contrast_sd * exact_normal(seed, {Purpose::kFeatureShift, client, 0}));
    const double shift = range * settings.brightness_sd * exact_normal(seed, {Purpose::kFeatureShift, client, 1});
    for (std::size_t p = 0; p < size; ++p) {
      double value = factor * static_cast<double>(values[p]) + shift;
      if (settings.pixel_noise > 0.0) {
        const Address at{Purpose::kPixelNoise, static_cast<std::uint32_t>(s), static_cast<std::uint32_t>(p)};
        value += range * settings.pixel_noise * exact_normal(seed, at);
      }
      if constexpr (std::is_same_v<T, std::uint8_t>) value = std::clamp(std::nearbyint(value), 0.0, 255.0);
      values[p] = static_cast<T>(value);
    }
  }
}

}  // namespace

void add_noise(Dataset& dataset, const std::vector<std::int32_t>& owner, const PartitionSettings& settings,
               std::uint64_t seed) {
  check_shifts(dataset, settings);
  if (settings.label_noise > 0.0) flip_labels(dataset, owner, settings.label_noise, seed);
  if (!settings.shifts_features() || dataset.train_features.empty()) return;
  if (dataset.type == FeatureType::kUint8) {
    shift_features<std::uint8_t>(dataset, owner, settings, seed, 255.0);
  } else {
    shift_features<float>(dataset, owner, settings, seed, 1.0);
  }
}

}  // namespace splitsim
