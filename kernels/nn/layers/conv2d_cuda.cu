#include "kernels/device/launch_cuda.cuh"
#include "kernels/nn/layers/conv2d_cuda_impl.hpp"

namespace splitsim {

template <>
std::int64_t conv2d_workspace(CudaContext&, const ConvShape& shape, std::int32_t max_slots, std::int32_t) {
  return batched_conv2d_workspace(shape, max_slots);
}

template <>
void conv2d_forward(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, View<const float> x,
                    Grouped weight, Grouped bias, View<float> workspace, View<float> y) {
  batched_conv2d_forward(ctx, map, shape, x, weight, bias, workspace, y);
}

template <>
void conv2d_backward(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, View<const float> x,
                     View<const float> dy, Grouped weight, View<float> workspace, Grouped dweight, Grouped dbias,
                     View<float> dx) {
  batched_conv2d_backward(ctx, map, shape, x, dy, weight, workspace, dweight, dbias, dx);
}

}  // namespace splitsim
