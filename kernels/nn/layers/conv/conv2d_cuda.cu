// Which convolution a layer gets on a GPU: with one replica cuDNN's, where it is at hand and can and is not known to be
// slower; else our own.
#include <algorithm>
#include <memory>
#include <utility>

#include "kernels/device/cuda_impl.cuh"
#include "kernels/nn/layers/conv/choice.hpp"
#include "kernels/nn/layers/conv/conv2d.hpp"
#include "kernels/nn/layers/conv/cudnn.hpp"
#include "kernels/nn/layers/conv/implicit_gemm.hpp"

namespace splitsim {

namespace {
bool chosen(CudaContext& ctx, const ConvShape& shape, std::int32_t slots, ConvPass pass) {
  const auto* choices = static_cast<const ConvChoices*>(ctx.impl().conv_choices.get());
  return choices == nullptr || choices->cudnn(shape, slots, pass);
}

/// Scratch that was planned for many replicas may be too small for it.
bool by_cudnn(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, ConvPass pass, View<float> workspace) {
  if (!map.tied() || !chosen(ctx, shape, map.max_slots, pass)) return false;
  const CudnnPlan plan = cudnn_plan(ctx, shape, map.max_slots);
  return plan.usable && plan.workspace <= workspace.size();
}
}  // namespace

void choose_convolutions(CudaContext& ctx, ConvChoices choices) {
  ctx.impl().conv_choices = std::make_shared<ConvChoices>(std::move(choices));
}

template <>
std::int64_t conv2d_workspace(CudaContext& ctx, const ConvShape& shape, std::int32_t max_slots,
                              std::int32_t max_active, std::int32_t) {
  const std::int64_t own = implicit_gemm_workspace(shape, max_slots, max_active);
  const CudnnPlan plan = max_active == 1 ? cudnn_plan(ctx, shape, max_slots) : CudnnPlan{};
  return plan.usable ? std::max(own, plan.workspace) : own;
}

template <>
void conv2d_forward(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, View<const float> x,
                    const Parameters& parameters, View<float> workspace, View<float> y, bool relu) {
  if (by_cudnn(ctx, map, shape, ConvPass::kForward, workspace) &&
      cudnn_forward(ctx, map, shape, x, parameters, workspace, y, relu)) {
    return;
  }
  implicit_gemm_forward(ctx, map, shape, {shape.precision, relu}, x, parameters, y);
}

template <>
void conv2d_backward(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, const Backprop& io,
                     Grouped weight, View<float> workspace, const Parameters& gradients) {
  if (!by_cudnn(ctx, map, shape, ConvPass::kWeightGradient, workspace) ||
      !cudnn_weight_gradient(ctx, map, shape, io, workspace, gradients)) {
    implicit_gemm_weight_gradient(ctx, map, shape, shape.precision, io, workspace, gradients);
  }
  if (io.dx.empty()) return;
  if (!by_cudnn(ctx, map, shape, ConvPass::kInputGradient, workspace) ||
      !cudnn_input_gradient(ctx, map, shape, io, weight, workspace)) {
    implicit_gemm_input_gradient(ctx, map, shape, shape.precision, io, weight);
  }
}

}  // namespace splitsim
