// Channels-last convolution on a CPU: plain loops.
#pragma once

#include "kernels/device/context.hpp"
#include "kernels/nn/layers/conv/conv2d.hpp"

namespace splitsim {

/// As conv2d_forward and conv2d_backward.
void conv2d_forward_last(CpuContext& ctx, const ReplicaMap& map, const ConvShape& shape, View<const float> x,
                         const Parameters& parameters, View<float> y, bool relu);
void conv2d_backward_last(CpuContext& ctx, const ReplicaMap& map, const ConvShape& shape, const Backprop& io,
                          Grouped weight, const Parameters& gradients);

}  // namespace splitsim
