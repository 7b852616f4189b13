// Body of kernels/nn/layers/dropout.hpp. Four features share the 128 bits of one address.
#pragma once

#include "kernels/device/philox.hpp"
#include "kernels/nn/layers/dropout.hpp"

namespace splitsim {

namespace detail {
struct Dropout {
  std::int64_t features, quads;  ///< quads: fours of features, the last one maybe not full
  DropoutRule rule;
  float scale;
  std::uint32_t threshold;  ///< bits below it drop a feature
  float* x;

  PSL_HD void operator()(std::int64_t index) const {
    const std::int64_t slot = index / quads, quad = index - slot * quads;
    const Bits128 bits =
        random_bits(rule.keys.seed, {Purpose::kDropout, static_cast<std::uint32_t>(rule.keys.sample[slot]),
                                     static_cast<std::uint32_t>(rule.layer),
                                     static_cast<std::uint32_t>(*rule.keys.epoch), static_cast<std::uint32_t>(quad)});
    const std::uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
    float* from = x + slot * features + 4 * quad;
    for (std::int64_t i = 0; i < 4 && 4 * quad + i < features; ++i) {
      from[i] = words[i] < threshold ? 0.0f : from[i] * scale;
    }
  }
};
}  // namespace detail

template <class Context>
void dropout(Context& ctx, Slots slots, std::int64_t features, const DropoutRule& rule, View<float> x) {
  const std::int64_t quads = (features + 3) / 4;
  const auto threshold = static_cast<std::uint32_t>(rule.probability * 0x1p32);
  const auto scale = static_cast<float>(1.0 / (1.0 - rule.probability));
  for_each_index(ctx, Extent{slots.max, slots.count, quads},
                 detail::Dropout{features, quads, rule, scale, threshold, x.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C) template void dropout(C&, Slots, std::int64_t, const DropoutRule&, View<float>);
