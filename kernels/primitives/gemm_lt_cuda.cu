// Products with a bias or row sums as epilogues of cuBLASLt.
#include <algorithm>
#include <cstdint>
#include <memory>

#include "kernels/device/launch_cuda.cuh"
#include "kernels/primitives/cublas_compute.cuh"
#include "kernels/primitives/gemm_composed.hpp"

namespace splitsim {

namespace {

struct Destroy {
  void operator()(cublasLtMatmulDesc_t p) const { cublasLtMatmulDescDestroy(p); }
  void operator()(cublasLtMatrixLayout_t p) const { cublasLtMatrixLayoutDestroy(p); }
  void operator()(cublasLtMatmulPreference_t p) const { cublasLtMatmulPreferenceDestroy(p); }
};
template <class Handle>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy>;

/// The largest power of two, up to 256, that an address is a multiple of.
std::uint32_t alignment(const void* p) {
  std::uint32_t bytes = 256;
  while (reinterpret_cast<std::uintptr_t>(p) % bytes != 0) bytes /= 2;
  return bytes;
}

Owned<cublasLtMatrixLayout_t> layout(std::int64_t rows, std::int64_t columns, std::int64_t leading) {
  cublasLtMatrixLayout_t made = nullptr;
  cublas_check(cublasLtMatrixLayoutCreate(&made, CUDA_R_32F, static_cast<std::uint64_t>(rows),
                                          static_cast<std::uint64_t>(columns), leading),
               "cublasLtMatrixLayoutCreate");
  return Owned<cublasLtMatrixLayout_t>(made);
}

/// One product with an epilogue that reads or writes `vector`. False where cuBLASLt has no algorithm for it: then nothing
/// was done. As in gemm(), the row-major C is the column-major C^T = op(B)^T op(A)^T.
bool product(CudaContext& ctx, const GemmShape& s, const float* a, const float* b, cublasLtEpilogue_t epilogue,
             float* vector, float* c) {
  CudaContext::Impl& impl = ctx.impl();
  cublasLtMatmulDesc_t made = nullptr;
  cublas_check(cublasLtMatmulDescCreate(&made, cublas_compute(s.precision), CUDA_R_32F), "cublasLtMatmulDescCreate");
  const Owned<cublasLtMatmulDesc_t> operation(made);
  const auto set = [&](cublasLtMatmulDescAttributes_t what, auto value) {
    cublas_check(cublasLtMatmulDescSetAttribute(operation.get(), what, &value, sizeof value),
                 "cublasLtMatmulDescSetAttribute");
  };
  set(CUBLASLT_MATMUL_DESC_TRANSA, static_cast<std::int32_t>(s.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N));
  set(CUBLASLT_MATMUL_DESC_TRANSB, static_cast<std::int32_t>(s.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N));
  set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue);
  set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<void*>(vector));
  const auto of_b = s.transpose_b ? layout(s.k, s.n, s.ldb) : layout(s.n, s.k, s.ldb);
  const auto of_a = s.transpose_a ? layout(s.m, s.k, s.lda) : layout(s.k, s.m, s.lda);
  const auto of_c = layout(s.n, s.m, s.ldc);

  const ProductKey key{s.transpose_a,
                       s.transpose_b,
                       s.m,
                       s.n,
                       s.k,
                       s.lda,
                       s.ldb,
                       s.ldc,
                       epilogue,
                       cublas_compute(s.precision),
                       std::min({alignment(a), alignment(b), alignment(c)})};
  auto found = impl.product_algorithms.find(key);
  if (found == impl.product_algorithms.end()) {
    cublasLtMatmulPreference_t preference_made = nullptr;
    cublas_check(cublasLtMatmulPreferenceCreate(&preference_made), "cublasLtMatmulPreferenceCreate");
    const Owned<cublasLtMatmulPreference_t> preference(preference_made);
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t what, auto value) {
      cublas_check(cublasLtMatmulPreferenceSetAttribute(preference.get(), what, &value, sizeof value),
                   "cublasLtMatmulPreferenceSetAttribute");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{CudaContext::Impl::kWorkspaceBytes});
    // Splits that are summed in place would be summed in the order in which they finish.
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
           std::uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE | CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE});
    // Of all matrices alike, as the key has it: an algorithm must serve every product that finds it.
    for (const auto which : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                             CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      prefer(which, key.alignment);
    }
    cublasLtMatmulHeuristicResult_t result{};
    int count = 0;
    const cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(impl.cublas_lt, operation.get(), of_b.get(), of_a.get(), of_c.get(), of_c.get(),
                                       preference.get(), 1, &result, &count);
    if (status != CUBLAS_STATUS_NOT_SUPPORTED) cublas_check(status, "cublasLtMatmulAlgoGetHeuristic");
    const bool exists = status == CUBLAS_STATUS_SUCCESS && count > 0;
    found = impl.product_algorithms.emplace(key, exists ? std::optional(result.algo) : std::nullopt).first;
  }
  if (!found->second) return false;
  const float one = 1.0f, zero = 0.0f;
  cublas_check(cublasLtMatmul(impl.cublas_lt, operation.get(), &one, b, of_b.get(), a, of_a.get(), &zero, c, of_c.get(),
                              c, of_c.get(), &*found->second, impl.cublas_workspace, CudaContext::Impl::kWorkspaceBytes,
                              impl.stream),
               "cublasLtMatmul");
  return true;
}

}  // namespace

void gemm_bias(CudaContext& ctx, const GemmShape& shape, const float* a, const float* b, const float* bias, float* c,
               bool relu) {
  const cublasLtEpilogue_t epilogue = relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
  if (product(ctx, shape, a, b, epilogue, const_cast<float*>(bias), c)) return;
  composed_gemm_bias(ctx, shape, a, b, bias, c, relu);
}

void gemm_row_sums(CudaContext& ctx, const GemmShape& shape, const float* a, const float* b, float* row_sums,
                   float* c) {
  if (product(ctx, shape, a, b, CUBLASLT_EPILOGUE_BGRADB, row_sums, c)) return;
  composed_gemm_row_sums(ctx, shape, a, b, row_sums, c);
}

}  // namespace splitsim
