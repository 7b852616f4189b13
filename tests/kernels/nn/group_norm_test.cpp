#include "kernels/nn/layers/norm/group_norm.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

constexpr double kUnit = 0x1p-24;  // unit roundoff of float

struct NormRun {
  std::vector<float> y, mean, inverse_std, dx, gradients;
};

/// gamma and beta of a replica are adjacent, between other parameters.
constexpr std::int64_t kBefore = 2, kAfter = 1;
std::int64_t stride_of(const GroupNormShape& s) { return kBefore + 2 * s.channels + kAfter; }

template <class Context>
NormRun run_norm(Context& ctx, Layout layout, GroupNormShape s, const StepLayout& l, const std::vector<float>& values,
                 const std::vector<float>& gradients, const std::vector<float>& parameters, bool in_place = false) {
  s.layout = layout;
  const std::int64_t pixels = std::int64_t{s.height} * s.width;
  const DeviceMap<Context> map(ctx, l);
  const Floats<Context> x(ctx, placed(layout, values, s.channels, pixels));
  Floats<Context> dy(ctx, placed(layout, gradients, s.channels, pixels)), p(ctx, parameters);
  Floats<Context> dp(ctx, std::vector<float>(l.max_active() * stride_of(s), -7.0f));
  Floats<Context> workspace(ctx, std::vector<float>(group_norm_workspace(ctx, s, l.max_slots, l.max_active()), kJunk));
  Floats<Context> y(ctx, l.max_slots * s.size()), dx(ctx, l.max_slots * s.size());
  Floats<Context> mean(ctx, l.max_slots * s.groups), inverse_std(ctx, l.max_slots * s.groups);
  const auto part = [&](Floats<Context>& block, std::int64_t offset) {
    return Grouped{block.data() + kBefore + offset, stride_of(s)};
  };
  {
    const Quiet<Context> quiet(ctx);
    const NormMemory memory{mean.view(), inverse_std.view(), workspace.view()};
    group_norm_forward(ctx, *map, s, x.view(), {part(p, 0), part(p, s.channels)}, memory, y.view());
    group_norm_backward(ctx, *map, s, {x.view(), dy.view(), in_place ? dy.view() : dx.view()}, part(p, 0), memory,
                        {part(dp, 0), part(dp, s.channels)});
  }
  return {in_order(layout, y.download(), s.channels, pixels), mean.download(), inverse_std.download(),
          in_order(layout, (in_place ? dy : dx).download(), s.channels, pixels), dp.download()};
}

std::vector<GroupNormShape> norm_shapes() {
  return {{32, 14, 14, 8}, {16, 7, 7, 8}, {6, 3, 5, 3}, {4, 1, 1, 2}, {3, 9, 4, 1}, {160, 3, 3, 1}, {96, 2, 2, 32}};
}

template <class B>
class GroupNorm : public OnBackend<B> {};
TYPED_TEST_SUITE(GroupNorm, Backends);

// Error of a float sum of n terms in any order: at most n units of the sum of their magnitudes. Everything else here is
// a handful of roundings; 16 units cover them.
TYPED_TEST(GroupNorm, ForwardIsWithinRoundingOfTheOracle) {
  for (const GroupNormShape& s : norm_shapes()) {
    for (const StepLayout& l : step_layouts()) {
      const auto x = junk_after(reals(l.max_slots * s.size(), 1), l.slots(), s.size());
      const auto p = reals(l.replicas * stride_of(s), 2);
      const NormRun run = run_norm(this->ctx(), this->kLayout, s, l, x, std::vector<float>(x.size(), 1.0f), p);
      const double units = static_cast<double>(s.size()) / s.groups + 16.0;
      for (std::int32_t slot = 0; slot < l.slots(); ++slot) {
        const std::int32_t g = l.replica(l.rank(slot));
        const auto gamma = grouped_row(p, g, stride_of(s), kBefore, s.channels);
        const auto beta = grouped_row(p, g, stride_of(s), kBefore + s.channels, s.channels);
        const auto expected =
            reference::group_norm(s.channels, s.groups, double{s.eps}, row(x, slot, s.size()), gamma, beta);
        for (std::int64_t i = 0; i < s.size(); ++i) {
          const std::int64_t group = i / (s.size() / s.groups);
          // |x - mean| <= 2, so an error of the mean or a rounding of x - mean is at most (n + 2) units before scaling.
          const double scale = std::max(1.0f, run.inverse_std[slot * s.groups + group]);
          ASSERT_NEAR(run.y[slot * s.size() + i], expected[i], units * kUnit * 4.0 * scale) << l.name << " at " << i;
        }
      }
    }
  }
}

