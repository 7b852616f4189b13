#include "kernels/device/launch_cuda.cuh"
#include "kernels/primitives/gemm_composed.hpp"

namespace splitsim {
template void composed_gemm_bias(CudaContext&, GemmShape, const float*, const float*, const float*, float*, bool);
template void composed_gemm_row_sums(CudaContext&, const GemmShape&, const float*, const float*, float*, float*);
}  // namespace splitsim
