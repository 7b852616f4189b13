// Fully connected layers on a GPU: our own small products; else with one replica those of a library, over all slots, the
// empty ones too (their dy is 0, so that they add nothing to a gradient), and with many a convolution of one pixel.
#include "kernels/nn/layers/conv/implicit_gemm.hpp"
#include "kernels/nn/layers/linear.hpp"
#include "kernels/nn/layers/linear_small.hpp"
#include "kernels/nn/layers/pointwise.hpp"
#include "kernels/primitives/gemm.hpp"

namespace splitsim {

namespace {
ConvShape as_convolution(const LinearShape& s) { return {s.in, 1, 1, s.out, 1, 1, 0, 1, Layout::kChannelsLast}; }
}  // namespace

template <>
std::int64_t linear_workspace(CudaContext&, const LinearShape& shape, std::int32_t max_slots, std::int32_t max_active) {
  return implicit_gemm_workspace(as_convolution(shape), max_slots, max_active);
}

template <>
void linear_forward(CudaContext& ctx, const ReplicaMap& map, const LinearShape& shape, View<const float> x,
                    const Parameters& parameters, View<float>, View<float> y, bool relu) {
  if (is_small(shape, map)) {
    return small_linear_forward(ctx, map, shape, x, parameters, y, relu);
  }
  if (!map.tied() || parameters.bias.data == nullptr) {
    return implicit_gemm_forward(ctx, map, as_convolution(shape), {shape.precision, relu}, x, parameters, y);
  }
  const GemmShape product{.transpose_b = true,
                          .m = map.max_slots,
                          .n = shape.out,
                          .k = shape.in,
                          .lda = shape.in,
                          .ldb = shape.in,
                          .ldc = shape.out,
                          .precision = shape.precision};
  gemm_bias(ctx, product, x.data(), parameters.weight.data, parameters.bias.data, y.data(), relu);
}

template <>
void linear_backward(CudaContext& ctx, const ReplicaMap& map, const LinearShape& shape, const Backprop& io,
                     Grouped weight, View<float> workspace, const Parameters& gradients) {
  if (is_small(shape, map)) {
    return small_linear_backward(ctx, map, shape, io, weight, gradients);
  }
  if (!map.tied()) {
    const ConvShape conv = as_convolution(shape);
    if (!io.dx.empty()) implicit_gemm_input_gradient(ctx, map, conv, shape.precision, io, weight);
    return implicit_gemm_weight_gradient(ctx, map, conv, shape.precision, io, workspace, gradients);
  }
  if (!io.dx.empty()) {
    const GemmShape for_input{.m = map.max_slots,
                              .n = shape.in,
                              .k = shape.out,
                              .lda = shape.out,
                              .ldb = shape.in,
                              .ldc = shape.in,
                              .precision = shape.precision};
    gemm(ctx, for_input, io.dy.data(), weight.data, io.dx.data());
    if (io.rectified) relu_backward(ctx, map.valid(), shape.in, io.x, io.dx);
  }
  const GemmShape for_weight{.transpose_a = true,
                             .m = shape.out,
                             .n = shape.in,
                             .k = map.max_slots,
                             .lda = shape.out,
                             .ldb = shape.in,
                             .ldc = shape.in,
                             .precision = shape.precision};
  if (gradients.bias.data != nullptr) {
    gemm_row_sums(ctx, for_weight, io.dy.data(), io.x.data(), gradients.bias.data, gradients.weight.data);
  } else {
    gemm(ctx, for_weight, io.dy.data(), io.x.data(), gradients.weight.data);
  }
}

}  // namespace splitsim
