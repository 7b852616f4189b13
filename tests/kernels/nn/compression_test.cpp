// Rows on the link at the cut, against references that sort, and statistics of what is drawn.
#include "kernels/nn/layers/compression.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

constexpr std::uint64_t kSeed = 0x0123456789ABCDEF;
constexpr std::int32_t kEpoch = 3;

/// The place of a feature in a row.
std::int32_t place_of(const PlaneShape& shape, std::int32_t feature) {
  if (shape.layout == Layout::kChannelsFirst) return feature;
  return feature % shape.pixels * shape.channels + feature / shape.pixels;
}

std::uint32_t word_of(Purpose purpose, std::int32_t sample, std::int32_t feature) {
  const Bits128 bits = random_bits(
      kSeed, {purpose, static_cast<std::uint32_t>(sample), static_cast<std::uint32_t>(feature / 4), kEpoch});
  const std::uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
  return words[feature % 4];
}

/// One row in the order of its features, sent.
std::vector<float> sent(const CompressionRule& rule, Purpose purpose, std::int32_t sample,
                        const std::vector<float>& row) {
  const auto n = static_cast<std::int32_t>(row.size());
  std::vector<float> out(row.size(), 0.0f);
  std::vector<std::int32_t> order(row.size());
  std::iota(order.begin(), order.end(), 0);
  const auto at = [](std::int32_t i) { return static_cast<std::size_t>(i); };
  const auto k = static_cast<std::int32_t>(kept_features(rule, n));
  if (rule.kind == Compression::kTopK || rule.kind == Compression::kRandomTopK) {
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int32_t a, std::int32_t b) { return std::fabs(row[at(a)]) > std::fabs(row[at(b)]); });
    std::vector<std::int32_t> others(order.begin() + k, order.end());
    std::int32_t swapped = 0;
    for (std::int32_t i = 0; i < k; ++i) {
      const std::int32_t f = order[at(i)];
      const bool swap = rule.kind == Compression::kRandomTopK &&
                        word_of(purpose, sample, f) < static_cast<std::uint32_t>(rule.random * 0x1p32);
      swapped += swap;
      if (!swap) out[at(f)] = row[at(f)];
    }
    std::sort(others.begin(), others.end());
    std::stable_sort(others.begin(), others.end(), [&](std::int32_t a, std::int32_t b) {
      return word_of(purpose, sample, a) < word_of(purpose, sample, b);
    });
    for (std::int32_t i = 0; i < std::min<std::int32_t>(swapped, n - k); ++i) {
      out[at(others[at(i)])] = row[at(others[at(i)])];
    }
    return out;
  }
  const float levels = rule.kind == Compression::kInt8 ? 255.0f : 15.0f;
  const float low = *std::min_element(row.begin(), row.end()), high = *std::max_element(row.begin(), row.end());
  const float step = (high - low) / levels;
  for (std::int32_t f = 0; f < n; ++f) {
    const float u = static_cast<float>(word_of(purpose, sample, f) >> 8) * 0x1p-24f;
    const float level = std::min(std::floor((row[at(f)] - low) / step + u), levels);
    out[at(f)] = step == 0.0f ? row[at(f)] : low + level * step;
  }
  return out;
}

template <class Context>
class CompressionTest : public OnContext<Context> {
 protected:
  /// Rows of samples in a step of `max` slots, compressed `times` times over with the same rows sent anew, memory kept.
  struct Result {
    std::vector<float> rows, error;
  };
  Result compressed(const CompressionRule& rule, const PlaneShape& shape, const std::vector<std::int32_t>& samples,
                    std::int32_t max, const std::vector<float>& values, bool feedback, int times = 1) {
    Context& ctx = this->ctx();
    auto ids = samples;
    ids.resize(static_cast<std::size_t>(max), -1);
    const Buffer<std::int32_t, Context> count(ctx,
                                              std::vector<std::int32_t>{static_cast<std::int32_t>(samples.size())});
    const Buffer<std::int32_t, Context> sample(ctx, ids), now(ctx, std::vector<std::int32_t>(ids.size(), kEpoch));
    const Buffer<std::uint64_t, Context> seed(ctx, std::vector<std::uint64_t>(ids.size(), kSeed));
    const std::int64_t n = shape.size();
    const std::int32_t most = samples.empty() ? 0 : *std::max_element(samples.begin(), samples.end());
    Floats<Context> error(ctx, std::vector<float>(static_cast<std::size_t>(feedback ? (most + 1) * n : 0), 0.0f));
    Floats<Context> workspace(ctx,
                              std::vector<float>(static_cast<std::size_t>(compression_workspace(rule, max, n)), kJunk));
    Result result;
    for (int i = 0; i < times; ++i) {
      Floats<Context> x(ctx, values);
      {
        const Quiet<Context> quiet(ctx);
        compress_rows(ctx, {count.data(), max}, shape, rule,
                      {{seed.data(), sample.data(), now.data()}, Purpose::kCutUp}, x.view(), error.view(),
                      workspace.view());
      }
      result.rows = x.download();
    }
    result.error = error.download();
    return result;
  }

