#include "kernels/nn/layers/norm/layer_norm.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

constexpr double kUnit = 0x1p-24;
constexpr std::int64_t kBefore = 2, kAfter = 1;  // other parameters of a replica's block
std::int64_t stride_of(std::int64_t n) { return kBefore + 2 * n + kAfter; }

struct NormRun {
  std::vector<float> y, dx, gradients;
};

template <class Context>
NormRun run_norm(Context& ctx, std::int64_t n, const StepLayout& l, const std::vector<float>& values,
                 const std::vector<float>& out_gradients, const std::vector<float>& parameters) {
  const DeviceMap<Context> map(ctx, l);
  const Floats<Context> x(ctx, values), dy(ctx, out_gradients);
  Floats<Context> p(ctx, parameters), dp(ctx, std::vector<float>(l.max_active() * stride_of(n), -7.0f));
  Floats<Context> y(ctx, values.size()), dx(ctx, values.size()), mean(ctx, l.max_slots), inverse(ctx, l.max_slots);
  const auto both = [&](Floats<Context>& block) {
    return Parameters{{block.data() + kBefore, stride_of(n)}, {block.data() + kBefore + n, stride_of(n)}};
  };
  const NormMemory memory{mean.view(), inverse.view(), {}};
  {
    const Quiet<Context> quiet(ctx);
    layer_norm_forward(ctx, *map, {n}, x.view(), both(p), memory, y.view());
    layer_norm_backward(ctx, *map, {n}, {x.view(), dy.view(), dx.view()}, both(p).weight, memory, both(dp));
  }
  return {y.download(), dx.download(), dp.download()};
}

/// y of one sample in double.
reference::Tensor oracle(const reference::Tensor& x, const reference::Tensor& gamma, const reference::Tensor& beta) {
  const double n = static_cast<double>(x.size());
  double mean = 0.0, variance = 0.0;
  for (const double v : x) mean += v / n;
  for (const double v : x) variance += (v - mean) * (v - mean) / n;
  reference::Tensor y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    y.push_back((x[i] - mean) / std::sqrt(variance + double{1e-5f}) * gamma[i] + beta[i]);
  }
  return y;
}

template <class Context>
class LayerNorm : public OnContext<Context> {};
TYPED_TEST_SUITE(LayerNorm, Contexts);

// Values in (-1, 1) with a standard deviation near 0.58: sums of n terms are within n units, the rest is a handful.
// Gradients: central differences of the oracle, whose own error is below 1e-8.
TYPED_TEST(LayerNorm, MatchesTheOracleAndItsDifferences) {
  for (const std::int64_t n : {24, 75}) {
    for (const StepLayout& l : {StepLayout{"", 7, 4, {1, 3, 2}}, StepLayout{"", 5, 1, {4}}}) {
      const auto x = junk_after(reals(l.max_slots * n, 1), l.slots(), n);
      const auto dy = junk_after(reals(l.max_slots * n, 3), l.slots(), n);
      const auto p = reals(l.replicas * stride_of(n), 2);
      const NormRun run = run_norm(this->ctx(), n, l, x, dy, p);
      std::vector<double> expected(l.max_active() * stride_of(n), -7.0);
      for (std::int32_t r = 0; r < l.active(); ++r) {
        std::fill_n(expected.begin() + r * stride_of(n) + kBefore, 2 * n, 0.0);
      }
      for (std::int32_t slot = 0; slot < l.slots(); ++slot) {
        const std::int32_t rank = l.rank(slot), g = l.replica(rank);
        auto in = row(x, slot, n);
        auto gamma = grouped_row(p, g, stride_of(n), kBefore, n),
             beta = grouped_row(p, g, stride_of(n), kBefore + n, n);
        const auto weights = row(dy, slot, n);
        const auto value = oracle(in, gamma, beta);
        const auto slope = [&](double& variable) {
          const double h = 1e-5, before = variable;
          double sums[2] = {};
          for (int side : {0, 1}) {
            variable = before + (side == 0 ? -h : h);
            const auto y = oracle(in, gamma, beta);
            for (std::size_t i = 0; i < y.size(); ++i) sums[side] += y[i] * weights[i];
          }
          variable = before;
          return (sums[1] - sums[0]) / (2.0 * h);
        };
        const double units = static_cast<double>(n) + 16.0;
        for (std::int64_t i = 0; i < n; ++i) {
          ASSERT_NEAR(run.y[slot * n + i], value[i], 8.0 * units * kUnit);
          ASSERT_NEAR(run.dx[slot * n + i], slope(in[i]), 16.0 * units * kUnit + 1e-8);
          expected[rank * stride_of(n) + kBefore + i] += slope(gamma[i]);
          expected[rank * stride_of(n) + kBefore + n + i] += weights[i];
        }
      }
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(run.gradients[i], expected[i], 32.0 * (static_cast<double>(n) + 16.0) * kUnit + 1e-7) << i;
      }
    }
  }
}

TEST(LayerNormCpu, BitsDoNotDependOnTheNumberOfThreads) {
  const StepLayout l{"", 50, 6, {20, 1, 29}};
  constexpr std::int64_t kFeatures = 784;
  const auto x = reals(l.max_slots * kFeatures, 1), dy = reals(l.max_slots * kFeatures, 3);
  const auto p = reals(l.replicas * stride_of(kFeatures), 2);
  CpuContext one(1), many(7);
  const NormRun a = run_norm(one, kFeatures, l, x, dy, p), b = run_norm(many, kFeatures, l, x, dy, p);
  EXPECT_EQ(a.dx, b.dx);
  EXPECT_EQ(a.gradients, b.gradients);
}

}  // namespace
}  // namespace splitsim::test
