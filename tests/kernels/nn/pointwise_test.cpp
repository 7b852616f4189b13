#include "kernels/nn/layers/pointwise.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

template <class Context>
class Pointwise : public OnContext<Context> {};
TYPED_TEST_SUITE(Pointwise, Contexts);

constexpr std::int32_t kMaxSlots = 9, kSlots = 6;
constexpr std::int64_t kFeatures = 1001;

TYPED_TEST(Pointwise, ReluKeepsPositivesAndItsGradientFollows) {
  auto& ctx = this->ctx();
  const auto values = junk_after(integers(kMaxSlots * kFeatures, 3, 1), kSlots, kFeatures);
  const auto gradients = junk_after(integers(kMaxSlots * kFeatures, 9, 2), kSlots, kFeatures);
  const Buffer<std::int32_t, TypeParam> slots(ctx, std::vector<std::int32_t>{kSlots});
  Floats<TypeParam> x(ctx, values), dy(ctx, gradients);
  {
    const Quiet<TypeParam> quiet(ctx);
    relu_forward(ctx, Slots{slots.data(), kMaxSlots}, kFeatures, x.view());
    relu_backward(ctx, Slots{slots.data(), kMaxSlots}, kFeatures, View<const float>(x.view()), dy.view());
  }
  const auto y = x.download(), dx = dy.download();
  for (std::int64_t i = 0; i < kSlots * kFeatures; ++i) {
    ASSERT_EQ(y[i], values[i] > 0 ? values[i] : 0.0f);
    ASSERT_EQ(dx[i], values[i] > 0 ? gradients[i] : 0.0f);
  }
}

TYPED_TEST(Pointwise, ReluLetsNanThrough) {
  auto& ctx = this->ctx();
  const Buffer<std::int32_t, TypeParam> slots(ctx, std::vector<std::int32_t>{1});
  Floats<TypeParam> x(ctx, std::vector<float>(16, kJunk));
  relu_forward(ctx, Slots{slots.data(), 1}, 16, x.view());
  for (const float v : x.download()) EXPECT_TRUE(v != v);
}

TYPED_TEST(Pointwise, SumsMayBeRectified) {
  auto& ctx = this->ctx();
  const auto a = integers(kMaxSlots * kFeatures, 3, 1), b = integers(kMaxSlots * kFeatures, 3, 2);
  const Buffer<std::int32_t, TypeParam> slots(ctx, std::vector<std::int32_t>{kSlots});
  const Floats<TypeParam> from(ctx, b);
  for (const bool relu : {false, true}) {
    Floats<TypeParam> y(ctx, a);  // in place
    sum_slots(ctx, Slots{slots.data(), kMaxSlots}, kFeatures, View<const float>(y.view()), from.view(), relu, y.view());
    const auto out = y.download();
    for (std::int64_t i = 0; i < kSlots * kFeatures; ++i) {
      ASSERT_EQ(out[i], relu && a[i] + b[i] < 0.0f ? 0.0f : a[i] + b[i]);
    }
  }
}

TYPED_TEST(Pointwise, ScaleMultipliesTheSlots) {
  auto& ctx = this->ctx();
  const auto values = integers(kMaxSlots * kFeatures, 9, 1), factors = integers(kMaxSlots, 5, 2);
  const Buffer<std::int32_t, TypeParam> slots(ctx, std::vector<std::int32_t>{kSlots});
  const Floats<TypeParam> scale(ctx, junk_after(factors, kSlots, 1));
  Floats<TypeParam> x(ctx, values);
  {
    const Quiet<TypeParam> quiet(ctx);
    scale_slots(ctx, Slots{slots.data(), kMaxSlots}, kFeatures, scale.view(), x.view());
  }
  const auto out = x.download();
  for (std::int64_t i = 0; i < kSlots * kFeatures; ++i) ASSERT_EQ(out[i], values[i] * factors[i / kFeatures]);
}

}  // namespace
}  // namespace splitsim::test
