#include "kernels/nn/layers/conv/conv2d.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

struct ConvCase {
  const char* name;
  ConvShape shape;
  bool bias = true;
  bool relu = false;  ///< forward: y is rectified; backward: x is taken as what a ReLU gave
};

std::vector<ConvCase> conv_cases() {
  return {{"lenet conv1", {1, 28, 28, 6, 5, 1, 2}},
          {"lenet conv2", {6, 14, 14, 16, 5, 1, 0}},
          {"3x3, 3 channels", {3, 16, 16, 9, 3, 1, 1}},
          {"odd sizes, stride 2", {3, 7, 11, 4, 3, 2, 1}},
          {"pointwise", {5, 6, 7, 4, 1, 1, 0}},
          {"pointwise, stride 2", {5, 7, 6, 3, 1, 2, 0}},
          {"stride 3, wide padding", {2, 9, 8, 3, 5, 3, 4}},
          {"padding beyond the kernel", {2, 5, 5, 3, 3, 1, 3}},
          {"one pixel", {4, 3, 3, 5, 3, 1, 0}},
          {"long rows, no bias", {2, 3, 37, 3, 3, 1, 1}, false},
          {"a signal", {3, 1, 61, 4, {1, 25}, {1, 2}, {0, 12}}},
          {"wide window", {3, 6, 11, 4, {1, 5}, 1, {0, 2}}},
          {"tall window", {2, 11, 6, 3, {5, 2}, {2, 1}, {1, 0}}},
          {"padding of rows only", {2, 5, 7, 3, {3, 2}, {1, 3}, {2, 0}}},
          {"two groups", {6, 9, 9, 4, 3, 1, 1, 2}},
          {"pointwise groups, no bias", {6, 5, 5, 9, 1, 1, 0, 3}, false},
          {"depthwise", {8, 9, 7, 8, 3, 2, 1, 8}},
          {"depthwise, two outputs each", {3, 6, 6, 6, {3, 5}, 1, {1, 2}, 3}}};
}

reference::Two two(const Size2& size) { return {size.height, size.width}; }

/// Inputs, parameters and results of one layer in one step; parameter blocks hold more than this layer, so strides
/// differ from sizes.
template <class B>
struct ConvRun {
  using Context = typename B::Context;
  static constexpr std::int64_t kBefore = 3, kAfter = 2;  // other parameters of the block

  ConvRun(Context& ctx, const ConvCase& c, const StepLayout& l, const std::vector<float>& values_x,
          const std::vector<float>& values_dy, const std::vector<float>& values_p, bool want_dx = true)
      : stride(kBefore + c.shape.weights() + c.shape.out_channels + kAfter) {
    ConvShape s = c.shape;
    s.layout = B::kLayout;
    const std::int64_t in_pixels = std::int64_t{s.in_height} * s.in_width;
    const std::int64_t out_pixels = std::int64_t{s.out_height()} * s.out_width();
    const DeviceMap<Context> map(ctx, l);
    const Floats<Context> x(ctx, placed(B::kLayout, values_x, s.in_channels, in_pixels));
    const Floats<Context> dy(ctx, placed(B::kLayout, values_dy, s.out_channels, out_pixels));
    Floats<Context> p(ctx, with_weights(s, values_p, true)),
        dp(ctx, std::vector<float>(std::max(1, l.max_active()) * stride, -7.0f));
    Floats<Context> workspace(ctx, std::vector<float>(conv2d_workspace(ctx, s, l.max_slots, l.max_active()), kJunk));
    Floats<Context> y_out(ctx, std::vector<float>(l.max_slots * s.out_size(), kJunk));
    Floats<Context> dx_out(ctx, std::vector<float>(l.max_slots * s.in_size(), kJunk));
    const Grouped w{p.data() + kBefore, stride}, dw{dp.data() + kBefore, stride};
    const Grouped b = c.bias ? Grouped{w.data + s.weights(), stride} : Grouped{};
    const Grouped db = c.bias ? Grouped{dw.data + s.weights(), stride} : Grouped{};
    {
      const Quiet<Context> quiet(ctx);
      conv2d_forward(ctx, *map, s, x.view(), Parameters{w, b}, workspace.view(), y_out.view(), c.relu);
      conv2d_backward(ctx, *map, s, Backprop{x.view(), dy.view(), want_dx ? dx_out.view() : View<float>(), c.relu}, w,
                      workspace.view(), Parameters{dw, db});
    }
    y = in_order(B::kLayout, y_out.download(), s.out_channels, out_pixels);
    dx = in_order(B::kLayout, dx_out.download(), s.in_channels, in_pixels);
    gradients = with_weights(s, dp.download(), false);
  }