  void expect_reference(const CompressionRule& rule, const PlaneShape& shape, const std::vector<float>& values,
                        bool feedback) {
    const std::vector<std::int32_t> samples = {7, 0, 3};
    constexpr std::int32_t kMax = 4;
    const std::int32_t n = shape.size();
    for (int times = 1; times <= (feedback ? 3 : 1); ++times) {
      const Result got = compressed(rule, shape, samples, kMax, values, feedback, times);
      for (std::int32_t slot = 0; slot < 3; ++slot) {
        std::vector<float> row(static_cast<std::size_t>(n)), error(row.size(), 0.0f), out;
        for (std::int32_t f = 0; f < n; ++f) row[f] = values[slot * n + place_of(shape, f)];
        for (int i = 0; i < times; ++i) {
          std::vector<float> now = row;
          for (std::int32_t f = 0; f < n; ++f) now[f] += error[f];
          out = sent(rule, Purpose::kCutUp, samples[slot], now);
          for (std::int32_t f = 0; feedback && f < n; ++f) error[f] = now[f] - out[f];
        }
        for (std::int32_t f = 0; f < n; ++f) {
          ASSERT_EQ(got.rows[slot * n + place_of(shape, f)], out[f])
              << name_of(rule.kind) << ", slot " << slot << " feature " << f << " after " << times;
          if (feedback) {
            ASSERT_EQ(got.error[samples[slot] * n + f], error[f]);
          }
        }
      }
      for (std::int32_t i = 0; i < n; ++i) {  // nobody's
        const float left = got.rows[3 * n + i], was = values[3 * n + i];
        ASSERT_TRUE(left == was || std::isnan(was));
      }
      for (std::size_t i = 0; i < got.error.size(); ++i) {
        const auto sample = static_cast<std::int32_t>(i) / n;
        if (std::find(samples.begin(), samples.end(), sample) == samples.end()) {
          ASSERT_EQ(got.error[i], 0.0f);
        }
      }
    }
  }
};
TYPED_TEST_SUITE(CompressionTest, Contexts);

constexpr Compression kKinds[] = {Compression::kTopK, Compression::kRandomTopK, Compression::kInt8, Compression::kInt4};

TYPED_TEST(CompressionTest, IsTheRuleInEitherLayoutWithAndWithoutMemory) {
  for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
    for (const PlaneShape shape : {PlaneShape{3, 7, layout}, PlaneShape{40, 5, layout}, PlaneShape{1, 1, layout}}) {
      for (const Compression kind : kKinds) {
        for (const double keep : {0.01, 0.3, 0.9, 1.0}) {
          for (const bool feedback : {false, true}) {
            this->expect_reference({kind, keep, 0.4}, shape, reals(4 * shape.size(), 5), feedback);
          }
        }
      }
    }
  }
}

// Rectified and small integers: most magnitudes occur many times, and the first features win.
TYPED_TEST(CompressionTest, TiesGoToTheFirstFeatures) {
  for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
    const PlaneShape shape{6, 9, layout};
    std::vector<float> values = integers(4 * shape.size(), 3, 2);
    this->expect_reference({Compression::kTopK, 0.5}, shape, values, false);
    this->expect_reference({Compression::kRandomTopK, 0.5, 0.5}, shape, values, false);
    for (float& v : values) v = v < 0.0f ? 0.0f : v;
    this->expect_reference({Compression::kTopK, 0.6}, shape, values, false);
    this->expect_reference({Compression::kRandomTopK, 0.7, 0.9}, shape, values, true);
    for (float& v : values) v = 2.0f;  // no range at all
    this->expect_reference({Compression::kInt8}, shape, values, true);
    this->expect_reference({Compression::kTopK, 0.1}, shape, values, false);
  }
}

