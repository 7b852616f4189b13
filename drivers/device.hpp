// Which device a program computes on: chosen here, for executables and Python's module, and nowhere below.
#pragma once

#include <string>

#include "kernels/device/context.hpp"
#include "kernels/device/machine.hpp"

namespace splitsim {

struct DeviceChoice {
  std::string device = "auto";          ///< auto: the GPU if there is one; cpu, cuda
  int threads = 0;                      ///< of the host code on either backend; 0: as many as there are
  const char* named = "--device cuda";  ///< how the user insists on a GPU, for messages
};

/// Whether to use the GPU. Errors: NoDevice if the user insists on a GPU and there is none.
bool use_cuda(const DeviceChoice& choice);

/// Calls f(context) with the backend that is chosen.
template <class F>
auto with_context(const DeviceChoice& choice, F f) {
  if (use_cuda(choice)) {
#if SPLITSIM_WITH_CUDA
    claim_threads(choice.threads);
    CudaContext ctx;
    return f(ctx);
#endif
  }
  CpuContext ctx(choice.threads);
  return f(ctx);
}

}  // namespace splitsim
