// Grouped 2-D convolution (cross-correlation, as torch.nn.Conv2d).
//
// Two implementations (ring R2): CPU im2col + oneDNN sgemm per few slots of a replica, CUDA implicit GEMM on tensor
// cores, channels last. A CPU's channels-last convolution is plain loops: it is there to show that what a GPU trains is
// the same network. Determinism: fixed-order (on the CPU for any thread count).
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"
#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "kernels/nn/support/layout.hpp"
#include "kernels/nn/support/size2.hpp"
#include "kernels/primitives/precision.hpp"

namespace splitsim {

struct ConvShape {
  std::int32_t in_channels, in_height, in_width;
  std::int32_t out_channels;
  Size2 kernel, stride, padding;
  std::int32_t groups = 1;  ///< the channels in as many equal parts, each convolved by itself; in_channels: depthwise
  Layout layout = Layout::kChannelsFirst;  ///< of x, y and the weights
  Precision precision = Precision::kFp32;  ///< a GPU's; a CPU multiplies in fp32
  PSL_HD std::int32_t out_height() const {
    return (in_height + 2 * padding.height - kernel.height) / stride.height + 1;
  }
  PSL_HD std::int32_t out_width() const { return (in_width + 2 * padding.width - kernel.width) / stride.width + 1; }
  PSL_HD std::int64_t in_size() const { return std::int64_t{in_channels} * in_height * in_width; }
  PSL_HD std::int64_t out_size() const { return std::int64_t{out_channels} * out_height() * out_width(); }
  /// Weights per output channel.
  PSL_HD std::int64_t patch() const { return std::int64_t{in_channels} / groups * kernel.area(); }
  /// Rows of an image's patch matrix.
  PSL_HD std::int64_t taps() const { return std::int64_t{in_channels} * kernel.area(); }
  PSL_HD std::int64_t weights() const { return patch() * out_channels; }
  friend bool operator==(const ConvShape&, const ConvShape&) = default;
};

/// Floats of scratch that forward and backward need (take the larger once, before the run).
template <class Context>
std::int64_t conv2d_workspace(Context& ctx, const ConvShape& shape, std::int32_t max_slots, std::int32_t max_active,
                              std::int32_t experiments = 1);

/// y[s] = conv(x[s], weight of s's replica) + bias. x: [S, in_size], weight: [G][out, in / groups, kh, kw], channels
/// last [G][out, kh, kw, in / groups], bias: [G][out], y: [S, out_size]. relu: y is rectified; channels last only.
/// Empty slots' outputs are unspecified.
template <class Context>
void conv2d_forward(Context& ctx, const ReplicaMap& map, const ConvShape& shape, View<const float> x,
                    const Parameters& parameters, View<float> workspace, View<float> y, bool relu = false);

/// Gradients of conv2d_forward. gradients: [max_active ranks], overwritten for active ranks with the sum over the
/// rank's slots. io.rectified: channels last only. With one replica on a GPU the empty slots of dy must hold zeros and
/// those of x something finite; elsewhere they may hold anything.
template <class Context>
void conv2d_backward(Context& ctx, const ReplicaMap& map, const ConvShape& shape, const Backprop& io, Grouped weight,
                     View<float> workspace, const Parameters& gradients);

}  // namespace splitsim
