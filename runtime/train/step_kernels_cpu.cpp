#include "kernels/device/launch_cpu.hpp"
#include "runtime/train/step_kernels_impl.hpp"

namespace splitsim {

template void begin_step(CpuContext&, View<const StepState>, const ScheduleView&, const ScheduleView&, const StepRules&,
                         View<const std::int32_t>, const StepTables&);
template void end_step(CpuContext&, View<StepState>, const StepTables&, View<const float>, View<const std::int32_t>,
                       std::int64_t, View<StepMetrics>);

}  // namespace splitsim