// Central differences of the double oracle: their own error is O(h^2) + 1e-16 / h, below 1e-8 here.
TYPED_TEST(GroupNorm, BackwardMatchesCentralDifferences) {
  for (const GroupNormShape& s :
       {GroupNormShape{16, 4, 4, 4}, GroupNormShape{6, 3, 5, 3}, GroupNormShape{3, 7, 3, 1}}) {
    const StepLayout l{"", 7, 4, {1, 3, 2}};
    const auto x = junk_after(reals(l.max_slots * s.size(), 1), l.slots(), s.size());
    const auto dy = junk_after(reals(l.max_slots * s.size(), 3), l.slots(), s.size());
    const auto p = reals(l.replicas * stride_of(s), 2);
    const NormRun run = run_norm(this->ctx(), this->kLayout, s, l, x, dy, p);
    std::vector<double> expected_p(l.active() * stride_of(s), -7.0);
    for (std::int32_t r = 0; r < l.active(); ++r) {
      std::fill_n(expected_p.begin() + r * stride_of(s) + kBefore, 2 * s.channels, 0.0);
    }
    const double h = 1e-5, n = static_cast<double>(s.size()) / s.groups;
    for (std::int32_t slot = 0; slot < l.slots(); ++slot) {
      const std::int32_t rank = l.rank(slot);
      auto in = row(x, slot, s.size());
      const auto weights = row(dy, slot, s.size());
      auto gamma = grouped_row(p, l.replica(rank), stride_of(s), kBefore, s.channels);
      auto beta = grouped_row(p, l.replica(rank), stride_of(s), kBefore + s.channels, s.channels);
      const auto slope = [&](double& variable) {
        const double before = variable;
        double value[2];
        for (int side : {0, 1}) {
          variable = before + (side == 0 ? -h : h);
          const auto y = reference::group_norm(s.channels, s.groups, double{s.eps}, in, gamma, beta);
          value[side] = 0.0;
          for (std::size_t i = 0; i < y.size(); ++i) value[side] += y[i] * weights[i];
        }
        variable = before;
        return (value[1] - value[0]) / (2.0 * h);
      };
      double scale = 1.0;
      for (std::int32_t g = 0; g < s.groups; ++g) scale = std::max<double>(scale, run.inverse_std[slot * s.groups + g]);
      for (std::int64_t i = 0; i < s.size(); ++i) {
        // Terms: dy gamma, its mean, and xhat times the mean of dy gamma xhat; |xhat| <= sqrt(n) and its mean square
        // is 1.
        const double bound = (n + 16.0) * kUnit * scale * (2.0 + std::sqrt(n)) + 1e-8;
        ASSERT_NEAR(run.dx[slot * s.size() + i], slope(in[i]), bound) << slot << " " << i;
      }
      for (std::int32_t c = 0; c < s.channels; ++c) {
        expected_p[rank * stride_of(s) + kBefore + c] += slope(gamma[c]);
        expected_p[rank * stride_of(s) + kBefore + s.channels + c] += slope(beta[c]);
      }
    }
    for (std::size_t i = 0; i < expected_p.size(); ++i) {
      // At most 3 slots of a plane each, terms below |xhat| <= sqrt(n).
      const double terms = 3.0 * s.height * s.width;
      ASSERT_NEAR(run.gradients[i], expected_p[i], (n + terms + 16.0) * kUnit * terms * std::sqrt(n) + 1e-7) << i;
    }
  }
}

