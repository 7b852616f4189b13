#include "kernels/device/launch_cuda.cuh"
#include "kernels/nn/layers/linear_cuda_impl.hpp"

namespace splitsim {

template <>
std::int64_t linear_workspace(CudaContext&, const LinearShape&, std::int32_t max_slots, std::int32_t) {
  return batched_linear_workspace(max_slots);
}

template <>
void linear_forward(CudaContext& ctx, const ReplicaMap& map, const LinearShape& shape, View<const float> x,
                    const Parameters& parameters, View<float> workspace, View<float> y) {
  batched_linear_forward(ctx, map, shape, x, parameters, workspace, y);
}

template <>
void linear_backward(CudaContext& ctx, const ReplicaMap& map, const LinearShape& shape, const Backprop& io,
                     Grouped weight, View<float> workspace, const Parameters& gradients) {
  batched_linear_backward(ctx, map, shape, io, weight, workspace, gradients);
}

}  // namespace splitsim
