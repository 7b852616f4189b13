// Matrix products of floats, row-major. Ring R2: oneDNN's sgemm on the CPU, cuBLAS and cuBLASLt on CUDA.
// Determinism: fixed-order on the CPU (each product runs on one thread), library-order on CUDA.
#pragma once

#include <cstdint>

#include "kernels/device/context.hpp"
#include "kernels/primitives/precision.hpp"

namespace splitsim {

/// C = op(A) op(B) + beta C with op(A): [m, k], op(B): [k, n], C: [m, n]; leading dimensions are row lengths as stored.
struct GemmShape {
  bool transpose_a = false;
  bool transpose_b = false;
  std::int32_t m = 0, n = 0, k = 0;
  std::int32_t lda = 0, ldb = 0, ldc = 0;
  float beta = 0.0f;                       ///< 0: C is written without being read
  Precision precision = Precision::kFp32;  ///< a GPU's; a CPU multiplies in fp32
};

/// One product; the shape is known to the host.
void gemm(CpuContext& ctx, const GemmShape& shape, const float* a, const float* b, float* c);
void gemm(CudaContext& ctx, const GemmShape& shape, const float* a, const float* b, float* c);

/// C = op(A) op(B) + bias, the same in every row, and with relu the maximum of that and 0. bias: [n]. On CUDA one
/// launch.
void gemm_bias(CpuContext& ctx, const GemmShape& shape, const float* a, const float* b, const float* bias, float* c,
               bool relu = false);
void gemm_bias(CudaContext& ctx, const GemmShape& shape, const float* a, const float* b, const float* bias, float* c,
               bool relu = false);

/// C = op(A) op(B), and row_sums[i] = the sum of row i of op(A), [m]. On CUDA one launch.
void gemm_row_sums(CpuContext& ctx, const GemmShape& shape, const float* a, const float* b, float* row_sums, float* c);
void gemm_row_sums(CudaContext& ctx, const GemmShape& shape, const float* a, const float* b, float* row_sums, float* c);

}  // namespace splitsim
