// Convolutions with a few channels per group, channels last: a lane per float of the result, neighbouring lanes are
// neighbouring channels. Always in float.
#include <algorithm>

#include "kernels/device/launch_kernel.cuh"
#include "kernels/nn/layers/conv/implicit_gemm_weight.cuh"

namespace splitsim::implicit_gemm {

namespace {

constexpr int kThreads = 256;
constexpr int kLanes2 = kThreads / kDirectChannels;  // pixels that a block of the weight gradient takes at a time

/// Grid: x: floats of a slot, y: slots.
__global__ void __launch_bounds__(kThreads) forward_kernel(const __grid_constant__ ImageArgs args) {
  begin_kernel();
  const ConvShape& s = args.shape;
  const int channels = s.out_channels, size = static_cast<int>(s.out_size());
  const int inputs = s.in_channels / s.groups, outputs = channels / s.groups, valid = *args.map.slots;
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= size) return;
  const int pixel = i / channels, o = i - pixel * channels, oy = pixel / s.out_width(), ox = pixel - oy * s.out_width();
  const int from_y = oy * s.stride.height - s.padding.height, from_x = ox * s.stride.width - s.padding.width;
  for (int slot = static_cast<int>(blockIdx.y); slot < args.map.max_slots; slot += static_cast<int>(gridDim.y)) {
    float sum = 0.0f;
    if (slot < valid) {
      const int replica = args.map.replica[args.map.rank[slot]];
      const float* x = args.source + slot * s.in_size() + o / outputs * inputs;
      const float* w = args.parameters.weight.at(replica) + o * s.patch();
      for (int ky = 0; ky < s.kernel.height; ++ky) {
        const int y = from_y + ky;
        if (static_cast<unsigned>(y) >= static_cast<unsigned>(s.in_height)) continue;
        for (int kx = 0; kx < s.kernel.width; ++kx) {
          const int column = from_x + kx;
          if (static_cast<unsigned>(column) >= static_cast<unsigned>(s.in_width)) continue;
          const float* from = x + (y * s.in_width + column) * s.in_channels;
          const float* weights = w + (ky * s.kernel.width + kx) * inputs;
          for (int c = 0; c < inputs; ++c) sum = fmaf(from[c], weights[c], sum);
        }
      }
      if (args.parameters.bias.data != nullptr) sum += args.parameters.bias.at(replica)[o];
      if (args.relu) sum = rectify(sum);
    }
    args.out[slot * s.out_size() + i] = sum;
  }
}

__global__ void __launch_bounds__(kThreads) input_gradient_kernel(const __grid_constant__ ImageArgs args) {
  begin_kernel();
  const ConvShape& s = args.shape;
  const int channels = s.in_channels, size = static_cast<int>(s.in_size()), patch = static_cast<int>(s.patch());
  const int inputs = channels / s.groups, outputs = s.out_channels / s.groups, valid = *args.map.slots;
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= size) return;
  const int pixel = i / channels, c = i - pixel * channels, iy = pixel / s.in_width, ix = pixel - iy * s.in_width;
  const int group = c / inputs, first_y = (iy + s.padding.height) % s.stride.height;
  const int first_x = (ix + s.padding.width) % s.stride.width;
  for (int slot = static_cast<int>(blockIdx.y); slot < args.map.max_slots; slot += static_cast<int>(gridDim.y)) {
    float sum = 0.0f;
    if (slot < valid) {
      const float* dy = args.source + slot * s.out_size() + group * outputs;
      const float* w = args.parameters.weight.at(args.map.replica[args.map.rank[slot]]) +
                       std::int64_t{group} * outputs * patch + c - group * inputs;
      int y = (iy + s.padding.height) / s.stride.height;  // the pixel whose tap `ky` this is
      for (int ky = first_y; ky < s.kernel.height; ky += s.stride.height, --y) {
        if (static_cast<unsigned>(y) >= static_cast<unsigned>(s.out_height())) continue;
        int x = (ix + s.padding.width) / s.stride.width;
        for (int kx = first_x; kx < s.kernel.width; kx += s.stride.width, --x) {
          if (static_cast<unsigned>(x) >= static_cast<unsigned>(s.out_width())) continue;
          const float* from = dy + (y * s.out_width() + x) * s.out_channels;
          const float* weights = w + (ky * s.kernel.width + kx) * inputs;
          for (int o = 0; o < outputs; ++o) sum = fmaf(from[o], weights[o * patch], sum);
        }
      }
    }
    const std::int64_t at = slot * s.in_size() + i;
    args.out[at] = args.rectified == nullptr ? sum : rectify_gradient(args.rectified[at], sum);
  }
}

