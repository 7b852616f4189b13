// The focal loss against its formula in double, in the middle and where probabilities end.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/nn/loss.hpp"
#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

constexpr double kUnit = 0x1p-24;

struct FocalRun {
  std::vector<float> loss, dlogits;
};

template <class Context>
class FocalLoss : public OnContext<Context> {
 protected:
  FocalRun run(std::int32_t count, std::int32_t max_slots, std::int32_t classes, float gamma,
               const std::vector<float>& values, const std::vector<std::int32_t>& labels,
               const std::vector<float>& weights) {
    Context& ctx = this->ctx();
    const Buffer<std::int32_t, Context> slots(ctx, std::vector<std::int32_t>{count}), label(ctx, labels);
    const Buffer<float, Context> logits(ctx, values), weight(ctx, weights);
    Buffer<float, Context> loss(ctx, std::vector<float>(max_slots, kJunk));
    Buffer<float, Context> dlogits(ctx, std::vector<float>(values.size(), kJunk));
    Buffer<std::int32_t, Context> correct(ctx, max_slots);
    softmax_cross_entropy(ctx, {slots.data(), max_slots}, {classes, 0.0f, gamma},
                          {logits.view(), label.view(), weight.view()},
                          {loss.view(), correct.view(), {}, dlogits.view()});
    return {loss.download(), dlogits.download()};
  }
  FocalRun one(float gamma, const std::vector<float>& logits) {
    return this->run(1, 1, static_cast<std::int32_t>(logits.size()), gamma, logits, {0}, {1.0f});
  }
};
TYPED_TEST_SUITE(FocalLoss, Contexts);

double focal(const std::vector<double>& z, std::int32_t label, double gamma) {
  double others = 0.0, all = 0.0;
  for (std::size_t c = 0; c < z.size(); ++c) {
    const double e = std::exp(z[c] - z[static_cast<std::size_t>(label)]);
    all += e;
    if (static_cast<std::int32_t>(c) != label) others += e;
  }
  return std::pow(others / all, gamma) * std::log1p(others);
}

TYPED_TEST(FocalLoss, ValueAndGradientMatchTheFormula) {
  constexpr std::int32_t kMax = 40, kSlots = 33;
  for (const std::int32_t classes : {2, 10, 100}) {
    for (const float gamma : {0.25f, 0.5f, 1.0f, 2.0f, 5.0f}) {
      auto logits = reals(kMax * classes, 1);
      for (float& v : logits) v *= 8.0f;
      logits = junk_after(logits, kSlots, classes);
      std::vector<std::int32_t> labels(kMax, 1 << 30);
      for (std::int32_t s = 0; s < kSlots; ++s) labels[s] = (s * 7) % classes;
      const auto weights = junk_after(reals(kMax, 2), kSlots, 1);
      const FocalRun got = this->run(kSlots, kMax, classes, gamma, logits, labels, weights);
      // p and q are within classes + 24 units as in the cross-entropy's test, q^g within g times that, and pow, exp and
      // log within 8 more; the factor is at most 1 + g.
      const double relative = (2.0 + gamma) * (classes + 32.0) * kUnit;
      for (std::int32_t s = 0; s < kSlots; ++s) {
        auto z = row(logits, s, classes);
        const double expected = focal(z, labels[s], gamma);
        ASSERT_NEAR(got.loss[s], expected, relative * (1.0 + expected)) << "gamma " << gamma;
        for (std::int32_t c = 0; c < classes; ++c) {
          const double h = 1e-5, before = z[c];
          z[c] = before + h;
          const double above = focal(z, labels[s], gamma);
          z[c] = before - h;
          const double slope = (above - focal(z, labels[s], gamma)) / (2.0 * h);
          z[c] = before;
          ASSERT_NEAR(got.dlogits[s * classes + c], weights[s] * slope, relative * (1.0 + gamma) + 1e-8)
              << "gamma " << gamma << " slot " << s << " class " << c;
        }
      }
      for (std::int32_t s = kSlots; s < kMax; ++s) {
        ASSERT_EQ(got.loss[s], 0.0f);
        for (std::int32_t c = 0; c < classes; ++c) ASSERT_EQ(got.dlogits[s * classes + c], 0.0f);
      }
    }
  }
}

// q = 2 e^-z is far below what 1 - p can hold, and q^(g - 1) is large: the factor is q^g (1 + g) all the same.
TYPED_TEST(FocalLoss, NearProbabilityOne) {
  for (const float gamma : {0.1f, 0.5f, 1.0f, 2.0f}) {
    for (const float z : {12.0f, 18.0f, 40.0f, 60.0f}) {
      const double q = 2.0 / (2.0 + std::exp(double{z}));
      const FocalRun got = this->one(gamma, {z, 0.0f, 0.0f});
      const double loss = std::pow(q, gamma) * -std::log1p(-q);
      const double slope = std::pow(q, gamma) * (1.0 + gamma * (1.0 - q) * -std::log1p(-q) / q) * q / 2.0;
      EXPECT_NEAR(got.loss[0], loss, 64 * kUnit * loss + 0x1p-126) << gamma << " " << z;
      EXPECT_NEAR(got.dlogits[1], slope, 64 * kUnit * slope + 0x1p-126) << gamma << " " << z;
    }
    const FocalRun sure = this->one(gamma, {300.0f, 0.0f, 0.0f});
    EXPECT_EQ(sure.loss[0], 0.0f);
    for (const float v : sure.dlogits) EXPECT_EQ(v, 0.0f);
  }
}

// There it is the cross-entropy.
TYPED_TEST(FocalLoss, NearProbabilityZero) {
  for (const float gamma : {0.1f, 0.5f, 1.0f, 2.0f, 1000.0f}) {
    for (const float z : {60.0f, 300.0f, 1e30f}) {
      const FocalRun got = this->one(gamma, {0.0f, z, 0.0f});
      EXPECT_NEAR(got.loss[0], z, 4 * kUnit * z) << gamma << " " << z;
      EXPECT_NEAR(got.dlogits[0], -1.0f, 4 * kUnit);
      EXPECT_NEAR(got.dlogits[1], 1.0f, 4 * kUnit);
      EXPECT_NEAR(got.dlogits[2], 0.0f, kUnit);
    }
  }
}

// So large an exponent tells p = 0.001 from 0: (1 - p)^1000 = 0.37.
TYPED_TEST(FocalLoss, LargeExponents) {
  const double p = 1.0 / (1.0 + 999.0);
  const auto z = static_cast<float>(std::log(999.0));
  const FocalRun got = this->one(1000.0f, {0.0f, z});
  const double expected = std::pow(1.0 - p, 1000.0) * -std::log(p);
  EXPECT_NEAR(got.loss[0], expected, 64 * kUnit * expected);
  const FocalRun none = this->one(1000.0f, {0.0f, 0.0f, 0.0f});
  EXPECT_EQ(none.loss[0], 0.0f);
  for (const float v : none.dlogits) EXPECT_EQ(v, 0.0f);
}

TYPED_TEST(FocalLoss, WhatIsNotFiniteShows) {
  EXPECT_FALSE(std::isfinite(this->one(2.0f, {kJunk, 0.0f, 0.0f}).loss[0]));
  EXPECT_FALSE(std::isfinite(this->one(2.0f, {0.0f, kJunk, 0.0f}).loss[0]));
  EXPECT_FALSE(std::isfinite(this->one(2.0f, {std::numeric_limits<float>::infinity(), 0.0f, 0.0f}).loss[0]));
}

}  // namespace
}  // namespace splitsim::test
