#include "kernels/nn/layers/activations.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

constexpr std::int32_t kMaxSlots = 5, kSlots = 3;
constexpr std::int64_t kFeatures = 2001;
constexpr double kUnit = 0x1p-24;

struct Activation {
  const char* name;
  double (*value)(double);
  double (*slope)(double);
};

double gelu(double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }
double gelu_slope(double x) {
  return 0.5 * std::erfc(-x / std::sqrt(2.0)) + x * std::exp(-0.5 * x * x) / std::sqrt(2.0 * M_PI);
}
double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

const Activation kTanh = {"tanh", [](double x) { return std::tanh(x); },
                          [](double x) { return 1.0 - std::tanh(x) * std::tanh(x); }};
const Activation kSigmoid = {"sigmoid", sigmoid, [](double x) { return sigmoid(x) * (1.0 - sigmoid(x)); }};
const Activation kRelu6 = {"relu6", [](double x) { return std::min(std::max(x, 0.0), 6.0); },
                           [](double x) { return x > 0.0 && x < 6.0 ? 1.0 : 0.0; }};
const Activation kGelu = {"gelu", gelu, gelu_slope};

/// Inputs in (-9, 9), the edges of relu6 and their neighbours among them: torch's gradient of relu6 is 0 at exactly 0
/// and 6 and passes just inside. What empty slots hold is NaN.
std::vector<float> inputs() {
  std::vector<float> values = reals(kMaxSlots * kFeatures, 1);
  for (float& v : values) v *= 9.0f;
  const float below = std::nextafter(6.0f, 0.0f), above = std::nextafter(6.0f, 7.0f);
  const float edges[] = {0.0f, -0.0f, 0x1p-126f, -0x1p-126f, below, 6.0f, above};
  std::copy(std::begin(edges), std::end(edges), values.begin());
  return junk_after(values, kSlots, kFeatures);
}

/// Errors: `units` roundings of a result whose magnitude is at most max(1, |x|), and of the gradient's factors.
void compare(const Activation& a, double units, const std::vector<float>& x, const std::vector<float>& dy,
             const std::vector<float>& y, const std::vector<float>& dx) {
  for (std::int64_t i = 0; i < kSlots * kFeatures; ++i) {
    const double scale = std::max(1.0, std::abs(double{x[i]}));
    ASSERT_NEAR(y[i], a.value(x[i]), units * kUnit * scale) << a.name << " at " << x[i];
    ASSERT_NEAR(dx[i], dy[i] * a.slope(x[i]), 2.0 * units * kUnit * scale) << a.name << " at " << x[i];
  }
}

template <class Context>
class Activations : public OnContext<Context> {
 protected:
  // In place: forward(x), backward(y, dy). The bound is 4 roundings of the function and the gradient's products.
  template <class Made>
  void check(const Activation& a) {
    auto& ctx = this->ctx();
    const auto values = inputs(), gradients = junk_after(reals(kMaxSlots * kFeatures, 2), kSlots, kFeatures);
    const Buffer<std::int32_t, Context> count(ctx, std::vector<std::int32_t>{kSlots});
    const Slots slots{count.data(), kMaxSlots};
    Floats<Context> x(ctx, values), dy(ctx, gradients);
    {
      const Quiet<Context> quiet(ctx);
      activate<Made>(ctx, slots, kFeatures, x.view());
      activate_backward<Made>(ctx, slots, kFeatures, View<const float>(x.view()), dy.view());
    }
    compare(a, 4.0, values, gradients, x.download(), dy.download());
  }
};
TYPED_TEST_SUITE(Activations, Contexts);

TYPED_TEST(Activations, TanhMatchesTheOracle) { this->template check<activation::Tanh>(kTanh); }
TYPED_TEST(Activations, SigmoidMatchesTheOracle) { this->template check<activation::Sigmoid>(kSigmoid); }
TYPED_TEST(Activations, Relu6MatchesTheOracle) { this->template check<activation::Relu6>(kRelu6); }
TYPED_TEST(Activations, GeluMatchesTheOracle) {
  auto& ctx = this->ctx();
  const auto values = inputs(), gradients = junk_after(reals(kMaxSlots * kFeatures, 2), kSlots, kFeatures);
  const Buffer<std::int32_t, TypeParam> count(ctx, std::vector<std::int32_t>{kSlots});
  const Slots slots{count.data(), kMaxSlots};
  const Floats<TypeParam> x(ctx, values), dy(ctx, gradients);
  Floats<TypeParam> y(ctx, values.size()), dx(ctx, values.size());
  {
    const Quiet<TypeParam> quiet(ctx);
    gelu_forward(ctx, slots, kFeatures, x.view(), y.view());
    gelu_backward(ctx, slots, kFeatures, {x.view(), dy.view(), dx.view()});
  }
  compare(kGelu, 4.0, values, gradients, y.download(), dx.download());
}

TYPED_TEST(Activations, NanPasses) {
  auto& ctx = this->ctx();
  const Buffer<std::int32_t, TypeParam> count(ctx, std::vector<std::int32_t>{1});
  const Slots slots{count.data(), 1};
  for (const auto forward : {activate<activation::Tanh, TypeParam>, activate<activation::Sigmoid, TypeParam>,
                             activate<activation::Relu6, TypeParam>}) {
    Floats<TypeParam> x(ctx, std::vector<float>{kJunk});
    forward(ctx, slots, 1, x.view());
    const float y = x.download()[0];
    EXPECT_TRUE(y != y);
  }
}

}  // namespace
}  // namespace splitsim::test
