// A 3x3 convolution, channels last, one set of weights: versions from naive to fast beside an oracle.
//
//   conv-versions 1 [side channels outputs slots]   a thread per output, everything from global memory
//   conv-versions 2 ...                             tiles in shared memory, the patch matrix gathered on the way, FFMA
//   conv-versions 3 ...                             version 2, copies in the background (cp.async, two stages)
//   conv-versions 4 ...                             tensor cores: the product's kernel, TF32
//   conv-versions 5 ...                             the same in 3xTF32, as accurate as float
//
// Default: 16 64 64 64. Prints microseconds, TFLOP/s and how many outputs differ from a float64 loop on integers (0).
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "base/stopwatch.hpp"
#include "kernels/device/buffer.hpp"
#include "kernels/device/cuda_impl.cuh"
#include "kernels/nn/layers/conv/implicit_gemm.hpp"

namespace splitsim {
namespace {

/// x: (S, n, n, C), w: (OC, 3, 3, C), y: (S, n, n, OC); padding 1.
struct Conv {
  int n, c, oc, slots;
  const float *x, *w;
  float* y;
};

/// Version 1. Neighbouring lanes have neighbouring output channels: x is broadcast, w is read in strides of 9 C.
__global__ void naive(Conv k) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= k.slots * k.n * k.n * k.oc) return;
  const int o = i % k.oc, px = i / k.oc, ox = px % k.n, oy = px / k.n % k.n, slot = px / k.n / k.n;
  float sum = 0.0f;
  for (int tap = 0; tap < 9; ++tap) {
    const int y = oy + tap / 3 - 1, x = ox + tap % 3 - 1;
    if (y < 0 || y >= k.n || x < 0 || x >= k.n) continue;
    const float* from = k.x + ((slot * k.n + y) * k.n + x) * k.c;
    for (int c = 0; c < k.c; ++c) sum = fmaf(from[c], k.w[(o * 9 + tap) * k.c + c], sum);
  }
  k.y[i] = sum;
}

constexpr int kTile = 64, kDeep = 16, kPitch = kDeep + 4;  // 64 pixels x 64 channels; 256 threads, 4 x 4 outputs each

/// A thread's 16 bytes of a stage: row threadIdx / 4 of the pixels and of the weights, chunk threadIdx % 4. Null:
/// zeros.
struct Source {
  const float *x, *w;
};
__device__ Source source(const Conv& k, int stage, int row0, int column0) {
  const int row = row0 + threadIdx.x / 4, depth = stage * kDeep + threadIdx.x % 4 * 4, tap = depth / k.c;
  const int ox = row % k.n, oy = row / k.n % k.n, slot = row / k.n / k.n, y = oy + tap / 3 - 1, x = ox + tap % 3 - 1;
  const bool in = y >= 0 && y < k.n && x >= 0 && x < k.n && slot < k.slots;
  const int o = column0 + threadIdx.x / 4;
  return {in ? k.x + ((slot * k.n + y) * k.n + x) * k.c + depth % k.c : nullptr,
          o < k.oc ? k.w + o * 9 * k.c + depth : nullptr};
}

__device__ void multiply(const float* a, const float* b, float (&sums)[4][4]) {
  const int ty = threadIdx.x / 16, tx = threadIdx.x % 16;
  for (int d = 0; d < kDeep; ++d) {
    float u[4], v[4];
    for (int i = 0; i < 4; ++i) u[i] = a[(ty + 16 * i) * kPitch + d], v[i] = b[(tx + 16 * i) * kPitch + d];
    for (int i = 0; i < 4; ++i)
      for (int j = 0; j < 4; ++j) sums[i][j] = fmaf(u[i], v[j], sums[i][j]);
  }
}

__device__ void store(const Conv& k, int row0, int column0, const float (&sums)[4][4]) {
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) {
      const int row = row0 + threadIdx.x / 16 + 16 * i, o = column0 + threadIdx.x % 16 + 16 * j;
      if (row < k.slots * k.n * k.n && o < k.oc) k.y[row * k.oc + o] = sums[i][j];
    }
}

/// Version 2. Every input is read once per tile of channels and tap instead of once per output.
__global__ void __launch_bounds__(256) tiled(Conv k) {
  __shared__ alignas(16) float a[kTile * kPitch], b[kTile * kPitch];
  const int row0 = blockIdx.x * kTile, column0 = blockIdx.y * kTile,
            at = threadIdx.x / 4 * kPitch + threadIdx.x % 4 * 4;
  float sums[4][4] = {};
  for (int stage = 0; stage < 9 * k.c / kDeep; ++stage) {
    const Source from = source(k, stage, row0, column0);
    const float4 zero = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    const float4 u = from.x != nullptr ? *reinterpret_cast<const float4*>(from.x) : zero;
    const float4 v = from.w != nullptr ? *reinterpret_cast<const float4*>(from.w) : zero;
    __syncthreads();
    *reinterpret_cast<float4*>(a + at) = u;
    *reinterpret_cast<float4*>(b + at) = v;
    __syncthreads();
    multiply(a, b, sums);
  }
  store(k, row0, column0, sums);
}

__device__ void copy(float* to, const float* from, const float* otherwise) {
  asm volatile(
      "cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(static_cast<unsigned>(__cvta_generic_to_shared(to))),
      "l"(from != nullptr ? from : otherwise), "r"(from != nullptr ? 16 : 0)
      : "memory");
}