  std::int64_t stride;
  std::vector<float> y, dx, gradients;

 private:
  /// Blocks of parameters with their weights as the layout has them, or back.
  std::vector<float> with_weights(const ConvShape& s, std::vector<float> blocks, bool to_layout) const {
    const std::int64_t channels = s.in_channels / s.groups;
    for (auto at = blocks.begin(); at != blocks.end(); at += stride) {
      const std::vector<float> own(at + kBefore, at + kBefore + s.weights());
      const auto turn = to_layout ? placed<float> : in_order<float>;
      const std::vector<float> weights = turn(B::kLayout, own, channels, s.kernel.area());
      std::copy(weights.begin(), weights.end(), at + kBefore);
    }
    return blocks;
  }
};

template <class B>
class Conv2d : public OnBackend<B> {};
TYPED_TEST_SUITE(Conv2d, Backends);

TYPED_TEST(Conv2d, EqualsTheOracleExactlyOnIntegers) {
  auto& ctx = this->ctx();
  for (const ConvCase& c : conv_cases()) {
    for (const StepLayout& l : step_layouts()) {
      SCOPED_TRACE(std::string(c.name) + ", " + l.name);
      const ConvShape& s = c.shape;
      using Run = ConvRun<TypeParam>;
      const std::int64_t stride = Run::kBefore + s.weights() + s.out_channels + Run::kAfter;
      auto x = junk_after(integers(l.max_slots * s.in_size(), 3, 1), l.slots(), s.in_size());
      auto dy = junk_after(integers(l.max_slots * s.out_size(), 3, 2), l.slots(), s.out_size());
      if (TypeParam::Context::kIsDevice && l.replicas == 1) {  // a library's passes over all slots
        std::fill(x.begin() + l.slots() * s.in_size(), x.end(), 5.0f);
        std::fill(dy.begin() + l.slots() * s.out_size(), dy.end(), 0.0f);
      }
      const auto p = integers(l.replicas * stride, 3, 3);
      const Run run(ctx, c, l, x, dy, p);

      const reference::Window w{s.in_channels, s.in_height,   s.in_width,     s.out_channels,
                                two(s.kernel), two(s.stride), two(s.padding), s.groups};
      std::vector<float> expected_gradients(std::max(1, l.max_active()) * stride, -7.0f);
      std::int32_t slot = 0;
      for (std::int32_t r = 0; r < l.active(); ++r) {
        const auto weight = grouped_row(p, l.replica(r), stride, Run::kBefore, s.weights());
        const auto bias = grouped_row(p, l.replica(r), stride, Run::kBefore + s.weights(), s.out_channels);
        reference::Tensor dweight(s.weights()), dbias(s.out_channels);
        for (std::int32_t i = 0; i < l.counts[r]; ++i, ++slot) {
          const auto in = row(x, slot, s.in_size()), out_gradient = row(dy, slot, s.out_size());
          ASSERT_EQ(row(run.y, slot, s.out_size()),
                    reference::conv2d(w, in, weight, c.bias ? bias : reference::Tensor()));
          ASSERT_EQ(row(run.dx, slot, s.in_size()),
                    reference::conv2d_backward(w, in, out_gradient, weight, dweight, dbias));
        }
        float* at = expected_gradients.data() + r * stride + Run::kBefore;
        std::copy(dweight.begin(), dweight.end(), at);
        if (c.bias) std::copy(dbias.begin(), dbias.end(), at + s.weights());
      }
      ASSERT_EQ(run.gradients, expected_gradients);  // and nothing beside the layer's own gradients was touched
    }
  }
}

