#include "kernels/device/launch_cpu.hpp"
#include "kernels/nn/optimizer_impl.hpp"

namespace splitsim {

std::int64_t clip_workspace(std::int32_t rows, std::int64_t parameters) {
  return rows * detail::chunks_of(parameters, detail::kNormChunk);
}

template void count_steps(CpuContext&, const StepTargets&);
template void sgd_step(CpuContext&, const StepTargets&, const SgdSettings&, const float*, const std::int32_t*,
                       View<float>);
template void adam_step(CpuContext&, const StepTargets&, const AdamSettings&, const float*, const std::int32_t*,
                        View<float>, View<float>);
template void clip_scales(CpuContext&, const std::int32_t*, std::int32_t, std::int64_t, float, View<const float>,
                          View<double>, View<float>);

}  // namespace splitsim
