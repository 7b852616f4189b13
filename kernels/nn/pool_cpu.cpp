#include "kernels/device/launch_cpu.hpp"
#include "kernels/nn/pool_impl.hpp"

namespace splitsim {

template void max_pool_forward(CpuContext&, const std::int32_t*, std::int32_t, const PoolShape&, View<const float>,
                               View<float>, View<std::uint8_t>);
template void max_pool_backward(CpuContext&, const std::int32_t*, std::int32_t, const PoolShape&, View<const float>,
                                View<const std::uint8_t>, View<float>);
template void avg_pool_forward(CpuContext&, const std::int32_t*, std::int32_t, const PoolShape&, View<const float>,
                               View<float>);
template void avg_pool_backward(CpuContext&, const std::int32_t*, std::int32_t, const PoolShape&, View<const float>,
                                View<float>);
template void global_avg_pool_forward(CpuContext&, const std::int32_t*, std::int32_t, std::int32_t, std::int64_t,
                                      View<const float>, View<float>);
template void global_avg_pool_backward(CpuContext&, const std::int32_t*, std::int32_t, std::int32_t, std::int64_t,
                                       View<const float>, View<float>);

}  // namespace splitsim