TYPED_TEST(GroupNorm, InPlaceGradientIsTheSame) {
  const GroupNormShape s{16, 7, 7, 8};
  const StepLayout l{"", 12, 1, {12}};
  const auto x = reals(l.max_slots * s.size(), 1), dy = reals(l.max_slots * s.size(), 3), p = reals(stride_of(s), 2);
  const NormRun apart = run_norm(this->ctx(), this->kLayout, s, l, x, dy, p),
                in_place = run_norm(this->ctx(), this->kLayout, s, l, x, dy, p, true);
  EXPECT_EQ(apart.dx, in_place.dx);
  EXPECT_EQ(apart.gradients, in_place.gradients);
}

TYPED_TEST(GroupNorm, LargeMeanDoesNotSpoilTheVariance) {
  const GroupNormShape s{2, 16, 16, 1};
  const StepLayout l{"", 1, 1, {1}};
  auto x = integers(s.size(), 4, 1);
  for (float& v : x) v += 16384.0f;  // exact; a variance by E x^2 - (E x)^2 would be off by several units
  std::vector<float> p(stride_of(s), 0.0f);
  std::fill_n(p.begin() + kBefore, s.channels, 1.0f);
  const NormRun run = run_norm(this->ctx(), this->kLayout, s, l, x, x, p);
  const auto expected = reference::group_norm(2, 1, double{s.eps}, row(x, 0, s.size()), {1.0, 1.0}, {0.0, 0.0});
  // The mean is off by at most one unit of 16384 (the sum is exact), each x - mean by that.
  for (std::int64_t i = 0; i < s.size(); ++i) ASSERT_NEAR(run.y[i], expected[i], 16384.0 * kUnit * 4.0);
}

TYPED_TEST(GroupNorm, ReluWithinThePass) {
  if (TypeParam::kLayout == Layout::kChannelsFirst) GTEST_SKIP() << "channels last only";
  GroupNormShape s{16, 4, 4, 4};
  const StepLayout l{"", 7, 4, {1, 3, 2}};
  const auto x = reals(l.max_slots * s.size(), 1), dy = reals(l.max_slots * s.size(), 3);
  const auto p = reals(l.replicas * stride_of(s), 2);
  const NormRun plain = run_norm(this->ctx(), this->kLayout, s, l, x, dy, p);
  s.relu = true;
  const NormRun joined = run_norm(this->ctx(), this->kLayout, s, l, x, dy, p);
  for (std::int32_t i = 0; i < l.slots() * s.size(); ++i) ASSERT_EQ(joined.y[i], std::max(0.0f, plain.y[i]));
  EXPECT_EQ(joined.gradients, plain.gradients);
}

TEST(GroupNormCpu, BitsDoNotDependOnTheNumberOfThreads) {
  const GroupNormShape s{16, 7, 7, 8};
  const StepLayout l{"", 50, 6, {20, 1, 29}};
  const auto x = reals(l.max_slots * s.size(), 1), dy = reals(l.max_slots * s.size(), 3);
  const auto p = reals(l.replicas * stride_of(s), 2);
  CpuContext one(1);
  const NormRun expected = run_norm(one, Layout::kChannelsFirst, s, l, x, dy, p);
  for (const int threads : {2, 7}) {
    CpuContext ctx(threads);
    const NormRun run = run_norm(ctx, Layout::kChannelsFirst, s, l, x, dy, p);
    EXPECT_EQ(run.y, expected.y);
    EXPECT_EQ(run.dx, expected.dx);
    EXPECT_EQ(run.gradients, expected.gradients);
  }
}

}  // namespace
}  // namespace splitsim::test
