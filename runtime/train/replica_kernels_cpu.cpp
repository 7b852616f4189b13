#include "kernels/device/launch_cpu.hpp"
#include "runtime/train/replica_kernels_impl.hpp"

namespace splitsim {

std::int64_t drift_workspace(std::int64_t trained) { return (trained + kDriftChunk - 1) / kDriftChunk; }

template void broadcast_replicas(CpuContext&, View<const float>, std::int64_t, View<float>);
template void average_replicas(CpuContext&, View<const float>, View<const double>, View<float>);
template void note_samples(CpuContext&, const ReplicaMap&, View<std::int64_t>);
template void round_weights(CpuContext&, const std::int32_t*, AverageWeights, View<const std::int64_t>,
                            View<std::int64_t>, View<double>, View<std::int32_t>);
template void average_if(CpuContext&, const std::int32_t*, View<const float>, View<const double>, View<float>);
template void broadcast_if(CpuContext&, const std::int32_t*, View<const float>, std::int64_t, View<float>);
template void drift_if(CpuContext&, const std::int32_t*, View<const float>, View<const double>, View<const float>,
                       std::int64_t, View<double>, View<double>);
template void sum_gradients(CpuContext&, const std::int32_t*, std::int64_t, View<float>);

}  // namespace splitsim
