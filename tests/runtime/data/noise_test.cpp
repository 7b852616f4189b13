// Noise of the clients' own data: as many labels as said, none kept, features shifted client by client, the same each
// time.
#include "runtime/data/noise.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "runtime/plan/scene.hpp"
#include "tests/runtime/small_data.hpp"

namespace splitsim {
namespace {

constexpr std::int32_t kClients = 8, kClasses = 10;
constexpr std::int64_t kEach = 250, kPixels = 36;

Dataset grey(std::uint8_t value) {
  Dataset data;
  data.channels = 1;
  data.height = data.width = 6;
  data.classes = kClasses;
  data.train_features.assign(static_cast<std::size_t>(kClients * kEach * kPixels), value);
  for (std::int32_t s = 0; s < kClients * kEach; ++s) data.train_labels.push_back(s % kClasses);
  return data;
}
std::vector<std::int32_t> owners() {
  std::vector<std::int32_t> owner;
  for (std::int32_t s = 0; s < kClients * kEach; ++s) owner.push_back(s % kClients);
  return owner;
}

TEST(Noise, FlipsTheShareOfEveryClientsLabelsToOtherClasses) {
  const Dataset clean = grey(100);
  for (const double share : {0.0, 0.1, 0.5, 1.0}) {
    Dataset noisy = clean;
    PartitionSettings settings;
    settings.label_noise = share;
    add_noise(noisy, owners(), settings, 3);
    EXPECT_EQ(noisy.train_features, clean.train_features);
    std::vector<std::int64_t> flipped(kClients), by_distance(kClasses);
    for (std::size_t s = 0; s < noisy.train_labels.size(); ++s) {
      const std::int32_t now = noisy.train_labels[s], before = clean.train_labels[s];
      ASSERT_TRUE(now >= 0 && now < kClasses);
      if (now != before) ++flipped[s % kClients];
      ++by_distance[static_cast<std::size_t>((now - before + kClasses) % kClasses)];
    }
    EXPECT_EQ(flipped, std::vector<std::int64_t>(kClients, static_cast<std::int64_t>(share * kEach)));
    // Every other class alike: six standard deviations of a binomial count.
    const double expected = share * kClients * kEach / (kClasses - 1);
    for (std::size_t d = 1; d < kClasses; ++d) EXPECT_NEAR(by_distance[d], expected, 6 * std::sqrt(expected) + 1e-9);
    Dataset again = clean, other = clean;
    add_noise(again, owners(), settings, 3);
    add_noise(other, owners(), settings, 4);
    EXPECT_EQ(again.train_labels, noisy.train_labels);
    EXPECT_EQ(other.train_labels == noisy.train_labels, share == 0.0);
  }
}

TEST(Noise, ShiftsFeaturesClientByClient) {
  PartitionSettings settings;
  settings.contrast_sd = 0.3;
  settings.brightness_sd = 0.1;
  Dataset dark = grey(60), bright = grey(120);
  add_noise(dark, owners(), settings, 5);
  add_noise(bright, owners(), settings, 5);
  std::vector<std::pair<int, int>> of_client(kClients);
  for (std::size_t s = 0; s < static_cast<std::size_t>(kClients * kEach); ++s) {
    const std::pair<int, int> now{dark.train_features[s * kPixels], bright.train_features[s * kPixels]};
    if (s < kClients) of_client[s] = now;
    ASSERT_EQ(now, of_client[s % kClients]) << "a client takes all its pictures alike";
    for (std::size_t p = 0; p < kPixels; ++p) ASSERT_EQ(dark.train_features[s * kPixels + p], now.first);
  }
  EXPECT_NE(of_client[0], of_client[1]);
  double factors = 0.0;
  for (const auto& [low, high] : of_client) {
    if (high < 255 && low > 0) {
      EXPECT_GT(high, low);
    }
    factors += (high - low) / 60.0;
  }
  EXPECT_NEAR(factors / kClients, 1.0, 0.5);
}

TEST(Noise, PixelNoiseHasItsDeviation) {
  PartitionSettings settings;
  settings.pixel_noise = 0.1;
  Dataset data = grey(128);
  add_noise(data, owners(), settings, 5);
  const double n = static_cast<double>(data.train_features.size());
  double sum = 0.0, squares = 0.0;
  for (const std::uint8_t pixel : data.train_features) {
    sum += pixel - 128.0;
    squares += (pixel - 128.0) * (pixel - 128.0);
  }
  const double sd = 25.5;
  EXPECT_NEAR(sum / n, 0.0, 6 * sd / std::sqrt(n));
  EXPECT_NEAR(squares / n, sd * sd + 1.0 / 12.0, 6 * std::sqrt(2.0 / n) * sd * sd);  // rounding adds a twelfth
}

// Only the training part; the population holds the labels that its clients do; hashes of the inputs tell.
TEST(Noise, IsPartOfTheScene) {
  const test::SmallData data;
  const Scene clean = make_scene(data.config());
  const Scene noisy = make_scene(data.config({"partition.label_noise=0.2", "partition.brightness_sd=0.1"}));
  EXPECT_EQ(noisy.population.owner, clean.population.owner);
  EXPECT_EQ(noisy.population.label, noisy.dataset.train_labels);
  EXPECT_NE(noisy.population.sha256(), clean.population.sha256());
  EXPECT_NE(noisy.dataset.features_sha256(), clean.dataset.features_sha256());
  EXPECT_EQ(noisy.dataset.test_features, clean.dataset.test_features);
  EXPECT_EQ(noisy.dataset.test_labels, clean.dataset.test_labels);
  EXPECT_EQ(noisy.dataset.mean, clean.dataset.mean);
}

}  // namespace
}  // namespace splitsim
