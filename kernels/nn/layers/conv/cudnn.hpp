// cuDNN's convolutions, channels last, for layers with one replica. The library is loaded when a context first asks for
// it, so that programs run without it; SPLITSIM_CUDNN=0 in the environment does without.
//
// Determinism: fixed-order for one build of the library and one GPU: the algorithms are those that NVIDIA lists as
// deterministic, and fixed (forward IMPLICIT_PRECOMP_GEMM, data ALGO_1, filter ALGO_1).
#pragma once

#include <cstdint>
#include <string>

#include "kernels/device/context.hpp"
#include "kernels/device/view.hpp"
#include "kernels/nn/layers/conv/conv2d.hpp"
#include "kernels/nn/support/grouped.hpp"

namespace splitsim {

/// As "9.19.0"; empty where it cannot be used, and `why_not` gets one line.
std::string cudnn_version(std::string* why_not = nullptr);

/// Whether cuDNN is there and can do all three passes of this layer over `slots` slots in its precision, and how many floats of
/// scratch it needs for them. Asks the library once per context and shape: before anything is captured.
struct CudnnPlan {
  bool usable = false;
  std::int64_t workspace = 0;
};
CudnnPlan cudnn_plan(CudaContext& ctx, const ConvShape& shape, std::int32_t slots);

/// As conv2d_forward and conv2d_backward's halves for all slots, the empty ones too; only where the plan says usable.
/// False: the library has changed its mind, as it may when it is first asked to do it; nothing that counts was done, and
/// the plan says so from then on.
bool cudnn_forward(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, View<const float> x,
                   const Parameters& parameters, View<float> workspace, View<float> y, bool relu);
bool cudnn_weight_gradient(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, const Backprop& io,
                           View<float> workspace, const Parameters& gradients);
bool cudnn_input_gradient(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, const Backprop& io,
                          Grouped weight, View<float> workspace);

}  // namespace splitsim
