#include "kernels/nn/layers/norm/batch_norm.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

constexpr double kUnit = 0x1p-24;

/// gamma, beta, running mean and variance of a replica, between other values.
constexpr std::int64_t kBefore = 2, kAfter = 1;
std::int64_t stride_of(const BatchNormShape& s) { return kBefore + 4 * s.channels + kAfter; }

struct NormRun {
  std::vector<float> y, dx, parameters, gradients, evaluated;
};

enum class By { kRank, kClient, kAll };

/// Segments of a layout: its ranks, pairs of slots, or all slots. Sizes in slot order.
std::vector<std::int32_t> segment_sizes(const StepLayout& l, By by) {
  if (by == By::kRank) return l.counts;
  std::vector<std::int32_t> sizes;
  if (l.slots() == 0) return sizes;
  if (by == By::kAll) return {l.slots()};
  for (std::int32_t left = l.slots(), size = 1; left > 0; left -= sizes.back(), size = size % 3 + 1) {
    sizes.push_back(std::min(left, size));
  }
  return sizes;
}

template <class Context>
NormRun run_norm(Context& ctx, Layout layout, BatchNormShape s, const StepLayout& l,
                 const std::vector<std::int32_t>& sizes, const std::vector<float>& values,
                 const std::vector<float>& gradients, const std::vector<float>& parameters, bool in_place = false) {
  s.layout = layout;
  const DeviceMap<Context> map(ctx, l);
  std::vector<std::int32_t> first = {0}, of_slot(l.max_slots);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    for (std::int32_t j = 0; j < sizes[i]; ++j) of_slot[first.back() + j] = static_cast<std::int32_t>(i);
    first.push_back(first.back() + sizes[i]);
  }
  const std::int32_t max_segments = std::max<std::int32_t>(1, static_cast<std::int32_t>(sizes.size()));
  const Buffer<std::int32_t, Context> count(ctx, std::vector<std::int32_t>{static_cast<std::int32_t>(sizes.size())});
  const Buffer<std::int32_t, Context> firsts(ctx, first), of(ctx, of_slot);
  const Segments segments{count.data(), firsts.data(), of.data(), max_segments};
  const auto laid = [&](const std::vector<float>& v) { return placed(layout, v, s.channels, s.plane()); };
  const auto back = [&](const std::vector<float>& v) { return in_order(layout, v, s.channels, s.plane()); };
  const Floats<Context> x(ctx, laid(values));
  Floats<Context> dy(ctx, laid(gradients)), p(ctx, parameters);
  Floats<Context> dp(ctx, std::vector<float>(l.max_active() * stride_of(s), -7.0f));
  Floats<Context> work(ctx, std::vector<float>(batch_norm_workspace(ctx, s, l.max_slots, max_segments), kJunk));
  Floats<Context> y(ctx, l.max_slots * s.size()), dx(ctx, l.max_slots * s.size()), e(ctx, l.max_slots * s.size());
  Floats<Context> mean(ctx, max_segments * s.channels), inverse_std(ctx, max_segments * s.channels);
  const auto part = [&](Floats<Context>& block, int which) {
    return Grouped{block.data() + kBefore + which * s.channels, stride_of(s)};
  };
  const BatchNormParameters all{part(p, 0), part(p, 1), {part(p, 2), part(p, 3)}};
  const NormMemory memory{mean.view(), inverse_std.view(), work.view()};
  {
    const Quiet<Context> quiet(ctx);
    batch_norm_evaluate(ctx, *map, s, x.view(), all, e.view());
    batch_norm_forward(ctx, *map, segments, s, x.view(), all, memory, y.view());
    batch_norm_backward(ctx, *map, segments, s, {x.view(), dy.view(), in_place ? dy.view() : dx.view()}, part(p, 0),
                        memory, {part(dp, 0), part(dp, 1)});
  }
  return {back(y.download()), back((in_place ? dy : dx).download()), p.download(), dp.download(), back(e.download())};
}

