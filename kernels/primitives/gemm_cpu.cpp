#include "kernels/primitives/gemm_cpu.hpp"

#include <cstdint>

#include "kernels/device/launch_cpu.hpp"
#include "kernels/primitives/gemm_composed.hpp"

namespace splitsim {

void gemm(CpuContext& ctx, const GemmShape& shape, const float* a, const float* b, float* c) {
  parallel_items(ctx, 1, 0, [&](std::int64_t, int) { gemm_on_this_thread(shape, a, b, c); });
}

void gemm_bias(CpuContext& ctx, const GemmShape& shape, const float* a, const float* b, const float* bias, float* c,
               bool relu) {
  composed_gemm_bias(ctx, shape, a, b, bias, c, relu);
}

void gemm_row_sums(CpuContext& ctx, const GemmShape& shape, const float* a, const float* b, float* row_sums, float* c) {
  composed_gemm_row_sums(ctx, shape, a, b, row_sums, c);
}

}  // namespace splitsim
