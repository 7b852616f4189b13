#include "kernels/device/launch_cuda.cuh"
#include "kernels/nn/pointwise_impl.hpp"

namespace splitsim {

template void relu_forward(CudaContext&, const std::int32_t*, std::int32_t, std::int64_t, View<float>);
template void relu_backward(CudaContext&, const std::int32_t*, std::int32_t, std::int64_t, View<const float>,
                            View<float>);
template void scale_slots(CudaContext&, const std::int32_t*, std::int32_t, std::int64_t, View<const float>,
                          View<float>);
template void add_slots(CudaContext&, const std::int32_t*, std::int32_t, std::int64_t, View<const float>, View<float>);
template void copy_slots(CudaContext&, const std::int32_t*, std::int32_t, std::int64_t, View<const float>, View<float>);
template void multiply(CudaContext&, const std::int32_t*, std::int32_t, std::int64_t, float, View<float>);

}  // namespace splitsim
