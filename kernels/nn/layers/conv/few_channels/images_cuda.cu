#include "kernels/nn/layers/conv/few_channels/planes.cuh"

namespace splitsim::few_channels {

namespace {

using implicit_gemm::ImageArgs;

/// Weights [channels][taps][padded outputs], zeros behind the outputs; of the gradient the taps from the last to the first.
__device__ inline void stage_weights(const Bands& b, const Divisors& d, const float* weights, bool gradient,
                                     float* to) {
  const int taps = b.taps(), padded = b.padded(), all = b.channels * taps * b.outputs;
  for (int i = static_cast<int>(threadIdx.x); i < all; i += static_cast<int>(blockDim.x)) {
    int inner = i;
    int tap = divide(inner, gradient ? d.outputs : d.channels);
    const int outer = divide(tap, d.taps);
    to[gradient ? (outer * taps + taps - 1 - tap) * padded + inner : (inner * taps + tap) * padded + outer] =
        weights[i];
  }
  const int none = padded - b.outputs;
  for (int i = static_cast<int>(threadIdx.x); i < b.channels * taps * none; i += static_cast<int>(blockDim.x)) {
    to[i / none * padded + b.outputs + i % none] = 0.0f;
  }
}

/// Grid: bands of every slot. A thread: kPixels neighbours of a row by kEach channels, summed over (plane, row, column) of
/// its share of the planes.
template <int kPixels, int kEach, int kWindow>
__global__ void __launch_bounds__(kThreads, 1)
    image_kernel(const __grid_constant__ ImageArgs args, const __grid_constant__ Bands b,
                 const __grid_constant__ Divisors d, bool gradient) {
  begin_kernel();
  const int count = b.count(), slot = static_cast<int>(blockIdx.x) / count;
  const int first = (static_cast<int>(blockIdx.x) - slot * count) * b.rows, rows = min(b.rows, b.height - first);
  const std::int64_t at = (std::int64_t{slot} * b.height + first) * b.width * b.outputs;
  const int floats = rows * b.width * b.outputs;
  float* out = args.out + at;
  if (slot >= *args.map.slots) {
    for (int i = static_cast<int>(threadIdx.x); i < floats; i += static_cast<int>(blockDim.x)) out[i] = 0.0f;
    return;
  }
  const int replica = args.map.replica[args.map.rank[slot]];
  float* const planes = shared_floats();
  float* const weights = planes + b.planes();
  stage_planes(b, d, args.source + std::int64_t{slot} * b.source_height * b.source_width * b.channels, first,
               rows + b.kernel_height - 1, planes);
  stage_weights(b, d, args.parameters.weight.at(replica), gradient, weights);
  __syncthreads();

  int run = static_cast<int>(threadIdx.x);
  int row = divide(run, d.runs);
  int part = divide(row, d.rows);
  const int share = divide(part, d.parts), channel = share * b.share(), channels = min(b.share(), b.channels - channel);
  const bool on = row < rows && share < b.shares;
  float sums[kPixels][kEach] = {};
  if (on) {
    const int padded = b.padded(), pitch = b.pitch(), plane = b.plane() - b.kernel_height * pitch;
    const float* line = planes + channel * b.plane() + row * pitch + run * kPixels;
    const float* w = weights + channel * b.taps() * padded + part * kEach;
    for (int c = 0; c < channels; ++c, line += plane) {
      for (int ky = 0; ky < b.kernel_height; ++ky, line += pitch) {
        constexpr int kLine = (kPixels + kWindow - 1 + kPixels - 1) / kPixels * kPixels;
        float x[kLine];
        load<kPixels>(line, x);
#pragma unroll
        for (int kx = 0; kx < kWindow; ++kx, w += padded) {
          float v[kEach];
          load<kWideOf<kEach>>(w, v);
#pragma unroll
          for (int p = 0; p < kPixels; ++p) {
#pragma unroll
            for (int o = 0; o < kEach; ++o) sums[p][o] = fmaf(x[p + kx], v[o], sums[p][o]);
          }
        }
      }
    }
  }
  __syncthreads();  // the results lie where planes and weights lay
  const int plane = b.result_plane(), wide = b.runs() * kPixels;
  if (on) {
    float* results = planes + share * b.outputs * plane + row * wide + run * kPixels;
#pragma unroll
    for (int o = 0; o < kEach; ++o) {
      const int output = part * kEach + o;
      if (output >= b.outputs) break;
#pragma unroll
      for (int p = 0; p < kPixels; ++p) results[output * plane + p] = sums[p][o];
    }
  }
  __syncthreads();
  const float* bias = !gradient && args.parameters.bias.data != nullptr ? args.parameters.bias.at(replica) : nullptr;
  for (int i = static_cast<int>(threadIdx.x); i < floats; i += static_cast<int>(blockDim.x)) {
    int output = i;
    int column = divide(output, d.outputs);
    const int y = divide(column, d.width);
    const float* result = planes + output * plane + y * wide + column;
    float sum = result[0];
    for (int other = 1; other < b.shares; ++other) sum += result[other * b.outputs * plane];
    if (bias != nullptr) sum += bias[output];
    if (args.relu) sum = rectify(sum);
    out[i] = args.rectified == nullptr ? sum : rectify_gradient(args.rectified[at + i], sum);
  }
}

template <int kPixels, int kEach>
void launch_image(CudaContext& ctx, const ImagePlan& plan, const ImageArgs& args, bool gradient) {
  const auto blocks = static_cast<unsigned>(std::int64_t{args.map.max_slots} * plan.bands.count());
  const auto kernel = plan.bands.kernel_width == 3 ? image_kernel<kPixels, kEach, 3> : image_kernel<kPixels, kEach, 5>;
  launch_kernel(ctx, "launch of a convolution of few channels",
                {blocks, static_cast<unsigned>(plan.threads), static_cast<std::size_t>(plan.shared_bytes)}, kernel,
                args, plan.bands, Divisors(plan.bands), gradient);
}

void launch_image(CudaContext& ctx, const ImageArgs& args, bool gradient) {
  if (args.map.max_slots == 0) return;
  const ImagePlan plan = image_plan(args.shape, args.map.max_slots, gradient);
  const bool two = plan.bands.pixels == 2;
  switch (plan.bands.each) {
    case 4:
      return two ? launch_image<2, 4>(ctx, plan, args, gradient) : launch_image<4, 4>(ctx, plan, args, gradient);
    case 6:
      return two ? launch_image<2, 6>(ctx, plan, args, gradient) : launch_image<4, 6>(ctx, plan, args, gradient);
    default:
      return two ? launch_image<2, 8>(ctx, plan, args, gradient) : launch_image<4, 8>(ctx, plan, args, gradient);
  }
}

}  // namespace

void forward(CudaContext& ctx, const ImageArgs& args) { launch_image(ctx, args, false); }
void input_gradient(CudaContext& ctx, const ImageArgs& args) { launch_image(ctx, args, true); }

}  // namespace splitsim::few_channels
