// cuDNN's functions as pointers into the library that was found. Only *_cuda.cu units see this.
#pragma once

#include <cudnn.h>

#include <string>

#include "base/error.hpp"

namespace splitsim {

struct CudnnLibrary {
  std::string version;  ///< empty: there is none
  std::string why_not;
#define SPLITSIM_CUDNN_FUNCTIONS(F)                                                                                   \
  F(Create)                                                                                                           \
  F(Destroy)                                                                                                          \
  F(SetStream)                                                                                                        \
  F(GetErrorString)                                                                                                   \
  F(CreateTensorDescriptor) F(DestroyTensorDescriptor) F(SetTensor4dDescriptor) F(CreateFilterDescriptor)             \
      F(DestroyFilterDescriptor) F(SetFilter4dDescriptor) F(CreateConvolutionDescriptor)                              \
          F(DestroyConvolutionDescriptor) F(SetConvolution2dDescriptor) F(SetConvolutionMathType)                     \
              F(CreateActivationDescriptor) F(DestroyActivationDescriptor) F(SetActivationDescriptor)                 \
                  F(GetConvolutionForwardWorkspaceSize) F(GetConvolutionBackwardDataWorkspaceSize)                    \
                      F(GetConvolutionBackwardFilterWorkspaceSize) F(ConvolutionForward)                              \
                          F(ConvolutionBiasActivationForward) F(ConvolutionBackwardData) F(ConvolutionBackwardFilter) \
                              F(ConvolutionBackwardBias)
#define SPLITSIM_CUDNN_POINTER(name) decltype(&cudnn##name) name = nullptr;
  SPLITSIM_CUDNN_FUNCTIONS(SPLITSIM_CUDNN_POINTER)
#undef SPLITSIM_CUDNN_POINTER

  void check(cudnnStatus_t status, const char* what) const {
    if (status != CUDNN_STATUS_SUCCESS) {
      throw BackendError(std::string("cuDNN: ") + what + ": " + GetErrorString(status));
    }
  }
};

/// Loaded once per process.
const CudnnLibrary& cudnn_library();

}  // namespace splitsim
