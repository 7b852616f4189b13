#include "kernels/device/launch_cuda.cuh"
#include "kernels/nn/layers/linear_cuda_impl.hpp"

namespace splitsim {

template <>
std::int64_t linear_workspace(CudaContext&, const LinearShape& shape, std::int32_t max_slots, std::int32_t) {
  return batched_linear_workspace(shape, max_slots);
}

template <>
void linear_forward(CudaContext& ctx, const ReplicaMap& map, const LinearShape& shape, View<const float> x,
                    Grouped weight, Grouped bias, View<float> workspace, View<float> y) {
  batched_linear_forward(ctx, map, shape, x, weight, bias, workspace, y);
}

template <>
void linear_backward(CudaContext& ctx, const ReplicaMap& map, const LinearShape& shape, View<const float> x,
                     View<const float> dy, Grouped weight, View<float> workspace, Grouped dweight, Grouped dbias,
                     View<float> dx) {
  batched_linear_backward(ctx, map, shape, x, dy, weight, workspace, dweight, dbias, dx);
}

}  // namespace splitsim