TYPED_TEST(CompressionTest, NothingIsDoneWithoutSlotsOrRule) {
  const std::vector<float> values = reals(2 * 8, 1);
  EXPECT_EQ(this->compressed({Compression::kInt4}, {8, 1}, {}, 2, values, false).rows, values);
  EXPECT_EQ(this->compressed({Compression::kNone}, {8, 1}, {1, 0}, 2, values, false).rows, values);
}

// Rounding at random has the mean of what was sent; each of the largest is swapped as often as said.
TYPED_TEST(CompressionTest, RoundingIsUnbiasedAndSwapsAreAsFrequentAsSaid) {
  constexpr std::int32_t kSamples = 2000, kFeatures = 20;
  std::vector<std::int32_t> samples(kSamples);
  std::iota(samples.begin(), samples.end(), 0);
  std::vector<float> row = reals(kFeatures, 2), values;
  for (std::int32_t s = 0; s < kSamples; ++s) values.insert(values.end(), row.begin(), row.end());
  const auto mean_of = [&](const CompressionRule& rule) {
    const std::vector<float> rows = this->compressed(rule, {kFeatures, 1}, samples, kSamples, values, false).rows;
    std::vector<double> mean(kFeatures);
    for (std::size_t i = 0; i < rows.size(); ++i) mean[i % kFeatures] += rows[i] / double{kSamples};
    return mean;
  };
  const float range = *std::max_element(row.begin(), row.end()) - *std::min_element(row.begin(), row.end());
  const std::vector<double> levels = mean_of({Compression::kInt4});
  for (std::int32_t f = 0; f < kFeatures; ++f) {  // a level's rounding has a deviation of at most half a step
    EXPECT_NEAR(levels[f], row[f], 5.0 * 0.5 * range / 15.0 / std::sqrt(double{kSamples}));
  }
  const std::vector<double> kept = mean_of({Compression::kRandomTopK, 0.25, 0.2});
  std::vector<std::int32_t> order(kFeatures);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return std::fabs(row[a]) > std::fabs(row[b]); });
  for (std::int32_t i = 0; i < kFeatures;
       ++i) {  // 5 of the 20, of which one in five is swapped for one of the other 15
    const double p = i < 5 ? 0.8 : 5 * 0.2 / 15;
    EXPECT_NEAR(kept[order[i]] / row[order[i]], p, 5.0 * std::sqrt(p * (1 - p) / kSamples)) << i;
  }
}

TYPED_TEST(CompressionTest, RowsAreLimitedAndBlurred) {
  constexpr std::int32_t kFeatures = 50, kMax = 400;
  std::vector<std::int32_t> samples(kMax - 1);
  std::iota(samples.begin(), samples.end(), 5);
  auto ids = samples;
  ids.push_back(-1);
  std::vector<float> values = reals(kMax * kFeatures, 3);
  for (std::int32_t i = 0; i < kFeatures; ++i) values[i] *= 1e-3f;  // short enough as it is
  TypeParam& ctx = this->ctx();
  const Buffer<std::int32_t, TypeParam> count(ctx, std::vector<std::int32_t>{kMax - 1});
  const Buffer<std::int32_t, TypeParam> sample(ctx, ids), now(ctx, std::vector<std::int32_t>(ids.size(), kEpoch));
  const Buffer<std::uint64_t, TypeParam> seed(ctx, std::vector<std::uint64_t>(ids.size(), kSeed));
  const auto limited = [&](const LimitRule& rule, Layout layout) {
    const Floats<TypeParam> x(ctx, values);
    Floats<TypeParam> y(ctx, std::vector<float>(values.size(), 0.0f));
    limit_rows(ctx, {count.data(), kMax}, {10, 5, layout}, rule, {seed.data(), sample.data(), now.data()}, x.view(),
               y.view());
    return y.download();
  };
  const std::vector<float> clipped = limited({0.5, 0.0}, Layout::kChannelsFirst);
  double sum = 0.0, squares = 0.0;
  const std::vector<float> noisy = limited({0.5, 0.25}, Layout::kChannelsFirst);
  const std::vector<float> last = limited({0.0, 0.25}, Layout::kChannelsLast);
  for (std::int32_t s = 0; s < kMax - 1; ++s) {
    double norm = 0.0;
    for (std::int32_t i = 0; i < kFeatures; ++i) norm += std::pow(double{values[s * kFeatures + i]}, 2);
    norm = std::sqrt(norm);
    ASSERT_EQ(norm < 0.5, s == 0);
    for (std::int32_t i = 0; i < kFeatures; ++i) {
      const double expected = values[s * kFeatures + i] * std::min(1.0, 0.5 / norm);
      ASSERT_NEAR(clipped[s * kFeatures + i], expected, 1e-6 * std::fabs(expected));
      const double noise = noisy[s * kFeatures + i] - expected;
      sum += noise;
      squares += noise * noise;
      // The same draws wherever a feature lies.
      const std::int32_t there = s * kFeatures + place_of({10, 5, Layout::kChannelsLast}, i);
      ASSERT_NEAR(last[there] - values[there], noise, 2e-6);
    }
  }
  const double draws = (kMax - 1) * kFeatures;
  EXPECT_NEAR(sum / draws, 0.0, 5.0 * 0.25 / std::sqrt(draws));
  EXPECT_NEAR(squares / draws, 0.0625, 5.0 * 0.0625 * std::sqrt(2.0 / draws));
}

