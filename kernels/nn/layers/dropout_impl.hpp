// Body of kernels/nn/layers/dropout.hpp. Four features share the 128 bits of one address.
#pragma once

#include "kernels/device/philox.hpp"
#include "kernels/nn/layers/dropout.hpp"

namespace splitsim {

namespace detail {
/// A row is a slot, a column four of its features, of the last one maybe fewer.
struct Dropout {
  FeaturePlaces places;
  DropoutRule rule;
  float scale;
  std::uint32_t threshold;  ///< bits below it drop a feature
  float* x;

  PSL_HD void operator()(std::int64_t slot, std::int32_t quad) const {
    const Bits128 bits = random_bits(
        rule.keys.seed[slot],
        {Purpose::kDropout, static_cast<std::uint32_t>(rule.keys.sample[slot]), static_cast<std::uint32_t>(rule.layer),
         static_cast<std::uint32_t>(rule.keys.epoch[slot]), static_cast<std::uint32_t>(quad)});
    const std::uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
    const std::int32_t size = places.shape.size();
    float* features = x + slot * size;
    PSL_UNROLL
    for (std::int32_t i = 0; i < 4; ++i) {
      const std::int32_t feature = 4 * quad + i;
      if (feature >= size) break;
      float& value = features[places.place(feature)];
      value = words[i] < threshold ? 0.0f : value * scale;
    }
  }
};
}  // namespace detail

template <class Context>
void dropout(Context& ctx, Slots slots, const PlaneShape& shape, const DropoutRule& rule, View<float> x) {
  const auto threshold = static_cast<std::uint32_t>(rule.probability * 0x1p32);
  const auto scale = static_cast<float>(1.0 / (1.0 - rule.probability));
  for_each_cell(ctx, layer_slots<Context>(slots), (shape.size() + 3) / 4,
                detail::Dropout{FeaturePlaces(shape), rule, scale, threshold, x.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C) template void dropout(C&, Slots, const PlaneShape&, const DropoutRule&, View<float>);
