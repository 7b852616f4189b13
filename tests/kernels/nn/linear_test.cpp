#include "kernels/nn/layers/linear.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

template <class Context>
struct LinearRun {
  static constexpr std::int64_t kAfter = 4;  // other parameters of the block

  /// before: parameters before the layer's; multiples of 4 keep rows of such lengths on boundaries of 16 bytes.
  static std::int64_t stride_of(const LinearShape& s, std::int64_t before) {
    const std::int64_t floats = before + s.weights() + s.out + kAfter;
    return before % 4 == 0 ? (floats + 3) / 4 * 4 : floats;
  }

  LinearRun(Context& ctx, const LinearShape& s, bool bias, const StepLayout& l, const std::vector<float>& values_x,
            const std::vector<float>& values_dy, const std::vector<float>& values_p, bool relu = false,
            std::int64_t before = 1)
      : stride(stride_of(s, before)) {
    const DeviceMap<Context> map(ctx, l);
    const Floats<Context> x(ctx, values_x), dy(ctx, values_dy);
    Floats<Context> p(ctx, values_p), dp(ctx, std::vector<float>(l.max_active() * stride, -7.0f));
    Floats<Context> workspace(ctx, std::vector<float>(linear_workspace(ctx, s, l.max_slots, l.max_active()), kJunk));
    Floats<Context> y_out(ctx, std::vector<float>(l.max_slots * s.out, kJunk));
    Floats<Context> dx_out(ctx, std::vector<float>(l.max_slots * s.in, kJunk));
    const Grouped w{p.data() + before, stride}, dw{dp.data() + before, stride};
    const Grouped b = bias ? Grouped{w.data + s.weights(), stride} : Grouped{};
    const Grouped db = bias ? Grouped{dw.data + s.weights(), stride} : Grouped{};
    {
      const Quiet<Context> quiet(ctx);
      linear_forward(ctx, *map, s, x.view(), Parameters{w, b}, workspace.view(), y_out.view(), relu);
      linear_backward(ctx, *map, s, Backprop{x.view(), dy.view(), dx_out.view(), relu}, w, workspace.view(),
                      Parameters{dw, db});
    }
    y = y_out.download();
    dx = dx_out.download();
    gradients = dp.download();
  }

  std::int64_t stride;
  std::vector<float> y, dx, gradients;
};

template <class Context>
class Linear : public OnContext<Context> {};
TYPED_TEST_SUITE(Linear, Contexts);

TYPED_TEST(Linear, EqualsTheOracleExactlyOnIntegers) {
  auto& ctx = this->ctx();
  std::vector<StepLayout> layouts = step_layouts();
  layouts.push_back({"long runs", 70, 5, {40, 1, 23}});
  for (const LinearShape& s :
       {LinearShape{400, 120}, LinearShape{7, 3}, LinearShape{1, 1}, LinearShape{600, 70}, LinearShape{1100, 310}}) {
    for (const StepLayout& l : layouts) {
      for (const bool with_bias : {true, false}) {
        SCOPED_TRACE(std::to_string(s.in) + " -> " + std::to_string(s.out) + ", " + l.name);
        using Run = LinearRun<TypeParam>;
        const std::int64_t before = with_bias ? 1 : 4, stride = Run::stride_of(s, before);
        auto x = junk_after(integers(l.max_slots * s.in, 3, 1), l.slots(), s.in);
        auto dy = junk_after(integers(l.max_slots * s.out, 3, 2), l.slots(), s.out);
        if (TypeParam::kIsDevice && l.replicas == 1) {  // a product over all slots
          std::fill(x.begin() + l.slots() * s.in, x.end(), 5.0f);
          std::fill(dy.begin() + l.slots() * s.out, dy.end(), 0.0f);
        }
        const auto p = integers(l.replicas * stride, 3, 3);
        const Run run(ctx, s, with_bias, l, x, dy, p, false, before);

        std::vector<float> expected_gradients(l.max_active() * stride, -7.0f);
        std::int32_t slot = 0;
        for (std::int32_t r = 0; r < l.active(); ++r) {
          const auto weight = grouped_row(p, l.replica(r), stride, before, s.weights());
          const auto bias = grouped_row(p, l.replica(r), stride, before + s.weights(), s.out);
          reference::Tensor dweight(s.weights()), dbias(s.out);
          for (std::int32_t i = 0; i < l.counts[r]; ++i, ++slot) {
            const auto in = row(x, slot, s.in), out_gradient = row(dy, slot, s.out);
            ASSERT_EQ(row(run.y, slot, s.out), reference::linear(in, weight, with_bias ? bias : reference::Tensor()));
            ASSERT_EQ(row(run.dx, slot, s.in), reference::linear_backward(in, out_gradient, weight, dweight, dbias));
          }
          float* at = expected_gradients.data() + r * stride + before;
          std::copy(dweight.begin(), dweight.end(), at);
          if (with_bias) std::copy(dbias.begin(), dbias.end(), at + s.weights());
        }
        ASSERT_EQ(run.gradients, expected_gradients);
      }
    }
  }
}

