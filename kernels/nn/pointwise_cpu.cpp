#include "kernels/device/launch_cpu.hpp"
#include "kernels/nn/pointwise_impl.hpp"

namespace splitsim {

template void relu_forward(CpuContext&, const std::int32_t*, std::int32_t, std::int64_t, View<float>);
template void relu_backward(CpuContext&, const std::int32_t*, std::int32_t, std::int64_t, View<const float>,
                            View<float>);
template void scale_slots(CpuContext&, const std::int32_t*, std::int32_t, std::int64_t, View<const float>, View<float>);
template void add_slots(CpuContext&, const std::int32_t*, std::int32_t, std::int64_t, View<const float>, View<float>);
template void copy_slots(CpuContext&, const std::int32_t*, std::int32_t, std::int64_t, View<const float>, View<float>);
template void multiply(CpuContext&, const std::int32_t*, std::int32_t, std::int64_t, float, View<float>);

}  // namespace splitsim
