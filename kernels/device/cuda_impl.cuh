// What a CudaContext holds. Only *_cuda.cu units see this.
#pragma once

#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <compare>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "kernels/device/buffer.hpp"
#include "kernels/device/context.hpp"

namespace splitsim {

/// Pinned memory that uploads pass through, in two halves: one is filled while the copies out of the other may still be
/// under way.
struct Staging {
  static constexpr std::size_t kHalf = std::size_t{4} << 20;
  unsigned char* memory = nullptr;  // [2][kHalf]
  cudaEvent_t emptied[2] = {};      // behind the last copy out of a half
  int half = 0;
  std::size_t used = 0;  // of this half
};

/// What the choice of an algorithm of cuBLASLt depends on.
struct ProductKey {
  bool transpose_a, transpose_b;
  std::int32_t m, n, k, lda, ldb, ldc;
  cublasLtEpilogue_t epilogue;
  cublasComputeType_t compute;
  std::uint32_t alignment;  ///< bytes that every matrix is aligned to
  auto operator<=>(const ProductKey&) const = default;
};

struct CudaContext::Impl {
  static constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;  // of cuBLAS and cuBLASLt
  int device = 0;
  int multiprocessors = 1;
  bool launches_early = false;  // kernels/device/launch_kernel.cuh
  std::size_t total_memory = 0;
  cudaStream_t stream = nullptr;
  cudaEvent_t here = nullptr;       // recorded where another context shall go on behind this one
  cublasHandle_t cublas = nullptr;  // null in a context without products
  Staging staging;
  cublasLtHandle_t cublas_lt = nullptr;
  std::map<ProductKey, std::optional<cublasLtMatmulAlgo_t>>
      product_algorithms;                    // asked for once each; none: no algorithm
  std::shared_ptr<void> cudnn;               // what kernels/nn/layers/conv/cudnn_cuda.cu keeps; null until it is asked
  std::shared_ptr<const void> conv_choices;  // kernels/nn/layers/conv/choice.hpp; null: none were made
  void* cublas_workspace = nullptr;          // set before any capture, so that cuBLAS never allocates inside a step
};

/// Throws BackendError naming the call.
inline void cuda_check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) throw BackendError(std::string("CUDA: ") + what + ": " + cudaGetErrorString(status));
}
inline void cublas_check(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw BackendError(std::string("cuBLAS: ") + what + ": " + cublasGetStatusString(status));
}

}  // namespace splitsim