TYPED_TEST(Conv2d, RoundsFactorsAsThePrecisionSays) {
  for (const ConvCase& c : {ConvCase{"", {3, 7, 11, 4, 3, 2, 1}}, ConvCase{"", {16, 6, 6, 32, 3, 1, 1}},
                            ConvCase{"depthwise", {8, 9, 7, 8, 3, 2, 1, 8}}}) {
    for (const StepLayout& l : {StepLayout{"tied", 6, 1, {6}}, StepLayout{"own", 6, 4, {1, 5}}}) {
      SCOPED_TRACE(std::string(c.name) + l.name);
      const auto x = integers(l.max_slots * c.shape.in_size(), 3, 1),
                 dy = integers(l.max_slots * c.shape.out_size(), 3, 2);
      const auto p = integers(l.replicas * (c.shape.weights() + c.shape.out_channels + 5), 3, 3);
      const auto run = [&](Precision precision, const std::vector<float>& values_x,
                           const std::vector<float>& values_dy) {
        ConvCase with = c;
        with.shape.precision = precision;
        return ConvRun<TypeParam>(this->ctx(), with, l, values_x, values_dy, p);
      };
      const bool small_groups = c.shape.groups > 1;  // plain loops
      expect_rounded_factors(run, x, dy,
                             !TypeParam::Context::kIsDevice || small_groups ? Rounds::kNever
                             : l.replicas == 1                              ? Rounds::kMaybe
                                                                            : Rounds::kAlways);
    }
  }
}

TYPED_TEST(Conv2d, WithoutInputGradientTheOthersAreTheSame) {
  const ConvCase c{"", {3, 9, 9, 4, 3, 1, 1}};
  const StepLayout l{"", 30, 4, {3, 11, 9}};
  const auto x = integers(l.max_slots * c.shape.in_size(), 3, 1), dy = integers(l.max_slots * c.shape.out_size(), 3, 2);
  const auto p = integers(l.replicas * (c.shape.weights() + 9), 3, 3);
  const ConvRun<TypeParam> with(this->ctx(), c, l, x, dy, p), without(this->ctx(), c, l, x, dy, p, false);
  EXPECT_EQ(with.gradients, without.gradients);
  for (const float v : without.dx) ASSERT_TRUE(v != v);  // untouched
}

// With the ReLUs beside it in its passes, a layer gives what they make of its results.
TYPED_TEST(Conv2d, ReluWithinThePasses) {
  if (TypeParam::kLayout == Layout::kChannelsFirst) GTEST_SKIP() << "channels last only";
  std::vector<ConvCase> cases = conv_cases();
  cases.push_back({"wide stores", {8, 6, 5, 16, 3, 1, 1}});
  for (ConvCase c : cases) {
    SCOPED_TRACE(c.name);
    const ConvShape& s = c.shape;
    const StepLayout l{"", 6, 3, {1, 3}};
    const auto x = integers(l.max_slots * s.in_size(), 3, 1), dy = integers(l.max_slots * s.out_size(), 3, 2);
    const auto p = integers(l.replicas * (s.weights() + s.out_channels + 5), 3, 3);
    const ConvRun<TypeParam> plain(this->ctx(), c, l, x, dy, p);
    c.relu = true;
    const ConvRun<TypeParam> joined(this->ctx(), c, l, x, dy, p);
    for (std::int64_t i = 0; i < l.slots() * s.out_size(); ++i) ASSERT_EQ(joined.y[i], std::max(0.0f, plain.y[i]));
    for (std::int64_t i = 0; i < l.slots() * s.in_size(); ++i) {
      ASSERT_EQ(joined.dx[i], x[i] > 0.0f ? plain.dx[i] : 0.0f);
    }
    EXPECT_EQ(joined.gradients, plain.gradients);
  }
}

