#include "kernels/device/launch_cuda.cuh"
#include "kernels/nn/optimizer_impl.hpp"

namespace splitsim {

template void count_steps(CudaContext&, const StepTargets&);
template void sgd_step(CudaContext&, const StepTargets&, const SgdSettings&, const float*, const std::int32_t*,
                       View<float>);
template void adam_step(CudaContext&, const StepTargets&, const AdamSettings&, const float*, const std::int32_t*,
                        View<float>, View<float>);
template void clip_scales(CudaContext&, const std::int32_t*, std::int32_t, std::int64_t, float, View<const float>,
                          View<double>, View<float>);

}  // namespace splitsim