// Against differences of sum(dy limit(x)).
TYPED_TEST(CompressionTest, TheGradientOfClippingIsExact) {
  constexpr std::int32_t kFeatures = 12, kSlots = 3;
  constexpr double kNorm = 1.5;
  std::vector<float> x = reals(kSlots * kFeatures, 8), dy = reals(kSlots * kFeatures, 9);
  for (std::int32_t i = 0; i < kFeatures; ++i) x[i] *= 0.01f;  // short
  TypeParam& ctx = this->ctx();
  const Buffer<std::int32_t, TypeParam> count(ctx, std::vector<std::int32_t>{kSlots});
  const Floats<TypeParam> given(ctx, x);
  Floats<TypeParam> gradient(ctx, dy);
  limit_rows_backward(ctx, {count.data(), kSlots}, kFeatures, {kNorm, 0.3}, given.view(), gradient.view());
  const std::vector<float> dx = gradient.download();
  const auto value = [&](std::int32_t slot, std::int32_t moved, double by) {
    double squares = 0.0, product = 0.0;
    for (std::int32_t i = 0; i < kFeatures; ++i) {
      const double v = x[slot * kFeatures + i] + (i == moved ? by : 0.0);
      squares += v * v;
      product += v * dy[slot * kFeatures + i];
    }
    return product * std::min(1.0, kNorm / std::sqrt(squares));
  };
  for (std::int32_t slot = 0; slot < kSlots; ++slot) {
    for (std::int32_t i = 0; i < kFeatures; ++i) {
      const double h = 1e-5, slope = (value(slot, i, h) - value(slot, i, -h)) / (2 * h);
      ASSERT_NEAR(dx[slot * kFeatures + i], slope, 1e-6) << slot << " " << i;
    }
  }
}

TEST(CompressedBytes, AreWhatCrosses) {
  const auto bytes = [](Compression kind, double keep, std::int64_t features) {
    return compressed_bytes({kind, keep}, features);
  };
  EXPECT_EQ(bytes(Compression::kNone, 0.1, 1176), 4704);
  EXPECT_EQ(bytes(Compression::kTopK, 0.1, 1000), 100 * 4 + 125);  // 10 bits a place
  EXPECT_EQ(bytes(Compression::kTopK, 0.1, 1024), 103 * 4 + 129);
  EXPECT_EQ(bytes(Compression::kRandomTopK, 0.1, 1025), 103 * 4 + (103 * 11 + 7) / 8);
  EXPECT_EQ(bytes(Compression::kTopK, 0.1, 1), 4);  // there is only one place
  EXPECT_EQ(bytes(Compression::kInt8, 0.1, 1176), 1184);
  EXPECT_EQ(bytes(Compression::kInt4, 0.1, 1177), 589 + 8);
  EXPECT_EQ(kept_features({Compression::kTopK, 0.07}, 100), 7);
  EXPECT_EQ(kept_features({Compression::kTopK, 1e-9}, 100), 1);
  EXPECT_EQ(kept_features({Compression::kTopK, 1.0}, 100), 100);
}

}  // namespace
}  // namespace splitsim::test
