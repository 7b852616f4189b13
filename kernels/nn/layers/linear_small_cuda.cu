#include "kernels/device/launch_cuda.cuh"
#include "kernels/nn/layers/linear_small.hpp"

namespace splitsim {

namespace {

// A block makes a tile of kSide x kSide results; each of its groups of as many threads sums a part of every kDepth indices:
// where tiles are few, four, so that nobody sums for long.
constexpr int kSide = 16, kDepth = 128, kTile = kSide * kSide, kManyTiles = 256;
constexpr int kPitch = kDepth + 4;  // floats of a row in shared memory: rows begin four banks apart

/// A factor: at(row, k) = data[row * row_stride + k * k_stride]; one of the strides is 1.
struct Factor {
  const float* data;
  std::int32_t row_stride, k_stride;
};

/// c[m, n] = sum over k of a(m, k) b(n, k), row-major, and what is done to it.
struct Product {
  Factor a, b;
  std::int32_t m, n, k;
  float* c;
  const float* bias;       ///< [n], or null
  const float* rectified;  ///< as c: c is the gradient of what a ReLU was given that gave this, or null
  float* row_sums;         ///< [m] sums of a's rows, or null
  bool relu;

  __host__ __device__ std::int32_t column_tiles() const { return (n + kSide - 1) / kSide; }
  __host__ __device__ std::int32_t tiles() const { return (m + kSide - 1) / kSide * column_tiles(); }
};

struct Tiles {
  float a[kSide * kPitch], b[kSide * kPitch];
};

/// Rows [row, row + 16) and the summed indices [k, k + 128) of a factor, zeros beyond both ends.
template <int kThreads>
__device__ void load(const Factor& factor, std::int32_t row, std::int32_t rows, std::int32_t k, std::int32_t ks,
                     float* to) {
  const int t = static_cast<int>(threadIdx.x);
  const bool along_k = factor.k_stride == 1;  // neighbouring threads read neighbouring floats
#pragma unroll 8
  for (int i = 0; i < kSide * kDepth / kThreads; ++i) {
    const int at = t + i * kThreads, r = along_k ? at / kDepth : at % kSide, l = along_k ? at % kDepth : at / kSide;
    const bool inside = row + r < rows && k + l < ks;
    to[r * kPitch + l] =
        inside ? factor.data[std::int64_t{row + r} * factor.row_stride + std::int64_t{k + l} * factor.k_stride] : 0.0f;
  }
}

template <int kGroups>
__device__ void multiply(const Product& p, std::int32_t tile, Tiles& shared) {
  constexpr int kPart = kDepth / kGroups;
  const std::int32_t column_tiles = p.column_tiles(), row_tile = tile / column_tiles;
  const std::int32_t first_row = row_tile * kSide, first_column = (tile - row_tile * column_tiles) * kSide;
  const int t = static_cast<int>(threadIdx.x), group = t / kTile, r = t % kTile / kSide, c = t % kSide;
  const bool sums_rows = p.row_sums != nullptr && first_column == 0;
  float sum = 0.0f, row_sum = 0.0f;
  for (std::int32_t k = 0; k < p.k; k += kDepth) {
    load<kGroups * kTile>(p.a, first_row, p.m, k, p.k, shared.a);
    load<kGroups * kTile>(p.b, first_column, p.n, k, p.k, shared.b);
    __syncthreads();
    const float4* a = reinterpret_cast<const float4*>(shared.a + r * kPitch + group * kPart);
    const float4* b = reinterpret_cast<const float4*>(shared.b + c * kPitch + group * kPart);
#pragma unroll 8
    for (int l = 0; l < kPart / 4; ++l) {
      const float4 u = a[l], v = b[l];
      sum = fmaf(u.x, v.x, sum);
      sum = fmaf(u.y, v.y, sum);
      sum = fmaf(u.z, v.z, sum);
      sum = fmaf(u.w, v.w, sum);
    }
    if (sums_rows) {  // the row's 16 threads of a group take every 16th of its part
      for (int l = group * kPart + c; l < (group + 1) * kPart; l += kSide) row_sum += shared.a[r * kPitch + l];
    }
    __syncthreads();
  }
  for (int half = kSide / 2; half > 0; half /= 2) row_sum += __shfl_down_sync(0xffffffffu, row_sum, half, kSide);
  shared.a[t] = sum;
  if (c == 0) shared.b[group * kSide + r] = row_sum;
  __syncthreads();
  if (group > 0) return;
  for (int g = 1; g < kGroups; ++g) {
    sum += shared.a[g * kTile + t];
    row_sum += shared.b[g * kSide + r];
  }
  const std::int32_t row = first_row + r, column = first_column + c;
  if (sums_rows && c == 0 && row < p.m) p.row_sums[row] = row_sum;
  if (row >= p.m || column >= p.n) return;
  const std::int64_t at = std::int64_t{row} * p.n + column;
  if (p.bias != nullptr) sum += p.bias[column];
  if (p.relu) sum = rectify(sum);
  if (p.rectified != nullptr) sum = rectify_gradient(p.rectified[at], sum);
  p.c[at] = sum;
}

/// The tiles of one product, then those of another.
template <int kGroups>
__global__ void __launch_bounds__(kGroups* kTile) products_kernel(Product first, Product second) {
  __shared__ alignas(16) Tiles shared;
  begin_kernel();
  const auto tile = static_cast<std::int32_t>(blockIdx.x), before = first.tiles();
  if (tile < before) {
    multiply<kGroups>(first, tile, shared);
  } else {
    multiply<kGroups>(second, tile - before, shared);
  }
}

void launch(CudaContext& ctx, const Product& first, const Product& second) {
  const auto blocks = static_cast<unsigned>(first.tiles() + second.tiles());
  if (blocks == 0) return;
  const bool many = blocks >= kManyTiles;
  launch_kernel(ctx, "launch of a small linear layer", {blocks, many ? kTile : 4 * kTile},
                many ? products_kernel<1> : products_kernel<4>, first, second);
}

}  // namespace

void small_linear_forward(CudaContext& ctx, std::int32_t slots, const LinearShape& shape, View<const float> x,
                          const Parameters& parameters, View<float> y, bool relu) {
  Product product{};
  product.a = {x.data(), shape.in, 1};
  product.b = {parameters.weight.data, shape.in, 1};
  product.m = slots, product.n = shape.out, product.k = shape.in;
  product.c = y.data();
  product.bias = parameters.bias.data;
  product.relu = relu;
  launch(ctx, product, Product{});
}

void small_linear_backward(CudaContext& ctx, std::int32_t slots, const LinearShape& shape, const Backprop& io,
                           Grouped weight, const Parameters& gradients) {
  Product for_weight{}, for_input{};
  for_weight.a = {io.dy.data(), 1, shape.out};
  for_weight.b = {io.x.data(), 1, shape.in};
  for_weight.m = shape.out, for_weight.n = shape.in, for_weight.k = slots;
  for_weight.c = gradients.weight.data;
  for_weight.row_sums = gradients.bias.data;
  if (!io.dx.empty()) {
    for_input.a = {io.dy.data(), shape.out, 1};
    for_input.b = {weight.data, 1, shape.in};
    for_input.m = slots, for_input.n = shape.in, for_input.k = shape.out;
    for_input.c = io.dx.data();
    for_input.rectified = io.rectified ? io.x.data() : nullptr;
  }
  launch(ctx, for_weight, for_input);
}

}  // namespace splitsim
