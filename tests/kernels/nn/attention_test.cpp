#include "kernels/nn/layers/tokens/attention.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

constexpr double kUnit = 0x1p-24;

struct AttentionRun {
  std::vector<float> y, dx;
};

template <class Context>
AttentionRun run_attention(Context& ctx, AttentionShape s, const StepLayout& l, const std::vector<float>& values,
                           const std::vector<float>& out_gradients) {
  const DeviceMap<Context> map(ctx, l);
  Floats<Context> x(ctx, placed(s.layout, values, 3 * s.channels, s.tokens));
  Floats<Context> dy(ctx, placed(s.layout, out_gradients, s.channels, s.tokens));
  Floats<Context> y(ctx, dy.size()), dx(ctx, x.size());
  Floats<Context> weights(ctx, static_cast<std::size_t>(l.max_slots * s.heads * s.head_weights()));
  Floats<Context> workspace(ctx, static_cast<std::size_t>(attention_workspace(ctx, s, l.max_slots)));
  {
    const Quiet<Context> quiet(ctx);
    attention_forward(ctx, (*map).valid(), s, x.view(), weights.view(), y.view());
    attention_backward(ctx, (*map).valid(), s, {x.view(), dy.view(), dx.view(), false, y.view()}, weights.view(),
                       workspace.view());
  }
  return {in_order(s.layout, y.download(), s.channels, s.tokens),
          in_order(s.layout, dx.download(), 3 * s.channels, s.tokens)};
}

/// y of one sample in double, channels first, head by head and query by query.
reference::Tensor oracle(const AttentionShape& s, const reference::Tensor& x) {
  const std::int32_t n = s.channels / s.heads;
  reference::Tensor y(static_cast<std::size_t>(s.channels * s.tokens));
  const auto at = [&](std::int32_t which, std::int32_t c, std::int32_t t) {
    return x[static_cast<std::size_t>((which * s.channels + c) * s.tokens + t)];
  };
  for (std::int32_t head = 0; head < s.heads; ++head) {
    for (std::int32_t query = 0; query < s.tokens; ++query) {
      std::vector<double> weight;
      double sum = 0.0;
      for (std::int32_t key = 0; key < s.tokens; ++key) {
        double score = 0.0;
        for (std::int32_t c = head * n; c < (head + 1) * n; ++c) score += at(0, c, query) * at(1, c, key);
        weight.push_back(std::exp(score / std::sqrt(static_cast<double>(n))));
        sum += weight.back();
      }
      for (std::int32_t c = head * n; c < (head + 1) * n; ++c) {
        double& out = y[static_cast<std::size_t>(c * s.tokens + query)];
        for (std::int32_t key = 0; key < s.tokens; ++key) {
          out += weight[static_cast<std::size_t>(key)] / sum * at(2, c, key);
        }
      }
    }
  }
  return y;
}

template <class B>
class Attention : public OnBackend<B> {};
TYPED_TEST_SUITE(Attention, Backends);

// All values are in (-1, 1), so that scores are within sqrt(n) <= 3 of 0 and the weights of a query sum to 1: a score errs
// by n units or so, a weight relatively by as much, an output by n + tokens units. Gradients are sums of at most `tokens`
// products below 3 in sum. Differences of the oracle err by less than 1e-8.
TYPED_TEST(Attention, MatchesTheOracleAndItsDifferences) {
  struct Case {
    std::int32_t channels, heads, tokens;
  };
  for (const Case& c : {Case{6, 2, 5}, {8, 8, 3}, {9, 1, 1}, {8, 2, 19}, {4, 1, 70}}) {
    for (const StepLayout& l : {StepLayout{"", 3, 4, {1, 1}}, StepLayout{"", 2, 1, {2}}}) {
      SCOPED_TRACE(std::to_string(c.channels) + ", " + std::to_string(c.heads) + ", " + std::to_string(c.tokens));
      const AttentionShape s{c.channels, c.heads, c.tokens, TestFixture::kLayout};
      const std::int64_t in_size = 3 * c.channels * c.tokens, out_size = c.channels * c.tokens;
      const auto x = junk_after(reals(l.max_slots * in_size, 1), l.slots(), in_size);
      const auto dy = junk_after(reals(l.max_slots * out_size, 3), l.slots(), out_size);
      const AttentionRun run = run_attention(this->ctx(), s, l, x, dy);
      const double units = 4.0 * (c.channels / c.heads + c.tokens + 16.0);
      for (std::int32_t slot = 0; slot < l.slots(); ++slot) {
        auto in = row(x, slot, in_size);
        const auto value = oracle(s, in), weights = row(dy, slot, out_size);
        for (std::int64_t i = 0; i < out_size; ++i) {
          ASSERT_NEAR(run.y[slot * out_size + i], value[static_cast<std::size_t>(i)], units * kUnit) << i;
        }
        for (std::size_t i = 0; i<in.size(); i += c.tokens> 50 ? 7 : 1) {
          const double h = 1e-5, before = in[i];
          double sums[2] = {};
          for (int side : {0, 1}) {
            in[i] = before + (side == 0 ? -h : h);
            const auto y = oracle(s, in);
            for (std::size_t j = 0; j < y.size(); ++j) sums[side] += y[j] * weights[j];
          }
          in[i] = before;
          ASSERT_NEAR(run.dx[slot * in_size + static_cast<std::int64_t>(i)], (sums[1] - sums[0]) / (2.0 * h),
                      4.0 * units * kUnit + 1e-8)
              << i;
        }
      }
    }
  }
}

// Keys that are all alike share the weight, and scores far beyond exp's range still give weights: one key, or all.
TYPED_TEST(Attention, WeightsAreASoftmaxOfAnyScores) {
  const AttentionShape s{1, 1, 4, TestFixture::kLayout};
  const StepLayout l{"", 2, 1, {2}};
  const std::vector<float> x = {1, 2, -1, -2, 500, 500, 500, 500,  1,  2,  3,  6,    // equal keys: the mean of values
                                1, 2, -1, -2, 800, 100, 0,   -800, 10, 20, 30, 40};  // the first key, or the last
  const AttentionRun run = run_attention(this->ctx(), s, l, x, std::vector<float>(8, 1.0f));
  EXPECT_EQ(run.y, (std::vector<float>{3, 3, 3, 3, 10, 10, 40, 40}));
  // Of the second sample nothing but the chosen values matters: two queries each.
  EXPECT_EQ(std::vector<float>(run.dx.begin() + 12, run.dx.end()),
            (std::vector<float>{0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 2}));
}

TEST(AttentionCpu, BitsDoNotDependOnTheNumberOfThreads) {
  const AttentionShape s{16, 4, 21};
  const StepLayout l{"", 30, 1, {30}};
  const auto x = reals(l.max_slots * 3 * s.channels * s.tokens, 1), dy = reals(l.max_slots * s.channels * s.tokens, 2);
  CpuContext one(1), many(7);
  const AttentionRun a = run_attention(one, s, l, x, dy), b = run_attention(many, s, l, x, dy);
  EXPECT_EQ(a.y, b.y);
  EXPECT_EQ(a.dx, b.dx);
}

}  // namespace
}  // namespace splitsim::test
