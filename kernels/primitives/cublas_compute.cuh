// How cuBLAS and cuBLASLt are asked to multiply floats.
#pragma once

#include <cublas_v2.h>

#include "kernels/primitives/precision.hpp"

namespace splitsim {

inline cublasComputeType_t cublas_compute(Precision precision) {
  switch (precision) {
    case Precision::kTf32:
      return CUBLAS_COMPUTE_32F_FAST_TF32;
    case Precision::kBf16:
      return CUBLAS_COMPUTE_32F_FAST_16BF;
    case Precision::kFp32:
      break;
  }
  return CUBLAS_COMPUTE_32F;
}

}  // namespace splitsim
