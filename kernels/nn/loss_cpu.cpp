#include "kernels/device/launch_cpu.hpp"
#include "kernels/nn/loss_impl.hpp"

namespace splitsim {

template void softmax_cross_entropy(CpuContext&, const std::int32_t*, std::int32_t, std::int32_t, float,
                                    View<const float>, View<const std::int32_t>, View<const float>, View<float>,
                                    View<std::int32_t>, View<std::int32_t>, View<float>);

}  // namespace splitsim