TYPED_TEST(Linear, RoundsFactorsAsThePrecisionSays) {
  for (const LinearShape& s : {LinearShape{60, 33}, LinearShape{1210, 1160}}) {
    for (const StepLayout& l : {StepLayout{"tied", 6, 1, {6}}, StepLayout{"own", 6, 4, {1, 5}}}) {
      SCOPED_TRACE(std::to_string(s.in) + ", " + l.name);
      const auto x = integers(l.max_slots * s.in, 3, 1), dy = integers(l.max_slots * s.out, 3, 2);
      const auto p = integers(l.replicas * (s.weights() + s.out + 5), 3, 3);
      const auto run = [&](Precision precision, const std::vector<float>& values_x,
                           const std::vector<float>& values_dy) {
        return LinearRun<TypeParam>(this->ctx(), {s.in, s.out, precision}, true, l, values_x, values_dy, p);
      };
      const bool tied = l.replicas == 1, small = s.in < 100;
      expect_rounded_factors(run, x, dy,
                             !TypeParam::kIsDevice || (tied && small) ? Rounds::kNever
                             : tied                                   ? Rounds::kMaybe
                                                                      : Rounds::kAlways);
    }
  }
}

// As Conv2d's.
TYPED_TEST(Linear, ReluWithinThePasses) {
  for (const LinearShape& s : {LinearShape{40, 12}, LinearShape{7, 3}, LinearShape{1210, 1160}}) {
    for (const StepLayout& l : {StepLayout{"", 6, 1, {6}}, StepLayout{"", 6, 4, {1, 3}}}) {
      const auto x = integers(l.max_slots * s.in, 3, 1), dy = integers(l.max_slots * s.out, 3, 2);
      const auto p = integers(l.replicas * (s.weights() + s.out + 5), 3, 3);
      const LinearRun<TypeParam> plain(this->ctx(), s, true, l, x, dy, p),
          joined(this->ctx(), s, true, l, x, dy, p, true);
      for (std::int64_t i = 0; i < l.slots() * s.out; ++i) ASSERT_EQ(joined.y[i], std::max(0.0f, plain.y[i]));
      for (std::int64_t i = 0; i < l.slots() * s.in; ++i) ASSERT_EQ(joined.dx[i], x[i] > 0.0f ? plain.dx[i] : 0.0f);
      EXPECT_EQ(joined.gradients, plain.gradients);
    }
  }
}

TEST(LinearCpu, BitsDoNotDependOnTheNumberOfThreads) {
  const LinearShape s{400, 120};
  for (const StepLayout& l : {StepLayout{"", 128, 1, {128}}, StepLayout{"", 128, 9, {1, 70, 2, 55}}}) {
    const auto x = reals(l.max_slots * s.in, 1), dy = reals(l.max_slots * s.out, 2);
    const auto p = reals(l.replicas * (s.weights() + s.out + 5), 3);
    CpuContext one(1);
    const LinearRun<CpuContext> expected(one, s, true, l, x, dy, p);
    for (const int threads : {2, 7}) {
      CpuContext ctx(threads);
      const LinearRun<CpuContext> run(ctx, s, true, l, x, dy, p);
      EXPECT_EQ(run.y, expected.y) << threads;
      EXPECT_EQ(run.dx, expected.dx) << threads;
      EXPECT_EQ(run.gradients, expected.gradients) << threads;
    }
  }
}

}  // namespace
}  // namespace splitsim::test
