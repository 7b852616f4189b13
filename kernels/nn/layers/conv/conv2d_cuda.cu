#include "kernels/device/launch_cuda.cuh"
#include "kernels/nn/layers/conv/conv2d_cuda_impl.hpp"

namespace splitsim {

template <>
std::int64_t conv2d_workspace(CudaContext&, const ConvShape& shape, std::int32_t max_slots, std::int32_t) {
  return batched_conv2d_workspace(shape, max_slots);
}

template <>
void conv2d_forward(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, View<const float> x,
                    const Parameters& parameters, View<float> workspace, View<float> y) {
  batched_conv2d_forward(ctx, map, shape, x, parameters, workspace, y);
}

template <>
void conv2d_backward(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, const Backprop& io,
                     Grouped weight, View<float> workspace, const Parameters& gradients) {
  batched_conv2d_backward(ctx, map, shape, io, weight, workspace, gradients);
}

}  // namespace splitsim
