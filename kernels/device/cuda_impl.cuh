// What a CudaContext holds. Only *_cuda.cu units see this.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <string>

#include "base/error.hpp"
#include "kernels/device/buffer.hpp"
#include "kernels/device/context.hpp"

namespace splitsim {

struct CudaContext::Impl {
  int device = 0;
  cudaStream_t stream = nullptr;
  cublasHandle_t cublas = nullptr;
  void* cublas_workspace = nullptr;  // set before any capture, so that cuBLAS never allocates inside a step
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
