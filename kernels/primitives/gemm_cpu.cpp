#include "kernels/primitives/gemm_cpu.hpp"

#include <cstdint>

#include "kernels/device/launch_cpu.hpp"
#include "kernels/primitives/gemm_composed.hpp"

namespace splitsim {

void gemm(CpuContext& ctx, const GemmShape& shape, const float* a, const float* b, float* c) {
  parallel_items(ctx, 1, 0, [&](std::int64_t, int) { gemm_on_this_thread(shape, a, b, c); });
}

void gemm_bias(CpuContext& ctx, const GemmShape& shape, const float* a, const float* b, const float* bias, float* c) {
  composed_gemm_bias(ctx, shape, a, b, bias, c);
}

void gemm_row_sums(CpuContext& ctx, const GemmShape& shape, const float* a, const float* b, float* row_sums, float* c) {
  composed_gemm_row_sums(ctx, shape, a, b, row_sums, c);
}

void gemm_strided(CpuContext& ctx, const GemmShape& shape, const GemmBatch& batch, const float* a, const float* b,
                  float* c) {
  const std::int64_t work = std::int64_t{batch.count} * shape.m * shape.n * shape.k;
  parallel_items(ctx, batch.count, work, [&](std::int64_t i, int) {
    gemm_on_this_thread(shape, a + i * batch.stride_a, b + i * batch.stride_b, c + i * batch.stride_c);
  });
}

void gemm_batched(CpuContext& ctx, const GemmShape& shape, std::int32_t count, const float* const* a,
                  const float* const* b, float* const* c) {
  const std::int64_t work = std::int64_t{count} * shape.m * shape.n * shape.k;
  parallel_items(ctx, count, work, [&](std::int64_t i, int) { gemm_on_this_thread(shape, a[i], b[i], c[i]); });
}

}  // namespace splitsim
