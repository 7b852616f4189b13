// Body of kernels/nn/gather.hpp.
#pragma once

#include "kernels/nn/gather.hpp"
#include "kernels/nn/gather_pixels.hpp"
#include "kernels/nn/support/team_loops.hpp"

namespace splitsim {

namespace detail {
/// A block is one slot.
struct GatherPlanes {
  const std::int32_t* slots;
  GatherShape shape;
  const GatherSource* sources;
  GatherSlots of;
  float* x;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t slot) const {
    const std::int64_t size = shape.size();
    float* __restrict__ out = x + slot * size;
    if (slot >= *slots) {
      team_range(team, static_cast<std::int32_t>(size), [=](std::int32_t i) { out[i] = 0.0f; });
      return;
    }
    const GatherShape s = shape;
    const std::int32_t sample = of.sample[slot];
    const GatherSource source = sources[of.source == nullptr ? 0 : of.source[slot]];
    const std::uint8_t* image = source.images + sample * size;
    const std::int32_t pixels = s.height * s.width;
    const Augmentation cut(s, source.seed, sample, of.epoch == nullptr ? nullptr : of.epoch + slot);
    for (std::int32_t c = 0; c < s.channels; ++c) {
      const float mean = source.mean[c], inverse_std = source.inverse_std[c];
      const std::uint8_t* in = image + c * pixels;
      float* __restrict__ plane = out + c * pixels;
      if (cut.none()) {
        team_range(team, pixels,
                   [=](std::int32_t i) { plane[i] = (static_cast<float>(in[i]) / 255.0f - mean) * inverse_std; });
        continue;
      }
      team_grid(team, s.height, s.width, [=](std::int32_t row, std::int32_t column) {
        plane[row * s.width + column] = (cut.at(s, in, row, column) - mean) * inverse_std;
      });
    }
  }
};

}  // namespace detail

template <class Context>
void gather_images(Context& ctx, Slots slots, const GatherShape& shape, View<const GatherSource> sources,
                   const GatherSlots& of, View<float> x) {
  if (shape.floats) {
    for_each_cell(ctx, Extent{slots.max}, static_cast<std::int32_t>(shape.size()),
                  detail::GatherValues(slots.count, shape, sources.data(), of, x.data()));
    return;
  }
  if constexpr (!Context::kIsDevice) {
    if (shape.layout == Layout::kChannelsFirst) {
      for_each_block(ctx, slots.max, detail::GatherPlanes{slots.count, shape, sources.data(), of, x.data()});
      return;
    }
  }
  for_each_cell(ctx, Extent{slots.max}, shape.height * shape.width,
                detail::GatherPixels{slots.count, shape, FastDiv(shape.width), sources.data(), of, x.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C) \
  template void gather_images(C&, Slots, const GatherShape&, View<const GatherSource>, const GatherSlots&, View<float>);
