// Products with a bias or row sums, of a plain product and a kernel beside it: the CPU's way, and CUDA's where cuBLASLt
// has no algorithm. Launchers of the context must be included before.
#pragma once

#include "kernels/device/launch.hpp"
#include "kernels/device/macros.hpp"
#include "kernels/device/team.hpp"
#include "kernels/primitives/gemm.hpp"

namespace splitsim {

namespace detail {

struct FillRows {
  std::int64_t n, ldc;
  const float* bias;
  float* c;
  PSL_HD void operator()(std::int64_t i) const {
    const std::int64_t row = i / n, column = i - row * n;
    c[row * ldc + column] = bias[column];
  }
};

struct RectifyRows {
  std::int64_t n, ldc;
  float* c;
  PSL_HD void operator()(std::int64_t i) const {
    float& value = c[i / n * ldc + i % n];
    value = value < 0.0f ? 0.0f : value;
  }
};

/// A block is a row of op(A).
struct SumRows {
  GemmShape shape;
  const float* a;
  float* row_sums;
  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t row) const {
    const std::int64_t step = shape.transpose_a ? shape.lda : 1;
    const float* first = a + row * (shape.transpose_a ? 1 : shape.lda);
    const float sum = team.reduce(
        shape.k, 0.0f, [=](std::int64_t i) { return first[i * step]; }, Plus{});
    if (team.rank() == 0) row_sums[row] = sum;
  }
};

}  // namespace detail

template <class Context>
void composed_gemm_bias(Context& ctx, GemmShape shape, const float* a, const float* b, const float* bias, float* c,
                        bool relu) {
  for_each_index(ctx, std::int64_t{shape.m} * shape.n, detail::FillRows{shape.n, shape.ldc, bias, c});
  shape.beta = 1.0f;
  gemm(ctx, shape, a, b, c);
  if (relu) for_each_index(ctx, std::int64_t{shape.m} * shape.n, detail::RectifyRows{shape.n, shape.ldc, c});
}

template <class Context>
void composed_gemm_row_sums(Context& ctx, const GemmShape& shape, const float* a, const float* b, float* row_sums,
                            float* c) {
  gemm(ctx, shape, a, b, c);
  for_each_block(ctx, shape.m, detail::SumRows{shape, a, row_sums});
}

}  // namespace splitsim
