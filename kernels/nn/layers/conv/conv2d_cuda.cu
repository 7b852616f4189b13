#include "kernels/nn/layers/conv/conv2d.hpp"
#include "kernels/nn/layers/conv/implicit_gemm.hpp"

namespace splitsim {

template <>
std::int64_t conv2d_workspace(CudaContext&, const ConvShape& shape, std::int32_t max_slots, std::int32_t max_active) {
  return implicit_gemm_workspace(shape, max_slots, max_active);
}

template <>
void conv2d_forward(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, View<const float> x,
                    const Parameters& parameters, View<float>, View<float> y, bool relu) {
  implicit_gemm_forward(ctx, map, shape, {MathPrecision::kFp32, relu}, x, parameters, y);
}

template <>
void conv2d_backward(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, const Backprop& io,
                     Grouped weight, View<float> workspace, const Parameters& gradients) {
  implicit_gemm_weight_gradient(ctx, map, shape, MathPrecision::kFp32, io, workspace, gradients);
  if (!io.dx.empty()) {
    implicit_gemm_input_gradient(ctx, map, shape, MathPrecision::kFp32, io, weight);
  }
}

}  // namespace splitsim
