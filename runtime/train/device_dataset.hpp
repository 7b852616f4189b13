// A data set on the device: uint8 images and labels, uploaded once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/device/buffer.hpp"
#include "kernels/nn/gather.hpp"
#include "runtime/data/dataset.hpp"

namespace splitsim {

template <class Context>
struct DeviceImages {
  DeviceImages(Context& ctx, const std::vector<std::uint8_t>& image_bytes,
               const std::vector<std::int32_t>& image_labels)
      : images(ctx, image_bytes), labels(ctx, image_labels) {}
  std::int64_t count() const { return labels.size(); }

  Buffer<std::uint8_t, Context> images;  // [N, C, H, W]
  Buffer<std::int32_t, Context> labels;  // [N]
};

/// How images of a data set become network inputs; augmentation only where the settings ask for it.
inline GatherShape gather_shape(const Dataset& dataset, const DataSettings& settings, bool augment) {
  GatherShape shape{};
  shape.channels = dataset.channels;
  shape.height = dataset.height;
  shape.width = dataset.width;
  shape.crop_pad = augment ? settings.crop_pad : 0;
  shape.flip = augment && settings.flip;
  return shape;
}
/// The images `of` a data set, normalised as that one is. seed: of augmentation, and of the order of tests.
template <class Context>
GatherSource gather_source(const DeviceImages<Context>& of, const Dataset& dataset, std::uint64_t seed) {
  GatherSource source;
  source.images = of.images.data();
  for (int c = 0; c < dataset.channels; ++c) {
    source.mean[c] = dataset.mean[static_cast<std::size_t>(c)];
    source.inverse_std[c] = 1.0f / std::max(dataset.std[static_cast<std::size_t>(c)], 1e-6f);
  }
  source.seed = seed;
  return source;
}

}  // namespace splitsim