/// The layer as a function of its input: y of every slot.
struct Oracle {
  const BatchNormShape& s;
  const StepLayout& l;
  const std::vector<std::int32_t>& sizes;
  const std::vector<float>& parameters;

  reference::Tensor parameter(std::int32_t slot, int which) const {
    return grouped_row(parameters, l.replica(l.rank(slot)), stride_of(s), kBefore + which * s.channels, s.channels);
  }
  std::vector<reference::Tensor> operator()(const std::vector<reference::Tensor>& x) const {
    std::vector<reference::Tensor> y;
    std::int32_t slot = 0;
    for (const std::int32_t size : sizes) {
      const std::vector<reference::Tensor> mine(x.begin() + slot, x.begin() + slot + size);
      const reference::Moments m = reference::channel_moments(s.channels, mine);
      for (std::int32_t j = 0; j < size; ++j, ++slot) {
        y.push_back(reference::normalise(m, s.eps, x[slot], parameter(slot, 0), parameter(slot, 1)));
      }
    }
    return y;
  }
};

std::vector<BatchNormShape> norm_shapes() { return {{6, 4, 4}, {32, 3, 5}, {5, 1, 1}, {3, 33, 32}}; }

std::vector<float> positive_variances(std::vector<float> parameters, const BatchNormShape& s) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::int64_t at = static_cast<std::int64_t>(i) % stride_of(s) - kBefore - 3 * s.channels;
    if (at >= 0 && at < s.channels) parameters[i] = 1.5f + parameters[i];
  }
  return parameters;
}

template <class B>
class BatchNorm : public OnBackend<B> {};
TYPED_TEST_SUITE(BatchNorm, Backends);

TYPED_TEST(BatchNorm, ForwardAndRunningStatisticsMatchTheOracle) {
  for (const BatchNormShape& s : norm_shapes()) {
    for (const StepLayout& l : step_layouts()) {
      for (const By by : {By::kRank, By::kClient, By::kAll}) {
        SCOPED_TRACE(l.name);
        const auto sizes = segment_sizes(l, by);
        const auto values = junk_after(reals(l.max_slots * s.size(), 1), l.slots(), s.size());
        const auto parameters = positive_variances(reals(l.replicas * stride_of(s), 2), s);
        const auto dy = junk_after(reals(values.size(), 3), l.slots(), s.size());
        const NormRun run = run_norm(this->ctx(), this->kLayout, s, l, sizes, values, dy, parameters);
        std::vector<reference::Tensor> x;
        for (std::int32_t slot = 0; slot < l.slots(); ++slot) x.push_back(row(values, slot, s.size()));
        const Oracle oracle{s, l, sizes, parameters};
        const auto y = oracle(x);
        // |x| <= 1, so a mean's error is a few units; a segment whose values nearly agree divides it by a deviation of
        // at least sqrt(eps) = 1/316.
        const double allowed = 16 * kUnit * 316.0;
        for (std::int32_t slot = 0; slot < l.slots(); ++slot) {
          for (std::int64_t i = 0; i < s.size(); ++i) {
            ASSERT_NEAR(run.y[slot * s.size() + i], y[slot][i], allowed) << "slot " << slot;
          }
        }
        // Running statistics: of all samples of a replica, whatever the segments; others keep theirs.
        auto expected = std::vector<double>(parameters.begin(), parameters.end());
        for (std::int32_t r = 0, slot = 0; r < l.active(); slot += l.counts[r], ++r) {
          const std::vector<reference::Tensor> mine(x.begin() + slot, x.begin() + slot + l.counts[r]);
          const reference::Moments m = reference::channel_moments(s.channels, mine);
          const double n = static_cast<double>(l.counts[r] * s.plane());
          for (std::int32_t c = 0; c < s.channels; ++c) {
            const std::int64_t at = l.replica(r) * stride_of(s) + kBefore + 2 * s.channels + c;
            expected[at] = 0.9 * expected[at] + 0.1 * m.mean[c];
            double& variance = expected[at + s.channels];
            variance = 0.9 * variance + 0.1 * m.variance[c] * (n > 1.0 ? n / (n - 1.0) : 1.0);
          }
        }
        for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(run.parameters[i], expected[i], 16 * kUnit * 3.0);
        // Evaluation uses the statistics as they were.
        for (std::int32_t slot = 0; slot < l.slots(); ++slot) {
          const reference::Moments m{oracle.parameter(slot, 2), oracle.parameter(slot, 3)};
          const auto e = reference::normalise(m, s.eps, x[slot], oracle.parameter(slot, 0), oracle.parameter(slot, 1));
          for (std::int64_t i = 0; i < s.size(); ++i) {
            ASSERT_NEAR(run.evaluated[slot * s.size() + i], e[i], 16 * kUnit * 3.0);
          }
        }
      }
    }
  }
}