// <A x, y> = <x, A' y> with A the convolution without bias: exact on integers.
TYPED_TEST(Conv2d, BackwardIsTheAdjointOfForward) {
  for (ConvCase c : conv_cases()) {
    c.bias = false;
    const StepLayout l{"", 4, 3, {1, 2}};
    const auto x = integers(l.max_slots * c.shape.in_size(), 2, 4),
               y = integers(l.max_slots * c.shape.out_size(), 2, 5);
    const auto p = integers(l.replicas * (c.shape.weights() + c.shape.out_channels + 5), 2, 6);
    const ConvRun<TypeParam> run(this->ctx(), c, l, x, y, p);
    double left = 0.0, right = 0.0;
    for (std::int64_t i = 0; i < l.slots() * c.shape.out_size(); ++i) left += double{run.y[i]} * y[i];
    for (std::int64_t i = 0; i < l.slots() * c.shape.in_size(); ++i) right += double{x[i]} * run.dx[i];
    EXPECT_EQ(left, right) << c.name;
  }
}

// The same weights in every replica: as many replicas as slots, or one, differ only in the order of the gradient's sum.
TYPED_TEST(Conv2d, ReplicasOfOneModelEqualTheTiedLayer) {
  const ConvCase c{"", {3, 12, 12, 8, 3, 1, 1}};
  const StepLayout tied{"", 20, 1, {20}}, own{"", 20, 20, std::vector<std::int32_t>(20, 1)};
  const auto x = reals(20 * c.shape.in_size(), 1), dy = reals(20 * c.shape.out_size(), 2);
  const std::int64_t stride = c.shape.weights() + c.shape.out_channels + 5;
  const auto p = reals(stride, 3);
  std::vector<float> copies;
  for (int g = 0; g < 20; ++g) copies.insert(copies.end(), p.begin(), p.end());
  const ConvRun<TypeParam> one(this->ctx(), c, tied, x, dy, p), many(this->ctx(), c, own, x, dy, copies);
  if (TypeParam::Context::kIsDevice) {  // the tied layer may be a library's
    // Each of the 27 (72) products of a sum is below 1: any order is within n^2 eps / 2.
    for (std::size_t i = 0; i < one.y.size(); ++i) ASSERT_NEAR(one.y[i], many.y[i], 28.0 * 28.0 * 0x1p-24);
    for (std::size_t i = 0; i < one.dx.size(); ++i) ASSERT_NEAR(one.dx[i], many.dx[i], 72.0 * 72.0 * 0x1p-24);
  } else {
    EXPECT_EQ(one.y, many.y);
    EXPECT_EQ(one.dx, many.dx);
  }
  // Each of the n = 20 * 144 products of a weight's gradient is below 1: any order of a float sum is within n^2 eps
  // / 2.
  for (std::int64_t i = 3; i < stride - 2; ++i) {
    double sum = 0.0;
    for (int g = 0; g < 20; ++g) sum += many.gradients[g * stride + i];
    EXPECT_NEAR(one.gradients[i], sum, 20.0 * 144 * 20 * 144 * 0x1p-25) << i;
  }
}

TEST(Conv2dCpu, BitsDoNotDependOnTheNumberOfThreads) {
  for (const StepLayout& l : {StepLayout{"", 70, 1, {70}}, StepLayout{"", 70, 9, {1, 30, 2, 37}}}) {
    const ConvCase c{"", {8, 14, 14, 16, 3, 1, 1}};
    const auto x = reals(l.max_slots * c.shape.in_size(), 1), dy = reals(l.max_slots * c.shape.out_size(), 2);
    const auto p = reals(l.replicas * (c.shape.weights() + c.shape.out_channels + 5), 3);
    CpuContext one(1);
    const ConvRun<CpuPlanes> expected(one, c, l, x, dy, p);
    for (const int threads : {2, 7}) {
      CpuContext ctx(threads);
      const ConvRun<CpuPlanes> run(ctx, c, l, x, dy, p);
      EXPECT_EQ(run.y, expected.y) << threads;
      EXPECT_EQ(run.dx, expected.dx) << threads;
      EXPECT_EQ(run.gradients, expected.gradients) << threads;
    }
  }
}

}  // namespace
}  // namespace splitsim::test
