// Which convolution a layer gets on a GPU: with one replica cuDNN's, where it is at hand and can; else our own.
#include <algorithm>

#include "kernels/nn/layers/conv/conv2d.hpp"
#include "kernels/nn/layers/conv/cudnn.hpp"
#include "kernels/nn/layers/conv/implicit_gemm.hpp"

namespace splitsim {

namespace {
/// Scratch that was planned for many replicas may be too small for it.
bool by_cudnn(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, View<float> workspace) {
  if (!map.tied()) return false;
  const CudnnPlan plan = cudnn_plan(ctx, shape, map.max_slots);
  return plan.usable && plan.workspace <= workspace.size();
}
}  // namespace

template <>
std::int64_t conv2d_workspace(CudaContext& ctx, const ConvShape& shape, std::int32_t max_slots,
                              std::int32_t max_active) {
  const std::int64_t own = implicit_gemm_workspace(shape, max_slots, max_active);
  const CudnnPlan plan = max_active == 1 ? cudnn_plan(ctx, shape, max_slots) : CudnnPlan{};
  return plan.usable ? std::max(own, plan.workspace) : own;
}

template <>
void conv2d_forward(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, View<const float> x,
                    const Parameters& parameters, View<float> workspace, View<float> y, bool relu) {
  if (by_cudnn(ctx, map, shape, workspace) && cudnn_forward(ctx, map, shape, x, parameters, workspace, y, relu)) return;
  implicit_gemm_forward(ctx, map, shape, {shape.precision, relu}, x, parameters, y);
}

template <>
void conv2d_backward(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, const Backprop& io,
                     Grouped weight, View<float> workspace, const Parameters& gradients) {
  if (by_cudnn(ctx, map, shape, workspace) && cudnn_backward(ctx, map, shape, io, weight, workspace, gradients)) return;
  implicit_gemm_weight_gradient(ctx, map, shape, shape.precision, io, workspace, gradients);
  if (!io.dx.empty()) implicit_gemm_input_gradient(ctx, map, shape, shape.precision, io, weight);
}

}  // namespace splitsim
