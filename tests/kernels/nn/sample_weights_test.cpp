// ABSGD's weights against the published rule in double, and where exponentials leave double.
#include "kernels/nn/sample_weights.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

constexpr double kUnit = 0x1p-24;

template <class Context>
class Absgd : public OnContext<Context> {
 protected:
  void SetUp() override {
    OnContext<Context>::SetUp();
    if (this->IsSkipped()) return;
    forget();
  }
  void forget() { state_ = Buffer<float, Context>(this->ctx(), std::vector<float>(kAbsgdState, 0.0f)); }
  std::vector<float> state() const { return state_.download(); }
  /// The factors of a step of these losses, which is padded with junk.
  std::vector<float> step(const std::vector<float>& losses, const AbsgdRule& rule) {
    Context& ctx = this->ctx();
    std::vector<float> padded = losses;
    padded.resize(losses.size() + 3, kJunk);
    const auto max_slots = static_cast<std::int32_t>(padded.size());
    const Buffer<std::int32_t, Context> count(ctx, std::vector<std::int32_t>{max_slots - 3});
    const Buffer<std::int32_t, Context> zero(ctx, std::vector<std::int32_t>{0});
    const Buffer<float, Context> loss(ctx, padded);
    Buffer<float, Context> factor(ctx, std::vector<float>(padded.size(), -7.0f));
    {
      const Quiet<Context> quiet(ctx);
      const Spans spans{zero.data(), count.data()};
      absgd_factors(ctx, {count.data(), max_slots}, spans, rule, loss.view(), state_.view(), factor.view());
    }
    std::vector<float> factors = factor.download();
    for (std::size_t s = losses.size(); s < factors.size(); ++s) EXPECT_EQ(factors[s], 0.0f) << "an empty slot";
    factors.resize(losses.size());
    return factors;
  }

 private:
  Buffer<float, Context> state_;
};
TYPED_TEST_SUITE(Absgd, Contexts);

std::vector<float> losses_of_step(std::size_t size, std::uint32_t seed) {
  std::vector<float> losses = reals(size, seed);
  for (float& v : losses) v = 3.0f * (v + 1.0f);
  return losses;
}

TYPED_TEST(Absgd, FollowsTheRuleStepByStep) {
  for (const AbsgdRule rule : {AbsgdRule{1.0, 0.1}, AbsgdRule{-0.5, 0.3}, AbsgdRule{20.0, 0.9}, AbsgdRule{0.25, 1.0}}) {
    this->forget();
    double u = 0.0;
    bool set = false;
    std::uint32_t seed = 10;
    for (const std::size_t size : {0u, 5u, 1u, 0u, 130u, 300u, 0u, 7u}) {
      const std::vector<float> losses = losses_of_step(size, seed++), before = this->state();
      const std::vector<float> factors = this->step(losses, rule);
      if (size == 0) {
        EXPECT_EQ(this->state(), before);
        continue;
      }
      double mean = 0.0;
      for (const float loss : losses) mean += std::exp(double{loss} / rule.lambda) / static_cast<double>(size);
      u = set ? (1.0 - rule.momentum) * u + rule.momentum * mean : mean;
      set = true;
      for (std::size_t s = 0; s < size; ++s) {
        const double expected = std::exp(double{losses[s]} / rule.lambda) / u;
        // Rounded once; all else is double, and log u is kept to 48 bits.
        ASSERT_NEAR(factors[s], expected, 1.01 * kUnit * expected) << "lambda " << rule.lambda << ", slot " << s;
      }
    }
  }
}

TYPED_TEST(Absgd, TheFirstStepsMeanIsOne) {
  const std::vector<float> factors = this->step(losses_of_step(64, 3), {0.5, 0.1});
  double sum = 0.0;
  for (const float v : factors) sum += v;
  EXPECT_NEAR(sum / 64.0, 1.0, kUnit);
}

// Exponents of millions: e^(l / lambda) is no double, its quotients are.
TYPED_TEST(Absgd, NothingOverflows) {
  const AbsgdRule rule{1e-3, 0.25};
  const float next = std::nextafter(5000.0f, 0.0f);
  const std::vector<float> first = this->step({5000.0f, next}, rule);
  const double ratio = std::exp((double{next} - 5000.0) / rule.lambda);
  EXPECT_NEAR(first[0], 2.0 / (1.0 + ratio), 2 * kUnit);
  EXPECT_NEAR(first[1], 2.0 * ratio / (1.0 + ratio), 2 * kUnit);
  for (const float v : this->step({1.0f, 2.0f}, rule)) EXPECT_EQ(v, 0.0f);
  // u has shrunk to three quarters, then is all of the new step's.
  EXPECT_NEAR(this->step({5000.0f}, rule)[0], 1.0 / (0.75 * 0.75 * (1.0 + ratio) / 2.0 + 0.25), 4 * kUnit);
  const std::vector<float> last = this->step({1e6f, 1.0f}, rule);  // the first gets slots / m, the most there is
  EXPECT_NEAR(last[0], 8.0, 8.0 * 1e9 * 0x1p-47);                  // log u is about 1e9, and kept to 48 bits
  EXPECT_EQ(last[1], 0.0f);
}

TYPED_TEST(Absgd, ALargeLambdaWeighsAllAlike) {
  for (std::uint32_t t = 0; t < 3; ++t) {
    for (const float v : this->step(losses_of_step(40, t), {1e12, 0.1})) EXPECT_EQ(v, 1.0f);
  }
}

}  // namespace
}  // namespace splitsim::test
