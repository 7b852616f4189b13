#include "kernels/device/launch_cuda.cuh"
#include "kernels/nn/batch_norm_impl.hpp"

namespace splitsim {

template std::int64_t batch_norm_workspace(CudaContext&, const BatchNormShape&, std::int32_t, std::int32_t);
template void batch_norm_forward(CudaContext&, const ReplicaMap&, const Segments&, const BatchNormShape&,
                                 View<const float>, Grouped, Grouped, View<float>, const RunningStatistics&,
                                 View<float>, View<float>, View<float>);
template void batch_norm_backward(CudaContext&, const ReplicaMap&, const Segments&, const BatchNormShape&,
                                  View<const float>, View<const float>, Grouped, View<const float>, View<const float>,
                                  View<float>, Grouped, Grouped, View<float>);
template void batch_norm_evaluate(CudaContext&, const ReplicaMap&, const BatchNormShape&, View<const float>, Grouped,
                                  Grouped, const RunningStatistics&, View<float>);

}  // namespace splitsim
