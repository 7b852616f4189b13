#include "kernels/device/launch_cuda.cuh"
#include "tests/kernels/device/substrate_probe_impl.hpp"

namespace splitsim::test {

template void probe_philox(CudaContext&, View<std::uint32_t>);
template void probe_math(CudaContext&, View<const double>, View<double>);
template void probe_reduce(CudaContext&, View<const float>, View<const std::int32_t>, View<float>, View<std::int64_t>);
template void probe_exact(CudaContext&, View<const std::int64_t>, View<const std::int32_t>, View<std::int64_t>,
                          View<double>);
template void probe_extent(CudaContext&, const Extent&, View<std::int32_t>, View<std::int32_t>);

}  // namespace splitsim::test
