// Max and average pooling (floor mode), as torch.nn.MaxPool2d / AvgPool2d; max pooling may pad, with
// -infinity, by at most half its window. Ring R1. Ties go to the first element of the window in row
// order, as in PyTorch. Determinism: exact.
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"
#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "kernels/nn/support/layout.hpp"
#include "kernels/nn/support/size2.hpp"

namespace splitsim {

struct PoolShape {
  std::int32_t channels, in_height, in_width;
  Size2 window, stride;
  Size2 padding = 0;  ///< max pooling only
  Layout layout = Layout::kChannelsFirst;
  PSL_HD std::int32_t out_height() const {
    return (in_height + 2 * padding.height - window.height) / stride.height + 1;
  }
  PSL_HD std::int32_t out_width() const { return (in_width + 2 * padding.width - window.width) / stride.width + 1; }
  PSL_HD std::int64_t in_size() const { return std::int64_t{channels} * in_height * in_width; }
  PSL_HD std::int64_t out_size() const { return std::int64_t{channels} * out_height() * out_width(); }
};

/// argmax: [S, out_size], index within the window (row * its width + column), whose area is at most 225.
template <class Context>
void max_pool_forward(Context& ctx, Slots slots, const PoolShape& shape, View<const float> x, View<float> y,
                      View<std::uint8_t> argmax);
/// io.dx: [S, in_size], overwritten; x is read only where it was rectified (channels last only).
template <class Context>
void max_pool_backward(Context& ctx, Slots slots, const PoolShape& shape, const Backprop& io,
                       View<const std::uint8_t> argmax);

template <class Context>
void avg_pool_forward(Context& ctx, Slots slots, const PoolShape& shape, View<const float> x, View<float> y);
template <class Context>
void avg_pool_backward(Context& ctx, Slots slots, const PoolShape& shape, View<const float> dy, View<float> dx);

/// Mean over each plane. x, dx: [S, size]; y, dy: [S, channels]. Determinism: fixed-order.
template <class Context>
void global_avg_pool_forward(Context& ctx, Slots slots, const PlaneShape& shape, View<const float> x, View<float> y);
template <class Context>
void global_avg_pool_backward(Context& ctx, Slots slots, const PlaneShape& shape, View<const float> dy, View<float> dx);

}  // namespace splitsim
