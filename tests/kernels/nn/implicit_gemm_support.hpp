// What the tests of the implicit GEMM share: cases, inputs channels last, and one run of all three directions whose
// results are given back in the oracle's order (channels first).
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "kernels/nn/layers/conv/implicit_gemm.hpp"
#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {

struct GemmCase {
  std::string name;
  ConvShape shape;
  bool bias = true;
};

inline reference::Window window_of(const ConvShape& s) {
  const auto two = [](const Size2& size) { return reference::Two(size.height, size.width); };
  return {s.in_channels, s.in_height,   s.in_width,     s.out_channels,
          two(s.kernel), two(s.stride), two(s.padding), s.groups};
}

/// [rows][channels][pixels] to [rows][pixels][channels]; the other way with the two sizes swapped.
inline std::vector<float> transposed(const std::vector<float>& from, std::int64_t channels, std::int64_t pixels) {
  std::vector<float> to(from.size());
  for (std::size_t row = 0; row < from.size(); row += channels * pixels)
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t p = 0; p < pixels; ++p) to[row + p * channels + c] = from[row + c * pixels + p];
  return to;
}

/// Parameter blocks [copies][stride]: weights from kBefore, then the bias; `stride` is larger than both.
struct Block {
  static constexpr std::int64_t kAfter = 5;
  std::int64_t before, stride;
  /// before: 0 keeps 16-byte alignment, anything odd breaks it.
  Block(const ConvShape& s, std::int64_t before_)
      : before(before_), stride((before + s.weights() + s.out_channels + kAfter) / 4 * 4 + before % 4) {}

  /// Weights of every copy from OIHW to OHWI (or back), all else as it is.
  std::vector<float> permuted(std::vector<float> blocks, const ConvShape& s, bool back) const {
    const std::int64_t inputs = s.in_channels / s.groups, taps = s.kernel.area();
    for (auto at = blocks.begin() + before; at < blocks.end();
         at += std::min<std::int64_t>(stride, blocks.end() - at)) {
      const std::vector<float> weights(at, at + s.weights());
      const auto to = back ? transposed(weights, taps, inputs) : transposed(weights, inputs, taps);
      std::copy(to.begin(), to.end(), at);
    }
    return blocks;
  }
};

/// Inputs of one step, as the oracle has them: channels first.
struct GemmInputs {
  std::vector<float> x, dy, parameters;
};

/// One step of all three directions. `shift`: floats by which every tensor misses a 16-byte boundary.
struct GemmRun {
  GemmRun(CudaContext& ctx, const GemmCase& c, const StepLayout& l, const ConvMath& math, const GemmInputs& in,
          std::int64_t shift = 0)
      : block(c.shape, shift) {
    const ConvShape& s = c.shape;
    const std::int64_t in_pixels = std::int64_t{s.in_height} * s.in_width,
                       out_pixels = std::int64_t{s.out_height()} * s.out_width();
    const auto shifted = [&](std::vector<float> values) {
      values.insert(values.begin(), shift, kJunk);
      return values;
    };
    const DeviceMap<CudaContext> map(ctx, l);
    const Floats<CudaContext> x(ctx, shifted(transposed(in.x, s.in_channels, in_pixels)));
    const Floats<CudaContext> dy(ctx, shifted(transposed(in.dy, s.out_channels, out_pixels)));
    Floats<CudaContext> p(ctx, block.permuted(in.parameters, s, false));
    Floats<CudaContext> dp(ctx, std::vector<float>(l.max_active() * block.stride, -7.0f));
    Floats<CudaContext> y_out(ctx, std::vector<float>(shift + l.max_slots * s.out_size(), kJunk));
    Floats<CudaContext> dx_out(ctx, std::vector<float>(shift + l.max_slots * s.in_size(), kJunk));
    Floats<CudaContext> workspace(ctx,
                                  std::vector<float>(implicit_gemm_workspace(s, l.max_slots, l.max_active()), kJunk));
    const Grouped w{p.data() + block.before, block.stride}, dw{dp.data() + block.before, block.stride};
    const Grouped b = c.bias ? Grouped{w.data + s.weights(), block.stride} : Grouped{};
    const Grouped db = c.bias ? Grouped{dw.data + s.weights(), block.stride} : Grouped{};
    const View<const float> from = x.view().sub(shift, l.max_slots * s.in_size());
    const View<const float> gradient = dy.view().sub(shift, l.max_slots * s.out_size());
    const View<float> to = y_out.view().sub(shift, l.max_slots * s.out_size());
    const View<float> dx_to = dx_out.view().sub(shift, l.max_slots * s.in_size());
    {
      const Quiet<CudaContext> quiet(ctx);
      implicit_gemm_forward(ctx, *map, s, math, from, Parameters{w, b}, to);
      implicit_gemm_input_gradient(ctx, *map, s, math.precision, Backprop{from, gradient, dx_to}, w);
      implicit_gemm_weight_gradient(ctx, *map, s, math.precision, Backprop{from, gradient, {}}, workspace.view(),
                                    Parameters{dw, db});
    }
    const auto unshifted = [&](std::vector<float> values) {
      return std::vector<float>(values.begin() + shift, values.end());
    };
    y = transposed(unshifted(y_out.download()), out_pixels, s.out_channels);
    dx = transposed(unshifted(dx_out.download()), in_pixels, s.in_channels);
    gradients = block.permuted(dp.download(), s, true);
  }

  Block block;
  std::vector<float> y, dx, gradients;
};

/// What the oracle says of the same step; sums of absolute products instead where `absolute`.
struct GemmExpected {
  std::vector<double> y, dx, gradients;

  GemmExpected(const GemmCase& c, const StepLayout& l, const GemmInputs& in, const Block& block,
               bool absolute = false) {
    const ConvShape& s = c.shape;
    const auto value = [&](float v) { return absolute ? std::abs(double{v}) : double{v}; };
    const auto part = [&](const std::vector<float>& values, std::int64_t from, std::int64_t size) {
      reference::Tensor result;
      for (std::int64_t i = 0; i < size; ++i) result.push_back(value(values[from + i]));
      return result;
    };
    y.resize(l.max_slots * s.out_size());
    dx.resize(l.max_slots * s.in_size());
    gradients.assign(l.max_active() * block.stride, -7.0);
    std::int32_t slot = 0;
    for (std::int32_t r = 0; r < l.active(); ++r) {
      const std::int64_t at = l.replica(r) * block.stride + block.before;
      const auto weight = part(in.parameters, at, s.weights());
      const auto bias = part(in.parameters, at + s.weights(), s.out_channels);
      reference::Tensor dweight(s.weights()), dbias(s.out_channels);
      for (std::int32_t i = 0; i < l.counts[r]; ++i, ++slot) {
        const auto image = part(in.x, slot * s.in_size(), s.in_size()),
                   out = part(in.dy, slot * s.out_size(), s.out_size());
        const auto made = reference::conv2d(window_of(s), image, weight, c.bias ? bias : reference::Tensor());
        const auto back = reference::conv2d_backward(window_of(s), image, out, weight, dweight, dbias);
        std::copy(made.begin(), made.end(), y.begin() + slot * s.out_size());
        std::copy(back.begin(), back.end(), dx.begin() + slot * s.in_size());
      }
      double* to = gradients.data() + r * block.stride + block.before;
      std::copy(dweight.begin(), dweight.end(), to);
      if (c.bias) std::copy(dbias.begin(), dbias.end(), to + s.weights());
    }
  }
};

}  // namespace splitsim::test
