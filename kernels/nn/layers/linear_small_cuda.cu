#include "kernels/device/launch_cuda.cuh"
#include "kernels/device/launch_kernel.cuh"
#include "kernels/nn/layers/linear_small.hpp"
#include "kernels/nn/support/run_tile.cuh"

namespace splitsim {

namespace {

// A block makes a tile of 16 kEach x 16 kEach results, a thread of it kEach x kEach; each of its groups of as many threads
// sums a part of every depth() indices: where tiles are few, four, so that nobody sums for long.
constexpr int kSide = 16, kTile = kSide * kSide;
constexpr std::int64_t kManyTiles = 256;
template <int kEach>
struct Tiles {
  static constexpr int kRows = kSide * kEach, kDepth = 128 / kEach;
  static constexpr int kPitch = kDepth + 4;  // floats of a row in shared memory: rows begin four banks apart
  float a[kRows * kPitch], b[kRows * kPitch];
};

/// A factor: at(row, k) = data[row * row_stride + k * k_stride]; one of the strides is 1.
struct Factor {
  const float* data;
  std::int32_t row_stride, k_stride;
  bool fours;  ///< rows are multiples of four floats along k, from a multiple of 16 bytes on
};

/// c[m, n] = sum over k of a(m, k) b(n, k), row-major, and what is done to it. b.data null: zeros.
struct Product {
  Factor a, b;
  std::int32_t m, n, k;
  float* c;
  const float* bias;       ///< [n], or null
  const float* rectified;  ///< as c: c is the gradient of what a ReLU was given that gave this, or null
  float* row_sums;         ///< [m] sums of a's rows, or null
  bool relu;
};

/// Rows [row, row + 16 kEach) and the summed indices [k, k + kDepth) of a factor, zeros beyond both ends.
template <int kThreads, int kEach>
__device__ void load(const Factor& factor, std::int32_t row, std::int32_t rows, std::int32_t k, std::int32_t ks,
                     float* to) {
  using T = Tiles<kEach>;
  const int t = static_cast<int>(threadIdx.x);
  if (factor.fours) {
    constexpr int kFours = T::kDepth / 4, kAll = T::kRows * kFours;
#pragma unroll
    for (int i = 0; i < (kAll + kThreads - 1) / kThreads; ++i) {
      const int at = t + i * kThreads, r = at / kFours, l = at % kFours * 4;
      if (kAll % kThreads != 0 && at >= kAll) break;
      const bool inside = row + r < rows && k + l < ks;
      *reinterpret_cast<float4*>(to + r * T::kPitch + l) =
          inside ? *reinterpret_cast<const float4*>(factor.data + std::int64_t{row + r} * factor.row_stride + k + l)
                 : float4{};
    }
    return;
  }
  const bool along_k = factor.k_stride == 1;  // neighbouring threads read neighbouring floats
#pragma unroll 8
  for (int i = 0; i < T::kRows * T::kDepth / kThreads; ++i) {
    const int at = t + i * kThreads, r = along_k ? at / T::kDepth : at % T::kRows,
              l = along_k ? at % T::kDepth : at / T::kRows;
    const bool inside = row + r < rows && k + l < ks;
    to[r * T::kPitch + l] =
        inside ? factor.data[std::int64_t{row + r} * factor.row_stride + std::int64_t{k + l} * factor.k_stride] : 0.0f;
  }
}

template <int kGroups, int kEach>
__device__ void multiply(const Product& p, std::int32_t first_row, std::int32_t first_column, Tiles<kEach>& shared) {
  using T = Tiles<kEach>;
  constexpr int kPart = T::kDepth / kGroups;
  const int t = static_cast<int>(threadIdx.x), group = t / kTile, r = t % kTile / kSide, c = t % kSide;
  const bool sums_rows = p.row_sums != nullptr && first_column == 0;
  float sums[kEach][kEach] = {}, row_sums[kEach] = {};
  for (std::int32_t k = 0; k < p.k && p.b.data != nullptr; k += T::kDepth) {
    load<kGroups * kTile, kEach>(p.a, first_row, p.m, k, p.k, shared.a);
    load<kGroups * kTile, kEach>(p.b, first_column, p.n, k, p.k, shared.b);
    __syncthreads();
    const float* a = shared.a + r * T::kPitch + group * kPart;
    const float* b = shared.b + c * T::kPitch + group * kPart;
#pragma unroll 2
    for (int l = 0; l < kPart; l += 4) {
      float4 u[kEach], v[kEach];
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
        u[i] = *reinterpret_cast<const float4*>(a + i * kSide * T::kPitch + l);
        v[i] = *reinterpret_cast<const float4*>(b + i * kSide * T::kPitch + l);
      }
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
#pragma unroll
        for (int j = 0; j < kEach; ++j) {
          sums[i][j] = fmaf(u[i].x, v[j].x, sums[i][j]);
          sums[i][j] = fmaf(u[i].y, v[j].y, sums[i][j]);
          sums[i][j] = fmaf(u[i].z, v[j].z, sums[i][j]);
          sums[i][j] = fmaf(u[i].w, v[j].w, sums[i][j]);
        }
      }
    }
    if (sums_rows) {  // a row's 16 threads of a group take every 16th of its part
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
        for (int l = group * kPart + c; l < (group + 1) * kPart; l += kSide)
          row_sums[i] += shared.a[(r + i * kSide) * T::kPitch + l];
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    for (int half = kSide / 2; half > 0; half /= 2)
      row_sums[i] += __shfl_down_sync(0xffffffffu, row_sums[i], half, kSide);
  }
  if constexpr (kGroups > 1) {
    static_assert(kEach == 1);
    shared.a[t] = sums[0][0];
    if (c == 0) shared.b[group * kSide + r] = row_sums[0];
    __syncthreads();
    if (group > 0) return;
    for (int g = 1; g < kGroups; ++g) {
      sums[0][0] += shared.a[g * kTile + t];
      row_sums[0] += shared.b[g * kSide + r];
    }
  }
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const std::int32_t row = first_row + r + i * kSide;
    if (row >= p.m) break;
    if (sums_rows && c == 0) p.row_sums[row] = row_sums[i];
#pragma unroll
    for (int j = 0; j < kEach; ++j) {
      const std::int32_t column = first_column + c + j * kSide;
      if (column >= p.n) break;
      const std::int64_t at = std::int64_t{row} * p.n + column;
      float sum = sums[i][j];
      if (p.bias != nullptr) sum += p.bias[column];
      if (p.relu) sum = rectify(sum);
      if (p.rectified != nullptr) sum = rectify_gradient(p.rectified[at], sum);
      p.c[at] = sum;
    }
  }
}

