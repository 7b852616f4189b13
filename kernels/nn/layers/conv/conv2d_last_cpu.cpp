#include "kernels/nn/layers/conv/conv2d_last_cpu.hpp"

#include <algorithm>

#include "kernels/device/launch_cpu.hpp"

namespace splitsim {

namespace {

/// f(input pixel, tap) for the taps of an output pixel that lie within the image.
template <class F>
void for_each_tap(const ConvShape& s, std::int32_t row, std::int32_t column, const F& f) {
  for (std::int32_t ky = 0; ky < s.kernel.height; ++ky) {
    const std::int32_t y = row * s.stride.height - s.padding.height + ky;
    if (y < 0 || y >= s.in_height) continue;
    for (std::int32_t kx = 0; kx < s.kernel.width; ++kx) {
      const std::int32_t x = column * s.stride.width - s.padding.width + kx;
      if (x >= 0 && x < s.in_width) f(y * s.in_width + x, ky * s.kernel.width + kx);
    }
  }
}

/// Where a slot's features meet the weights: f(output, input, weight) for every product of the convolution, places
/// within a slot's y, its x, and a replica's weights.
template <class F>
void for_each_product(const ConvShape& s, std::int32_t channel, const F& f) {
  const std::int32_t inputs = s.in_channels / s.groups, outputs = s.out_channels / s.groups;
  const std::int32_t first = channel / outputs * inputs, out_width = s.out_width();
  const std::int64_t weights = channel * s.patch();
  for (std::int32_t row = 0; row < s.out_height(); ++row) {
    for (std::int32_t column = 0; column < out_width; ++column) {
      const std::int64_t output = std::int64_t{row * out_width + column} * s.out_channels + channel;
      for_each_tap(s, row, column, [&](std::int32_t pixel, std::int32_t tap) {
        for (std::int32_t c = 0; c < inputs; ++c) {
          f(output, std::int64_t{pixel} * s.in_channels + first + c, weights + std::int64_t{tap} * inputs + c);
        }
      });
    }
  }
}

}  // namespace

void conv2d_forward_last(CpuContext& ctx, const ReplicaMap& map, const ConvShape& shape, View<const float> x,
                         const Parameters& parameters, View<float> y, bool relu) {
  for_each_cell(ctx, layer_slots<CpuContext>(map.valid()), shape.out_channels, [&](std::int64_t slot, std::int32_t o) {
    const std::int32_t replica = map.replica[map.rank[slot]];
    const float *in = x.data() + slot * shape.in_size(), *weight = parameters.weight.at(replica);
    float* out = y.data() + slot * shape.out_size();
    const float bias = parameters.bias.data != nullptr ? parameters.bias.at(replica)[o] : 0.0f;
    for (std::int64_t i = o; i < shape.out_size(); i += shape.out_channels) out[i] = bias;
    for_each_product(shape, o,
                     [&](std::int64_t to, std::int64_t from, std::int64_t w) { out[to] += in[from] * weight[w]; });
    for (std::int64_t i = o; relu && i < shape.out_size(); i += shape.out_channels) out[i] = rectify(out[i]);
  });
}

void conv2d_backward_last(CpuContext& ctx, const ReplicaMap& map, const ConvShape& shape, const Backprop& io,
                          Grouped weight, const Parameters& gradients) {
  for_each_cell(ctx, Extent{map.max_active, map.active}, shape.out_channels, [&](std::int64_t rank, std::int32_t o) {
    float* sums = gradients.weight.at(rank);
    std::fill_n(sums + o * shape.patch(), shape.patch(), 0.0f);
    float bias = 0.0f;
    for (std::int64_t slot = map.first[rank]; slot < map.first[rank + 1]; ++slot) {
      const float *in = io.x.data() + slot * shape.in_size(), *out = io.dy.data() + slot * shape.out_size();
      for_each_product(shape, o,
                       [&](std::int64_t to, std::int64_t from, std::int64_t w) { sums[w] += out[to] * in[from]; });
      for (std::int64_t i = o; i < shape.out_size(); i += shape.out_channels) bias += out[i];
    }
    if (gradients.bias.data != nullptr) gradients.bias.at(rank)[o] = bias;
  });
  if (io.dx.empty()) return;
  for_each_cell(ctx, layer_slots<CpuContext>(map.valid()), 1, [&](std::int64_t slot, std::int32_t) {
    const float *out = io.dy.data() + slot * shape.out_size(), *own = weight.at(map.replica[map.rank[slot]]);
    float* in = io.dx.data() + slot * shape.in_size();
    std::fill_n(in, shape.in_size(), 0.0f);
    for (std::int32_t o = 0; o < shape.out_channels; ++o) {
      for_each_product(shape, o,
                       [&](std::int64_t to, std::int64_t from, std::int64_t w) { in[from] += out[to] * own[w]; });
    }
    const float* x = io.x.data() + slot * shape.in_size();
    for (std::int64_t i = 0; io.rectified && i < shape.in_size(); ++i) in[i] = rectify_gradient(x[i], in[i]);
  });
}

}  // namespace splitsim
