#include "kernels/nn/layers/norm/channel_norm.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

constexpr double kUnit = 0x1p-24;
constexpr std::int64_t kBefore = 2, kAfter = 1;  // other parameters of a replica's block
std::int64_t stride_of(std::int64_t channels) { return kBefore + 2 * channels + kAfter; }

struct NormRun {
  std::vector<float> y, dx, gradients;
};

template <class Context>
NormRun run_norm(Context& ctx, const PlaneShape& planes, const StepLayout& l, const std::vector<float>& values,
                 const std::vector<float>& out_gradients, const std::vector<float>& parameters, bool with_dx = true) {
  const DeviceMap<Context> map(ctx, l);
  const std::int64_t n = planes.channels;
  const ChannelNormShape shape{planes};
  Floats<Context> x(ctx, placed(planes.layout, values, n, planes.pixels));
  Floats<Context> dy(ctx, placed(planes.layout, out_gradients, n, planes.pixels));
  Floats<Context> p(ctx, parameters), dp(ctx, std::vector<float>(l.max_active() * stride_of(n), -7.0f));
  Floats<Context> y(ctx, values.size()), dx(ctx, values.size());
  Floats<Context> mean(ctx, l.max_slots * planes.pixels), inverse(ctx, l.max_slots * planes.pixels);
  Floats<Context> workspace(ctx, static_cast<std::size_t>(channel_norm_workspace(ctx, shape, l.max_slots)));
  const auto both = [&](Floats<Context>& block) {
    return Parameters{{block.data() + kBefore, stride_of(n)}, {block.data() + kBefore + n, stride_of(n)}};
  };
  const NormMemory memory{mean.view(), inverse.view(), workspace.view()};
  {
    const Quiet<Context> quiet(ctx);
    channel_norm_forward(ctx, *map, shape, x.view(), both(p), memory, y.view());
    channel_norm_backward(ctx, *map, shape, {x.view(), dy.view(), with_dx ? dx.view() : View<float>()}, both(p).weight,
                          memory, both(dp));
  }
  return {in_order(planes.layout, y.download(), n, planes.pixels),
          in_order(planes.layout, dx.download(), n, planes.pixels), dp.download()};
}

/// y of one sample in double, channels first.
reference::Tensor oracle(const PlaneShape& s, const reference::Tensor& x, const reference::Tensor& gamma,
                         const reference::Tensor& beta) {
  reference::Tensor y(x.size());
  for (std::int32_t p = 0; p < s.pixels; ++p) {
    double mean = 0.0, variance = 0.0;
    const auto at = [&](std::int32_t c) { return static_cast<std::size_t>(c * s.pixels + p); };
    for (std::int32_t c = 0; c < s.channels; ++c) mean += x[at(c)] / s.channels;
    for (std::int32_t c = 0; c < s.channels; ++c) variance += (x[at(c)] - mean) * (x[at(c)] - mean) / s.channels;
    for (std::int32_t c = 0; c < s.channels; ++c) {
      y[at(c)] = (x[at(c)] - mean) / std::sqrt(variance + double{1e-5f}) * gamma[static_cast<std::size_t>(c)] +
                 beta[static_cast<std::size_t>(c)];
    }
  }
  return y;
}

template <class B>
class ChannelNorm : public OnBackend<B> {};
TYPED_TEST_SUITE(ChannelNorm, Backends);

// Values in (-1, 1): of eight channels or more the standard deviation is above 0.2, so that inverse deviations are below 5
// and what they multiply errs by n units. Differences of the oracle err by less than 1e-7.
TYPED_TEST(ChannelNorm, MatchesTheOracleAndItsDifferences) {
  for (const PlaneShape planes : {PlaneShape{12, 5, TestFixture::kLayout},
                                  {75, 3, TestFixture::kLayout},
                                  {8, 33, TestFixture::kLayout},
                                  {150, 1, TestFixture::kLayout}}) {
    for (const StepLayout& l : {StepLayout{"", 5, 4, {1, 2, 1}}, StepLayout{"", 3, 1, {2}}}) {
      SCOPED_TRACE(std::to_string(planes.channels) + " x " + std::to_string(planes.pixels));
      const std::int64_t n = planes.channels, size = planes.size(), stride = stride_of(n);
      const auto x = junk_after(reals(l.max_slots * size, 1), l.slots(), size);
      const auto dy = junk_after(reals(l.max_slots * size, 3), l.slots(), size);
      const auto p = reals(l.replicas * stride, 2);
      const NormRun run = run_norm(this->ctx(), planes, l, x, dy, p);
      std::vector<double> expected(l.max_active() * stride, -7.0);
      for (std::int32_t r = 0; r < l.active(); ++r) {
        std::fill_n(expected.begin() + r * stride + kBefore, 2 * n, 0.0);
      }
      const double units = static_cast<double>(n) + 16.0;
      for (std::int32_t slot = 0; slot < l.slots(); ++slot) {
        const std::int32_t rank = l.rank(slot), g = l.replica(rank);
        auto in = row(x, slot, size);
        auto gamma = grouped_row(p, g, stride, kBefore, n);
        const auto beta = grouped_row(p, g, stride, kBefore + n, n);
        const auto weights = row(dy, slot, size), value = oracle(planes, in, gamma, beta);
        const auto slope = [&](double& variable) {
          const double h = 1e-5, before = variable;
          double sums[2] = {};
          for (int side : {0, 1}) {
            variable = before + (side == 0 ? -h : h);
            const auto y = oracle(planes, in, gamma, beta);
            for (std::size_t i = 0; i < y.size(); ++i) sums[side] += y[i] * weights[i];
          }
          variable = before;
          return (sums[1] - sums[0]) / (2.0 * h);
        };
        for (std::int64_t i = 0; i < size; ++i) {
          const auto at = static_cast<std::size_t>(i);
          ASSERT_NEAR(run.y[slot * size + i], value[at], 16.0 * units * kUnit);
          ASSERT_NEAR(run.dx[slot * size + i], slope(in[at]), 64.0 * units * kUnit + 1e-7);
          expected[rank * stride + kBefore + n + i / planes.pixels] += weights[at];
        }
        for (std::int64_t c = 0; c < n; ++c) {
          expected[rank * stride + kBefore + c] += slope(gamma[static_cast<std::size_t>(c)]);
        }
      }
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(run.gradients[i], expected[i], 64.0 * (units + planes.pixels) * kUnit + 1e-6) << i;
      }
      EXPECT_EQ(run_norm(this->ctx(), planes, l, x, dy, p, false).gradients, run.gradients);  // of a first layer
    }
  }
}

TEST(ChannelNormCpu, BitsDoNotDependOnTheNumberOfThreads) {
  const StepLayout l{"", 50, 6, {20, 1, 29}};
  const PlaneShape planes{24, 30};
  const auto x = reals(l.max_slots * planes.size(), 1), dy = reals(l.max_slots * planes.size(), 3);
  const auto p = reals(l.replicas * stride_of(planes.channels), 2);
  CpuContext one(1), many(7);
  const NormRun a = run_norm(one, planes, l, x, dy, p), b = run_norm(many, planes, l, x, dy, p);
  EXPECT_EQ(a.dx, b.dx);
  EXPECT_EQ(a.gradients, b.gradients);
}

}  // namespace
}  // namespace splitsim::test