/// Grid: x: (rank, part, 32 output channels), y: (tap, channel), then the bias. Lanes: output channels, by pixels.
__global__ void __launch_bounds__(kThreads) weight_gradient_kernel(const __grid_constant__ WeightArgs args) {
  __shared__ float sums[kLanes2][kDirectChannels];
  begin_kernel();
  const ConvShape& s = args.shape;
  const int blocks = (s.out_channels + kDirectChannels - 1) / kDirectChannels;
  const int unit = static_cast<int>(blockIdx.x) / blocks, rank = unit / args.parts, part = unit - rank * args.parts;
  const Part range = find_part(args, rank, part);
  if (!range.active) return;
  const int lane = static_cast<int>(threadIdx.x) % kDirectChannels,
            row = static_cast<int>(threadIdx.x) / kDirectChannels;
  const int o = (static_cast<int>(blockIdx.x) - unit * blocks) * kDirectChannels + lane;
  const int inputs = s.in_channels / s.groups, outputs = s.out_channels / s.groups;
  const int n = static_cast<int>(blockIdx.y), patch = static_cast<int>(s.patch());
  const int tap = n / inputs, ky = tap / s.kernel.width, kx = tap - ky * s.kernel.width;
  const int out_width = s.out_width(), pixels = s.out_height() * out_width;
  float sum = 0.0f;
  if (o < s.out_channels) {
    // The lane's pixel, and how a turn moves it.
    std::int64_t slot = (range.first + row) / pixels;
    int p = static_cast<int>(range.first + row - slot * pixels);
    const float* x = args.x + slot * s.in_size() + o / outputs * inputs + n - tap * inputs;
    for (std::int64_t at = range.first + row; at < range.last; at += kLanes2) {
      const float d = args.dy[at * s.out_channels + o];
      if (n == patch) {
        sum += d;
        continue;
      }
      const int oy = p / out_width, ox = p - oy * out_width;
      const int iy = oy * s.stride.height - s.padding.height + ky, ix = ox * s.stride.width - s.padding.width + kx;
      if (static_cast<unsigned>(iy) < static_cast<unsigned>(s.in_height) &&
          static_cast<unsigned>(ix) < static_cast<unsigned>(s.in_width)) {
        sum = fmaf(d, x[(iy * s.in_width + ix) * s.in_channels], sum);
      }
      for (p += kLanes2; p >= pixels; p -= pixels) x += s.in_size();
    }
  }
  sums[row][lane] = sum;
  __syncthreads();
  if (row != 0 || o >= s.out_channels) return;
  for (int r = 1; r < kLanes2; ++r) sum += sums[r][lane];
  const bool direct = args.partials == nullptr;
  float* weights = direct ? args.gradients.weight.at(rank) : args.partials + unit * args.partial;
  if (n < patch) {
    weights[std::int64_t{o} * patch + n] = sum;
  } else if (!direct) {
    weights[s.weights() + o] = sum;
  } else if (args.gradients.bias.data != nullptr) {
    args.gradients.bias.at(rank)[o] = sum;
  }
}

dim3 slot_grid(std::int64_t floats, std::int32_t slots) {
  return dim3(static_cast<unsigned>((floats + kThreads - 1) / kThreads), static_cast<unsigned>(std::min(slots, 65535)));
}

}  // namespace

void direct_forward(CudaContext& ctx, const ImageArgs& args) {
  if (args.map.max_slots == 0) return;
  launch_kernel(ctx, "launch of a direct convolution", {slot_grid(args.shape.out_size(), args.map.max_slots), kThreads},
                forward_kernel, args);
}

void direct_input_gradient(CudaContext& ctx, const ImageArgs& args) {
  if (args.map.max_slots == 0) return;
  launch_kernel(ctx, "launch of a direct convolution's input gradient",
                {slot_grid(args.shape.in_size(), args.map.max_slots), kThreads}, input_gradient_kernel, args);
}

void direct_weight_gradient(CudaContext& ctx, const WeightArgs& args) {
  const std::int64_t blocks = (args.shape.out_channels + kDirectChannels - 1) / kDirectChannels;
  const dim3 grid(static_cast<unsigned>(blocks * args.map.max_active * args.parts),
                  static_cast<unsigned>(args.shape.patch() + 1));
  launch_kernel(ctx, "launch of a direct convolution's weight gradient", {grid, kThreads}, weight_gradient_kernel,
                args);
}

}  // namespace splitsim::implicit_gemm
