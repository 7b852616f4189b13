#include "runtime/data/noise.hpp"

#include <algorithm>
#include <cmath>

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

void shift_features(Dataset& dataset, const std::vector<std::int32_t>& owner, const PartitionSettings& settings,
                    std::uint64_t seed) {
  const auto size = static_cast<std::size_t>(dataset.image_size());
  for (std::size_t s = 0; s < owner.size(); ++s) {
    const auto client = static_cast<std::uint32_t>(owner[s]);
    const double factor = exact_exp(settings.contrast_sd * exact_normal(seed, {Purpose::kFeatureShift, client, 0}));
    const double shift = 255.0 * settings.brightness_sd * exact_normal(seed, {Purpose::kFeatureShift, client, 1});
    std::uint8_t* pixels = dataset.train_images.data() + s * size;
    for (std::size_t p = 0; p < size; ++p) {
      double value = factor * pixels[p] + shift;
      if (settings.pixel_noise > 0.0) {
        const Address at{Purpose::kPixelNoise, static_cast<std::uint32_t>(s), static_cast<std::uint32_t>(p)};
        value += 255.0 * settings.pixel_noise * exact_normal(seed, at);
      }
      pixels[p] = static_cast<std::uint8_t>(std::clamp(std::nearbyint(value), 0.0, 255.0));
    }
  }
}

}  // namespace

void add_noise(Dataset& dataset, const std::vector<std::int32_t>& owner, const PartitionSettings& settings,
               std::uint64_t seed) {
  if (settings.label_noise > 0.0) flip_labels(dataset, owner, settings.label_noise, seed);
  const bool shifts = settings.contrast_sd > 0.0 || settings.brightness_sd > 0.0 || settings.pixel_noise > 0.0;
  if (shifts && !dataset.train_images.empty()) shift_features(dataset, owner, settings, seed);
}

}  // namespace splitsim
