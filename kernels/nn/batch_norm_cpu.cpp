#include "kernels/device/launch_cpu.hpp"
#include "kernels/nn/batch_norm_impl.hpp"

namespace splitsim {

template std::int64_t batch_norm_workspace(CpuContext&, const BatchNormShape&, std::int32_t, std::int32_t);
template void batch_norm_forward(CpuContext&, const ReplicaMap&, const Segments&, const BatchNormShape&,
                                 View<const float>, Grouped, Grouped, View<float>, const RunningStatistics&,
                                 View<float>, View<float>, View<float>);
template void batch_norm_backward(CpuContext&, const ReplicaMap&, const Segments&, const BatchNormShape&,
                                  View<const float>, View<const float>, Grouped, View<const float>, View<const float>,
                                  View<float>, Grouped, Grouped, View<float>);
template void batch_norm_evaluate(CpuContext&, const ReplicaMap&, const BatchNormShape&, View<const float>, Grouped,
                                  Grouped, const RunningStatistics&, View<float>);

}  // namespace splitsim
