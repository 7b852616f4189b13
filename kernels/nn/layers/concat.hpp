// Two inputs side by side: the channels of one, then those of the other, as torch.cat(dim = 1). Ring R1. Determinism:
// exact.
#pragma once

#include <cstdint>

#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "kernels/nn/support/layout.hpp"

namespace splitsim {

struct ConcatShape {
  std::int32_t first, second, pixels;  ///< channels of each input
  Layout layout = Layout::kChannelsFirst;
  PlaneShape both() const { return {first + second, pixels, layout}; }
};

/// a: [S, first, pixels], b: [S, second, pixels], y: [S, first + second, pixels].
template <class Context>
void concat_forward(Context& ctx, Slots slots, const ConcatShape& shape, View<const float> a, View<const float> b,
                    View<float> y);
/// The part of dy that belongs to one of the inputs. dx: as that input, overwritten.
template <class Context>
void concat_backward(Context& ctx, Slots slots, const ConcatShape& shape, bool second, View<const float> dy,
                     View<float> dx);

}  // namespace splitsim
