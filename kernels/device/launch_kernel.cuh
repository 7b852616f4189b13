// How every kernel of ours is launched. On GPUs that can (compute capability 9 and later) a kernel's blocks are set up while
// the last ones of the work before it still run, and then wait for that work's end: the gap between two kernels of a step
// becomes shorter (programmatic dependent launch). SPLITSIM_EARLY_LAUNCH=0 in the environment does without.
#pragma once

#include "kernels/device/cuda_impl.cuh"

namespace splitsim {

/// First in every kernel that launch_kernel launches, before it reads or writes any memory but its arguments: waits for
/// the work before it, then lets the kernel behind it be set up.
__device__ inline void begin_kernel() {
#if __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
#endif
}

struct KernelShape {
  dim3 blocks, threads;
  std::size_t shared_bytes = 0;
};

/// what: for the message of a launch that fails.
template <class... Parameters, class... Arguments>
void launch_kernel(CudaContext& ctx, const char* what, const KernelShape& shape, void (*kernel)(Parameters...),
                   const Arguments&... arguments) {
  cudaLaunchAttribute early{};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = shape.blocks;
  config.blockDim = shape.threads;
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = ctx.impl().stream;
  config.attrs = &early;
  config.numAttrs = ctx.impl().launches_early ? 1 : 0;
  cuda_check(cudaLaunchKernelEx(&config, kernel, arguments...), what);
}

}  // namespace splitsim