/// Version 3. The next stage's copies run behind this stage's products.
__global__ void __launch_bounds__(256) in_background(Conv k) {
  __shared__ alignas(16) float a[2][kTile * kPitch], b[2][kTile * kPitch];
  const int row0 = blockIdx.x * kTile, column0 = blockIdx.y * kTile,
            at = threadIdx.x / 4 * kPitch + threadIdx.x % 4 * 4;
  const int stages = 9 * k.c / kDeep;
  const auto start = [&](int stage) {
    if (stage < stages) {
      const Source from = source(k, stage, row0, column0);
      copy(a[stage % 2] + at, from.x, k.x);
      copy(b[stage % 2] + at, from.w, k.w);
    }
    asm volatile("cp.async.commit_group;" ::: "memory");
  };
  float sums[4][4] = {};
  start(0);
  for (int stage = 0; stage < stages; ++stage) {
    start(stage + 1);
    asm volatile("cp.async.wait_group 1;" ::: "memory");
    __syncthreads();
    multiply(a[stage % 2], b[stage % 2], sums);
    __syncthreads();
  }
  store(k, row0, column0, sums);
}

void forward(CudaContext& ctx, int version, const Conv& k, const Buffer<std::int32_t, CudaContext>& tables) {
  const std::int64_t outputs = std::int64_t{k.slots} * k.n * k.n * k.oc;
  const dim3 tiles((k.slots * k.n * k.n + kTile - 1) / kTile, (k.oc + kTile - 1) / kTile);
  const cudaStream_t stream = ctx.impl().stream;
  if (version == 1) naive<<<static_cast<unsigned>((outputs + 255) / 256), 256, 0, stream>>>(k);
  if (version == 2) tiled<<<tiles, 256, 0, stream>>>(k);
  if (version == 3) in_background<<<tiles, 256, 0, stream>>>(k);
  cuda_check(cudaGetLastError(), "launch of a version");
  if (version < 4) return;
  const std::int32_t* t =
      tables.data();  // one rank with all slots: {slots, 1, replica 0, first 0, first slots, rank 0 ...}
  const ReplicaMap map{t, t + 1, t + 2, t + 3, t + 5, k.slots, 1, 1};
  const ConvMath math{version == 4 ? Precision::kTf32 : Precision::kFp32};
  implicit_gemm_forward(ctx, map, {k.c, k.n, k.n, k.oc, 3, 1, 1}, math, {k.x, std::int64_t{k.slots} * k.n * k.n * k.c},
                        Parameters{{const_cast<float*>(k.w), 0}, {}}, {k.y, outputs});
}

/// Outputs of the last slot that differ from the loop in double.
int differences(const Conv& k, const std::vector<float>& x, const std::vector<float>& w, const std::vector<float>& y) {
  int wrong = 0;
  const int slot = k.slots - 1;
  for (int oy = 0; oy < k.n; ++oy)
    for (int ox = 0; ox < k.n; ++ox)
      for (int o = 0; o < k.oc; ++o) {
        double sum = 0.0;
        for (int tap = 0; tap < 9; ++tap) {
          const int iy = oy + tap / 3 - 1, ix = ox + tap % 3 - 1;
          if (iy < 0 || iy >= k.n || ix < 0 || ix >= k.n) continue;
          for (int c = 0; c < k.c; ++c)
            sum += double{x[((slot * k.n + iy) * k.n + ix) * k.c + c]} * w[(o * 9 + tap) * k.c + c];
        }
        wrong += y[((slot * k.n + oy) * k.n + ox) * k.oc + o] != sum;
      }
  return wrong;
}

int run(int argc, char** argv) {
  const auto given = [&](int i, int otherwise) { return argc > i ? std::atoi(argv[i]) : otherwise; };
  const int version = given(1, 5);
  Conv k{given(2, 16), given(3, 64), given(4, 64), given(5, 64), nullptr, nullptr, nullptr};
  if (version < 1 || version > 5 || k.c % kDeep != 0) {
    std::fputs("conv-versions: a version from 1 to 5, and channels in sixteens\n", stderr);
    return 2;
  }
  CudaContext ctx;
  std::mt19937 bits(1);
  const auto integers = [&](std::int64_t n) {
    std::vector<float> values(n);
    for (float& v : values) v = static_cast<float>(static_cast<int>(bits() % 17) - 8);
    return values;
  };
  const auto x = integers(std::int64_t{k.slots} * k.n * k.n * k.c), w = integers(std::int64_t{k.oc} * 9 * k.c);
  Buffer<float, CudaContext> x_in(ctx, x), w_in(ctx, w);
  Buffer<float, CudaContext> y_out(ctx, std::vector<float>(std::int64_t{k.slots} * k.n * k.n * k.oc));
  std::vector<std::int32_t> tables(5 + k.slots, 0);
  tables[0] = tables[4] = k.slots, tables[1] = 1;
  const Buffer<std::int32_t, CudaContext> on_device(ctx, tables);
  k.x = x_in.data(), k.w = w_in.data(), k.y = y_out.data();

  forward(ctx, version, k, on_device);
  const int wrong = differences(k, x, w, y_out.download());
  const char* repeats = std::getenv("REPEATS");
  const int times = repeats == nullptr ? 100 : std::atoi(repeats);
  ctx.synchronize();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < times; ++i) forward(ctx, version, k, on_device);
  ctx.synchronize();
  const double us = times == 0 ? 0.0 : seconds_since(begin) * 1e6 / times;
  const double flop = 18.0 * k.slots * k.n * k.n * k.c * k.oc;
  std::printf("version %d: %.1f us, %.2f TFLOP/s, %d outputs wrong\n", version, us, us > 0 ? flop / us / 1e6 : 0.0,
              wrong);
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace splitsim

int main(int argc, char** argv) { return splitsim::run(argc, argv); }
