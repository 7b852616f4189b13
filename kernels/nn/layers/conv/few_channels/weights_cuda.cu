#include "kernels/nn/layers/conv/few_channels/planes.cuh"

namespace splitsim::few_channels {

namespace {

using implicit_gemm::WeightArgs;

/// `rows` rows of the result's gradient: [rows][runs * 4][padded outputs], zeros where there is none.
__device__ inline void stage_gradient(const Bands& b, const Divisors& d, const float* dy, int first, int rows,
                                      float* to) {
  const int all = rows * b.runs() * b.pixels * b.padded();
  for (int i = static_cast<int>(threadIdx.x); i < all; i += static_cast<int>(blockDim.x)) {
    int o = i;
    int x = divide(o, d.padded);
    const int y = first + divide(x, d.wide);
    to[i] = o < b.outputs && x < b.width ? dy[(y * b.width + x) * b.outputs + o] : 0.0f;
  }
}

/// Grid: (rank, share of its rows). A thread: a row of the kernel in one plane by kEach channels, over its group's runs.
template <int kEach, int kWindow>
__global__ void __launch_bounds__(kThreads)
    weight_kernel(const __grid_constant__ WeightArgs args, const __grid_constant__ WeightPlan plan,
                  const __grid_constant__ Divisors d) {
  begin_kernel();
  const Bands& b = plan.bands;
  const int rank = static_cast<int>(blockIdx.x) / args.parts, share = static_cast<int>(blockIdx.x) - rank * args.parts;
  if (rank >= *args.map.active) return;
  const int first_slot = args.map.first[rank];
  const std::int64_t rows = std::int64_t{args.map.first[rank + 1] - first_slot} * b.height;
  const std::int64_t last = rows * (share + 1) / args.parts;
  const int t = static_cast<int>(threadIdx.x), group = t / plan.units, unit = t - group * plan.units;
  float* const planes = shared_floats();
  float* const ones = planes + b.planes();
  float* const gradient = ones + b.pitch();
  for (int i = t; i < b.pitch(); i += static_cast<int>(blockDim.x)) ones[i] = 1.0f;

  int part = unit;
  int ky = divide(part, d.parts);
  const int plane = divide(ky, d.kernel_height), runs = b.runs(), padded = b.padded(), pitch = b.pitch();
  const bool of_bias = plane == b.channels;
  float sums[kWindow][kEach] = {};
  for (std::int64_t at = rows * share / args.parts; at < last;) {
    const std::int64_t of_rank = at / b.height;
    const std::int64_t slot = first_slot + of_rank;
    const int first = static_cast<int>(at - of_rank * b.height);
    const int count = static_cast<int>(min(std::int64_t{min(b.rows, b.height - first)}, last - at));
    at += count;
    __syncthreads();
    stage_planes(b, d, args.x + slot * args.shape.in_size(), first, count + b.kernel_height - 1, planes);
    stage_gradient(b, d, args.dy + slot * args.shape.out_size(), first, count, gradient);
    __syncthreads();
    if (group >= plan.groups) continue;
    for (int item = group; item < count * runs; item += plan.groups) {
      int run = item;
      const int row = divide(run, d.runs);
      constexpr int kLine = (4 + kWindow + 2) / 4 * 4;
      float x[kLine];
      load<4>(of_bias ? ones : planes + plane * b.plane() + (row + ky) * pitch + run * 4, x);
      const float* dy = gradient + item * 4 * padded + part * kEach;
#pragma unroll
      for (int p = 0; p < 4; ++p, dy += padded) {
        float v[kEach];
        load<kWideOf<kEach>>(dy, v);
#pragma unroll
        for (int kx = 0; kx < kWindow; ++kx) {
#pragma unroll
          for (int o = 0; o < kEach; ++o) sums[kx][o] = fmaf(x[p + kx], v[o], sums[kx][o]);
        }
      }
    }
  }
  // The groups' sums, in order.
  __syncthreads();
  const int pitch_of_sums = plan.units * plan.groups;
  if (group < plan.groups) {
#pragma unroll
    for (int kx = 0; kx < kWindow; ++kx) {
#pragma unroll
      for (int o = 0; o < kEach; ++o) planes[(kx * kEach + o) * pitch_of_sums + t] = sums[kx][o];
    }
  }
  __syncthreads();
  const bool direct = args.partials == nullptr, has_bias = args.gradients.bias.data != nullptr;
  const int weights = b.outputs * b.taps() * b.channels, units = b.kernel_height * b.parts();
  float* to = direct ? args.gradients.weight.at(rank) : args.partials + std::int64_t{blockIdx.x} * args.partial;
  float* biases = direct && has_bias ? args.gradients.bias.at(rank) : to + weights;
  for (int i = t; i < weights + (has_bias ? b.outputs : 0); i += static_cast<int>(blockDim.x)) {
    int c = i, of, kx = 0;
    int output = i - weights;
    if (i < weights) {
      int tap = divide(c, d.channels);
      output = divide(tap, d.taps);
      const int y = tap / kWindow;
      kx = tap - y * kWindow;
      of = c * units + y * b.parts() + output / kEach;
    } else {
      of = b.channels * units + output / kEach;
    }
    const float* sum = planes + (kx * kEach + output % kEach) * pitch_of_sums + of;
    float total = sum[0];
    for (int g = 1; g < plan.groups; ++g) total += sum[g * plan.units];
    (i < weights ? to[i] : biases[output]) = total;
  }
}

}  // namespace

void weight_gradient(CudaContext& ctx, const WeightArgs& args) {
  const WeightPlan plan = weight_plan(args.shape);
  const bool three = plan.bands.kernel_width == 3;
  const auto kernel = plan.bands.each == 4   ? (three ? weight_kernel<4, 3> : weight_kernel<4, 5>)
                      : plan.bands.each == 6 ? (three ? weight_kernel<6, 3> : weight_kernel<6, 5>)
                                             : (three ? weight_kernel<8, 3> : weight_kernel<8, 5>);
  const auto blocks = static_cast<unsigned>(std::int64_t{args.map.max_active} * args.parts);
  if (blocks == 0) return;
  launch_kernel(ctx, "launch of the weight gradient of a convolution of few channels",
                {blocks, static_cast<unsigned>(plan.threads), static_cast<std::size_t>(plan.shared_bytes)}, kernel,
                args, plan, Divisors(plan.bands));
}

}  // namespace splitsim::few_channels