/// A product of slots with their replicas' weights, and one of each rank's slots with themselves. of_slots.m: all slots;
/// of_ranks.a, .b: from the first slot.
struct Products {
  ReplicaMap map;
  Product of_slots, of_ranks;
  Grouped factor, bias;                ///< of_slots.b and its bias, of replica 0
  Grouped gradient, bias_gradient;     ///< of_ranks.c and its row sums, of rank 0
  std::int32_t rank_tiles, row_tiles;  ///< tiles of all ranks, which come first; rows of tiles of all slots

  PSL_HD static std::int32_t tiles(std::int32_t n, std::int32_t side) { return (n + side - 1) / side; }
};

template <int kGroups, int kEach>
__global__ void __launch_bounds__(kGroups* kTile) products_kernel(const __grid_constant__ Products args) {
  __shared__ alignas(16) Tiles<kEach> shared;
  begin_kernel();
  constexpr int kRows = Tiles<kEach>::kRows;
  auto tile = static_cast<std::int32_t>(blockIdx.x);
  if (tile < args.rank_tiles) {
    Product p = args.of_ranks;
    const std::int32_t columns = Products::tiles(p.n, kRows), each = columns * Products::tiles(p.m, kRows);
    const std::int32_t rank = tile / each;
    tile -= rank * each;
    if (!args.map.tied()) {
      if (rank >= *args.map.active) return;
      const std::int32_t first = args.map.first[rank];
      p.a.data += std::int64_t{first} * p.a.k_stride;
      p.b.data += std::int64_t{first} * p.b.k_stride;
      p.k = args.map.first[rank + 1] - first;
    }
    p.c = args.gradient.at(rank);
    p.row_sums = args.bias_gradient.data == nullptr ? nullptr : args.bias_gradient.at(rank);
    return multiply<kGroups, kEach>(p, tile / columns * kRows, tile % columns * kRows, shared);
  }
  tile -= args.rank_tiles;
  Product p = args.of_slots;
  const std::int32_t columns = Products::tiles(p.n, kRows), row_tile = tile / columns;
  RunTile at{0, p.m, row_tile * kRows, 0};
  if (!args.map.tied()) {
    at = find_tile<kRows>(args.map, row_tile, 1);
    if (at.replica == -2) return;
    p.a.data += std::int64_t{at.slot} * p.a.row_stride;
    p.c += std::int64_t{at.slot} * p.n;
    if (p.rectified != nullptr) p.rectified += std::int64_t{at.slot} * p.n;
    p.m = at.rows;
  }
  const bool empty = at.replica < 0;
  p.b.data = empty ? nullptr : args.factor.at(at.replica);
  p.bias = empty || args.bias.data == nullptr ? nullptr : args.bias.at(at.replica);
  multiply<kGroups, kEach>(p, at.row, (tile - row_tile * columns) * kRows, shared);
}

