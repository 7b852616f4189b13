#include "kernels/nn/layers/conv/implicit_gemm_launch.cuh"

namespace splitsim::implicit_gemm {
template void launch_image<Precision::kBf16>(CudaContext&, const ImageLaunch&, const ImageArgs&);
template void launch_weight<Precision::kBf16>(CudaContext&, const WeightLaunch&, const WeightArgs&);
}  // namespace splitsim::implicit_gemm
