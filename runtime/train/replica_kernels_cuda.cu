#include "kernels/device/launch_cuda.cuh"
#include "runtime/train/replica_kernels_impl.hpp"

namespace splitsim {

template void broadcast_replicas(CudaContext&, View<const float>, std::int64_t, View<float>);
template void average_replicas(CudaContext&, View<const float>, View<const double>, View<float>);
template void note_samples(CudaContext&, const ReplicaMap&, View<std::int64_t>);
template void round_weights(CudaContext&, const std::int32_t*, AverageWeights, View<const std::int64_t>,
                            View<std::int64_t>, View<double>, View<std::int32_t>);
template void average_if(CudaContext&, const std::int32_t*, View<const float>, View<const double>, View<float>);
template void broadcast_if(CudaContext&, const std::int32_t*, View<const float>, std::int64_t, View<float>);
template void drift_if(CudaContext&, const std::int32_t*, View<const float>, View<const double>, View<const float>,
                       std::int64_t, View<double>, View<double>);
template void sum_gradients(CudaContext&, const std::int32_t*, std::int64_t, View<float>);

}  // namespace splitsim
