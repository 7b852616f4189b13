#include "kernels/nn/layers/dropout.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/device/philox.hpp"
#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

constexpr std::uint64_t kSeed = 0x0123456789ABCDEF;

/// `values` after dropout, for these samples in a step of `max` slots.
template <class Context>
std::vector<float> dropped(Context& ctx, const std::vector<std::int32_t>& samples, std::int32_t max, double probability,
                           const std::vector<float>& values, std::int32_t epoch = 3, std::int32_t layer = 5,
                           PlaneShape shape = {0, 0}) {
  if (shape.size() == 0) shape = {static_cast<std::int32_t>(values.size()) / max, 1};
  auto ids = samples;
  ids.resize(max, -1);
  const Buffer<std::int32_t, Context> count(ctx, std::vector<std::int32_t>{static_cast<std::int32_t>(samples.size())});
  const Buffer<std::int32_t, Context> sample(ctx, ids), now(ctx, std::vector<std::int32_t>(ids.size(), epoch));
  const Buffer<std::uint64_t, Context> seed(ctx, std::vector<std::uint64_t>(ids.size(), kSeed));
  Floats<Context> x(ctx, values);
  {
    const Quiet<Context> quiet(ctx);
    dropout(ctx, {count.data(), max}, shape, {{seed.data(), sample.data(), now.data()}, layer, probability}, x.view());
  }
  return x.download();
}

template <class Context>
class Dropout : public OnContext<Context> {};
TYPED_TEST_SUITE(Dropout, Contexts);

// Word by word from the address: [sample][layer][epoch][feature / 4]. A scale of 4 / 3 rounds once.
TYPED_TEST(Dropout, IsTheKeyedRule) {
  constexpr std::int32_t kFeatures = 11, kMax = 4;
  const std::vector<std::int32_t> samples = {70000, 3, 41};
  const auto values = reals(kMax * kFeatures, 1);
  const auto y = dropped(this->ctx(), samples, kMax, 0.25, values);
  for (std::int32_t slot = 0; slot < kMax; ++slot) {
    for (std::int32_t i = 0; i < kFeatures; ++i) {
      const float v = values[slot * kFeatures + i];
      if (slot >= 3) {
        if (!TypeParam::kIsDevice) {  // there empty slots are left alone
          ASSERT_EQ(y[slot * kFeatures + i], v);
        }
        continue;
      }
      const Bits128 bits = random_bits(kSeed, {Purpose::kDropout, static_cast<std::uint32_t>(samples[slot]), 5, 3,
                                               static_cast<std::uint32_t>(i / 4)});
      const std::uint32_t word = i % 4 == 0 ? bits.x : i % 4 == 1 ? bits.y : i % 4 == 2 ? bits.z : bits.w;
      ASSERT_EQ(y[slot * kFeatures + i], word < 0x40000000u ? 0.0f : v * (4.0f / 3.0f));
    }
  }
}

TYPED_TEST(Dropout, FollowsTheFeatureNotItsPlace) {
  const std::vector<float> ones(2 * 6 * 7, 1.0f);
  const PlaneShape first{6, 7, Layout::kChannelsFirst}, last{6, 7, Layout::kChannelsLast};
  const auto a = dropped(this->ctx(), {7, 8}, 2, 0.5, ones, 3, 5, first);
  EXPECT_EQ(a, in_order(last.layout, dropped(this->ctx(), {7, 8}, 2, 0.5, ones, 3, 5, last), 6, 7));
}

TYPED_TEST(Dropout, FollowsTheSampleNotTheSlot) {
  constexpr std::int32_t kFeatures = 40;
  const std::vector<float> ones(3 * kFeatures, 1.0f);
  const auto a = dropped(this->ctx(), {7, 8, 9}, 3, 0.5, ones), b = dropped(this->ctx(), {9, 7, 8}, 3, 0.5, ones);
  EXPECT_EQ(row(a, 0, kFeatures), row(b, 1, kFeatures));
  EXPECT_EQ(row(a, 2, kFeatures), row(b, 0, kFeatures));
  EXPECT_NE(row(a, 0, kFeatures), row(a, 1, kFeatures));
  EXPECT_NE(a, dropped(this->ctx(), {7, 8, 9}, 3, 0.5, ones, 4));     // another epoch
  EXPECT_NE(a, dropped(this->ctx(), {7, 8, 9}, 3, 0.5, ones, 3, 6));  // another layer
}

// A share p of n features is dropped within 5 sigma (false alarm 6e-7), and the mean stays.
TYPED_TEST(Dropout, DropsItsShareAndKeepsTheMean) {
  constexpr std::int32_t kSlots = 100, kFeatures = 1000;
  std::vector<std::int32_t> samples(kSlots);
  for (std::int32_t s = 0; s < kSlots; ++s) samples[s] = s;
  for (const double p : {0.0, 0.1, 0.5, 0.9}) {
    const auto y = dropped(this->ctx(), samples, kSlots, p, std::vector<float>(kSlots * kFeatures, 1.0f));
    double zeros = 0.0, sum = 0.0;
    for (const float v : y) {
      zeros += v == 0.0f ? 1.0 : 0.0;
      sum += v;
    }
    const double n = kSlots * kFeatures;
    EXPECT_NEAR(zeros / n, p, 5.0 * std::sqrt(p * (1.0 - p) / n));
    EXPECT_NEAR(sum / n, 1.0, 5.0 * std::sqrt(p / (1.0 - p) / n) + 1e-6);
  }
}

// The gradient of x -> mask x / (1 - p) is the same call on dy: what it makes of ones is the mask's diagonal.
TYPED_TEST(Dropout, IsItsOwnGradient) {
  constexpr std::int32_t kFeatures = 64;
  const auto x = integers(2 * kFeatures, 9, 1), dy = integers(2 * kFeatures, 9, 2);
  const auto y = dropped(this->ctx(), {5, 6}, 2, 0.5, x), dx = dropped(this->ctx(), {5, 6}, 2, 0.5, dy);
  double left = 0.0, right = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    left += double{y[i]} * dy[i];
    right += double{x[i]} * dx[i];
  }
  EXPECT_EQ(left, right);
}

}  // namespace
}  // namespace splitsim::test