// Central differences of sum dy y in double; the step's own error is far below float's.
TYPED_TEST(BatchNorm, GradientsMatchCentralDifferences) {
  const BatchNormShape s{4, 2, 3};
  for (const StepLayout& l : {StepLayout{"tied", 8, 1, {7}}, StepLayout{"replicas", 9, 5, {3, 1, 4}}}) {
    for (const By by : {By::kRank, By::kClient, By::kAll}) {
      SCOPED_TRACE(l.name);
      const auto sizes = segment_sizes(l, by);
      const auto values = junk_after(reals(l.max_slots * s.size(), 1), l.slots(), s.size());
      const auto parameters = reals(l.replicas * stride_of(s), 2);
      const auto dy = junk_after(reals(values.size(), 3), l.slots(), s.size());
      const NormRun run = run_norm(this->ctx(), this->kLayout, s, l, sizes, values, dy, parameters);
      const NormRun in_place = run_norm(this->ctx(), this->kLayout, s, l, sizes, values, dy, parameters, true);
      std::vector<reference::Tensor> x;
      for (std::int32_t slot = 0; slot < l.slots(); ++slot) x.push_back(row(values, slot, s.size()));
      const auto objective = [&](const std::vector<reference::Tensor>& input, const std::vector<float>& p) {
        const auto y = Oracle{s, l, sizes, p}(input);
        double sum = 0.0;
        for (std::int32_t slot = 0; slot < l.slots(); ++slot) {
          for (std::int64_t i = 0; i < s.size(); ++i) sum += double{dy[slot * s.size() + i]} * y[slot][i];
        }
        return sum;
      };
      for (std::int32_t slot = 0; slot < l.slots(); ++slot) {
        for (std::int64_t i = 0; i < s.size(); ++i) {
          const double h = 1e-5, before = x[slot][i];
          x[slot][i] = before + h;
          const double above = objective(x, parameters);
          x[slot][i] = before - h;
          const double slope = (above - objective(x, parameters)) / (2 * h);
          x[slot][i] = before;
          ASSERT_NEAR(run.dx[slot * s.size() + i], slope, 2e-5) << slot << " " << i;
          ASSERT_EQ(run.dx[slot * s.size() + i], in_place.dx[slot * s.size() + i]);
        }
      }
      // gamma and beta enter linearly: a step of 1 is exact but for the parameters' own rounding.
      for (std::int32_t r = 0; r < l.active(); ++r) {
        for (std::int32_t c = 0; c < 2 * s.channels; ++c) {
          auto moved = parameters;
          float& value = moved[l.replica(r) * stride_of(s) + kBefore + c];
          value = value < 0.0f ? value + 1.0f : value - 1.0f;
          const double step = value - parameters[l.replica(r) * stride_of(s) + kBefore + c];
          const double slope = (objective(x, moved) - objective(x, parameters)) / step;
          ASSERT_NEAR(run.gradients[r * stride_of(s) + kBefore + c], slope, 1e-5);
        }
      }
      for (std::int32_t r = 0; r < l.active(); ++r) {  // and nothing beside them
        EXPECT_EQ(run.gradients[r * stride_of(s)], -7.0f);
        EXPECT_EQ(run.gradients[r * stride_of(s) + kBefore + 2 * s.channels], -7.0f);
      }
    }
  }
}

