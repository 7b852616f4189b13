// A data set on the device: features and labels, uploaded once.
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
  DeviceImages(Context& ctx, const std::vector<std::uint8_t>& features, const std::vector<std::int32_t>& sample_labels)
      : images(ctx, features), labels(ctx, sample_labels) {}
  std::int64_t count() const { return labels.size(); }

  Buffer<std::uint8_t, Context> images;  // [N, C, H, W], of what Dataset::type says
  Buffer<std::int32_t, Context> labels;  // [N]
};

/// How samples of a data set become network inputs; augmentation only where the settings ask for it.
inline GatherShape gather_shape(const Dataset& dataset, const DataSettings& settings, bool augment) {
  GatherShape shape{};
  shape.channels = dataset.channels;
  shape.height = dataset.height;
  shape.width = dataset.width;
  shape.crop_pad = augment ? settings.crop_pad : 0;
  shape.flip = augment && settings.flip;
  shape.floats = dataset.type == FeatureType::kFloat32;
  return shape;
}
/// The samples `of` a data set; pixels are normalised as that one's. seed: of augmentation, and of the order of tests.
template <class Context>
GatherSource gather_source(const DeviceImages<Context>& of, const Dataset& dataset, std::uint64_t seed) {
  GatherSource source;
  source.seed = seed;
  if (dataset.type == FeatureType::kFloat32) {
    source.values = reinterpret_cast<const float*>(of.images.data());
    return source;
  }
  source.images = of.images.data();
  for (int c = 0; c < dataset.channels; ++c) {
    source.mean[c] = dataset.mean[static_cast<std::size_t>(c)];
    source.inverse_std[c] = 1.0f / std::max(dataset.std[static_cast<std::size_t>(c)], 1e-6f);
  }
  return source;
}

}  // namespace splitsim
