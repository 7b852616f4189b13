// What the kernels of both kinds do first: loads, and planes in shared memory.
#pragma once

#include "kernels/device/launch_cuda.cuh"
#include "kernels/device/launch_kernel.cuh"
#include "kernels/nn/layers/conv/few_channels/few_channels.hpp"
#include "kernels/nn/layers/conv/few_channels/plan.hpp"

namespace splitsim::few_channels {

extern __shared__ float4 shared_memory[];
__device__ inline float* shared_floats() { return reinterpret_cast<float*>(shared_memory); }

/// kCount floats from a multiple of kWide floats: kWide at a time.
template <int kWide, int kCount>
__device__ inline void load(const float* from, float (&to)[kCount]) {
  static_assert((kWide == 4 || kWide == 2) && kCount % kWide == 0);
#pragma unroll
  for (int i = 0; i < kCount; i += kWide) {
    if constexpr (kWide == 4) {
      const float4 v = *reinterpret_cast<const float4*>(from + i);
      to[i] = v.x, to[i + 1] = v.y, to[i + 2] = v.z, to[i + 3] = v.w;
    } else {
      const float2 v = *reinterpret_cast<const float2*>(from + i);
      to[i] = v.x, to[i + 1] = v.y;
    }
  }
}
/// How wide kEach neighbouring channels are loaded.
template <int kEach>
constexpr int kWideOf = kEach % 4 == 0 ? 4 : 2;

/// n / d, and n becomes the remainder.
__device__ inline int divide(int& n, const FastDiv& d) {
  const int quotient = d.quotient(n);
  n -= quotient * d.divisor();
  return quotient;
}

/// The source's `rows` rows from the first one under result row `first`, as planes; zeros outside. Neighbouring threads
/// read neighbouring floats.
__device__ inline void stage_planes(const Bands& b, const Divisors& d, const float* image, int first, int rows,
                                    float* planes) {
  const int all = rows * b.pitch() * b.channels, plane = b.plane(), pitch = b.pitch();
  for (int i = static_cast<int>(threadIdx.x); i < all; i += static_cast<int>(blockDim.x)) {
    int c = i;
    int column = divide(c, d.channels);
    const int row = divide(column, d.pitch), y = first + row - b.above, x = column - b.left;
    const bool inside = static_cast<unsigned>(y) < static_cast<unsigned>(b.source_height) &&
                        static_cast<unsigned>(x) < static_cast<unsigned>(b.source_width);
    planes[c * plane + row * pitch + column] = inside ? image[(y * b.source_width + x) * b.channels + c] : 0.0f;
  }
}

}  // namespace splitsim::few_channels