TYPED_TEST(BatchNorm, ASegmentOfOneValueGivesBetaAndNoGradient) {
  const BatchNormShape s{5, 1, 1};
  const StepLayout l{"one by one", 3, 1, {3}};
  const auto values = reals(3 * s.size(), 1), dy = reals(3 * s.size(), 2);
  const auto parameters = positive_variances(reals(stride_of(s), 3), s);
  const NormRun run = run_norm(this->ctx(), this->kLayout, s, l, {1, 1, 1}, values, dy, parameters);
  for (std::int32_t slot = 0; slot < 3; ++slot) {
    for (std::int32_t c = 0; c < s.channels; ++c) {
      EXPECT_EQ(run.y[slot * s.channels + c], parameters[kBefore + s.channels + c]);
      EXPECT_EQ(run.dx[slot * s.channels + c], 0.0f);
      EXPECT_EQ(run.gradients[kBefore + c], 0.0f);
    }
  }
  for (const float value : run.parameters) EXPECT_TRUE(std::isfinite(value));
}

TYPED_TEST(BatchNorm, ReluWithinThePass) {
  if (TypeParam::kLayout == Layout::kChannelsFirst) GTEST_SKIP() << "channels last only";
  BatchNormShape s{6, 4, 4};
  const StepLayout l{"", 7, 4, {1, 3, 2}};
  const auto x = reals(l.max_slots * s.size(), 1), dy = reals(l.max_slots * s.size(), 3);
  const auto p = positive_variances(reals(l.replicas * stride_of(s), 2), s);
  const NormRun plain = run_norm(this->ctx(), this->kLayout, s, l, segment_sizes(l, By::kClient), x, dy, p);
  s.relu = true;
  const NormRun joined = run_norm(this->ctx(), this->kLayout, s, l, segment_sizes(l, By::kClient), x, dy, p);
  for (std::int32_t i = 0; i < l.slots() * s.size(); ++i) ASSERT_EQ(joined.y[i], std::max(0.0f, plain.y[i]));
  for (std::int32_t i = 0; i < l.slots() * s.size(); ++i) {
    ASSERT_EQ(joined.evaluated[i], std::max(0.0f, plain.evaluated[i]));
  }
  EXPECT_EQ(joined.gradients, plain.gradients);
}

TEST(BatchNormCpu, BitsDoNotDependOnTheNumberOfThreads) {
  const BatchNormShape s{16, 7, 9};
  const StepLayout l = step_layouts()[4];
  const auto values = reals(l.max_slots * s.size(), 1), dy = reals(l.max_slots * s.size(), 2);
  const auto parameters = positive_variances(reals(l.replicas * stride_of(s), 3), s);
  std::vector<NormRun> runs;
  for (const int threads : {1, 2, 7}) {
    CpuContext ctx(threads);
    runs.push_back(run_norm(ctx, Layout::kChannelsFirst, s, l, segment_sizes(l, By::kClient), values, dy, parameters));
  }
  for (const NormRun& run : runs) {
    EXPECT_EQ(run.parameters, runs[0].parameters);
    EXPECT_EQ(run.gradients, runs[0].gradients);
    for (std::int32_t i = 0; i < l.slots() * s.size(); ++i) {
      ASSERT_EQ(run.y[i], runs[0].y[i]);
      ASSERT_EQ(run.dx[i], runs[0].dx[i]);
    }
  }
}

}  // namespace
}  // namespace splitsim::test