void launch(CudaContext& ctx, Products args) {
  const auto blocks = [&](std::int32_t side) {
    const Product &s = args.of_slots, &r = args.of_ranks;
    args.rank_tiles = args.map.max_active * Products::tiles(r.m, side) * Products::tiles(r.n, side);
    if (s.n == 0) {
      args.row_tiles = 0;
    } else {
      args.row_tiles =
          args.map.tied() ? Products::tiles(s.m, side) : static_cast<std::int32_t>(most_run_tiles(args.map, 1, side));
    }
    return std::int64_t{args.rank_tiles} + std::int64_t{args.row_tiles} * Products::tiles(s.n, side);
  };
  const bool large = blocks(2 * kSide) >= kManyTiles;
  const std::int64_t count = blocks(large ? 2 * kSide : kSide);
  if (count == 0) return;
  const bool many = large || count >= kManyTiles;
  const auto kernel = large ? products_kernel<1, 2> : many ? products_kernel<1, 1> : products_kernel<4, 1>;
  launch_kernel(ctx, "launch of a small linear layer", {static_cast<unsigned>(count), many ? kTile : 4 * kTile}, kernel,
                args);
}

bool fours(const float* data, std::int32_t floats) {
  return reinterpret_cast<std::uintptr_t>(data) % 16 == 0 && floats % 4 == 0;
}

}  // namespace

void small_linear_forward(CudaContext& ctx, const ReplicaMap& map, const LinearShape& shape, View<const float> x,
                          const Parameters& parameters, View<float> y, bool relu) {
  Products args{};
  args.map = map, args.factor = parameters.weight, args.bias = parameters.bias;
  Product& p = args.of_slots;
  const Grouped& w = parameters.weight;
  p.a = {x.data(), shape.in, 1, fours(x.data(), shape.in)};
  p.b = {nullptr, shape.in, 1, fours(w.data, shape.in) && (map.tied() || w.stride % 4 == 0)};
  p.m = map.max_slots, p.n = shape.out, p.k = shape.in;
  p.c = y.data();
  p.relu = relu;
  launch(ctx, args);
}

void small_linear_backward(CudaContext& ctx, const ReplicaMap& map, const LinearShape& shape, const Backprop& io,
                           Grouped weight, const Parameters& gradients) {
  Products args{};
  args.map = map, args.factor = weight;
  args.gradient = gradients.weight, args.bias_gradient = gradients.bias;
  Product& r = args.of_ranks;
  r.a = {io.dy.data(), 1, shape.out, false};
  r.b = {io.x.data(), 1, shape.in, false};
  r.m = shape.out, r.n = shape.in, r.k = map.max_slots;
  if (!io.dx.empty()) {
    Product& s = args.of_slots;
    s.a = {io.dy.data(), shape.out, 1, fours(io.dy.data(), shape.out)};
    s.b = {nullptr, 1, shape.in, false};
    s.m = map.max_slots, s.n = shape.in, s.k = shape.out;
    s.c = io.dx.data();
    s.rectified = io.rectified ? io.x.data() : nullptr;
  }
  launch(ctx, args);
}

}  // namespace splitsim
