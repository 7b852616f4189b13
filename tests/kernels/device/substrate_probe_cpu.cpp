#include "kernels/device/launch_cpu.hpp"
#include "tests/kernels/device/substrate_probe_impl.hpp"

namespace splitsim::test {

template void probe_philox(CpuContext&, View<std::uint32_t>);
template void probe_math(CpuContext&, View<const double>, View<double>);
template void probe_reduce(CpuContext&, View<const float>, View<const std::int32_t>, View<float>, View<std::int64_t>);
template void probe_exact(CpuContext&, View<const std::int64_t>, View<const std::int32_t>, View<std::int64_t>,
                          View<double>);
template void probe_extent(CpuContext&, const Extent&, View<std::int32_t>, View<std::int32_t>);

}  // namespace splitsim::test
