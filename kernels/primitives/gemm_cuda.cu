#include "kernels/device/cuda_impl.cuh"
#include "kernels/primitives/cublas_compute.cuh"
#include "kernels/primitives/gemm.hpp"

namespace splitsim {

namespace {
constexpr float kOne = 1.0f;
cublasOperation_t operation(bool transpose) { return transpose ? CUBLAS_OP_T : CUBLAS_OP_N; }
}  // namespace

// cuBLAS is column-major: the row-major C is its C^T = op(B)^T op(A)^T, so the factors change places.
void gemm(CudaContext& ctx, const GemmShape& s, const float* a, const float* b, float* c) {
  cublas_check(cublasGemmEx(ctx.impl().cublas, operation(s.transpose_b), operation(s.transpose_a), s.n, s.m, s.k, &kOne,
                            b, CUDA_R_32F, s.ldb, a, CUDA_R_32F, s.lda, &s.beta, c, CUDA_R_32F, s.ldc,
                            cublas_compute(s.precision), CUBLAS_GEMM_DEFAULT),
               "cublasGemmEx");
}

}  // namespace splitsim
