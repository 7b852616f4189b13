// The embedded data set: its bits, its balance, its independence of threads and order, and that its classes can be told
// apart but not trivially.
#include "runtime/data/glyphs.hpp"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "base/hash.hpp"

namespace splitsim {
namespace {

constexpr std::size_t kPixels = std::size_t{kGlyphSide} * kGlyphSide;

std::string digest(const Dataset& set) {
  Sha256 hash;
  hash.add(set.train_features);
  hash.add(set.test_features);
  return hash.hex();
}

/// The set of seed 1, drawn once for all tests.
const Dataset& seed_one() {
  static const Dataset set = draw_glyphs(1);
  return set;
}

// The bits of seed 1 on any machine: a change of this hash changes every result on glyphs.
constexpr const char* kSeedOne = "6558c762c38fe8da9415718defbb828addfa55c80aa902f24368f19dbcd9affb";

TEST(Glyphs, ShapeBalanceAndPinnedBits) {
  const Dataset& set = seed_one();
  EXPECT_EQ(set.channels, 1);
  EXPECT_EQ(set.height, 28);
  EXPECT_EQ(set.width, 28);
  EXPECT_EQ(set.classes, 10);
  EXPECT_EQ(set.train_size(), 20000);
  EXPECT_EQ(set.test_size(), 4000);
  EXPECT_EQ(set.train_features.size(), 20000 * kPixels);
  EXPECT_EQ(set.test_features.size(), 4000 * kPixels);
  for (std::int32_t c = 0; c < 10; ++c) {
    EXPECT_EQ(std::count(set.train_labels.begin(), set.train_labels.end(), c), 2000);
    EXPECT_EQ(std::count(set.test_labels.begin(), set.test_labels.end(), c), 400);
  }
  EXPECT_EQ(digest(set), kSeedOne);
}

TEST(Glyphs, BitsDoNotDependOnThreadsOrOrder) {
  const int before = omp_get_max_threads();
  for (const int threads : {1, 7}) {
    omp_set_num_threads(threads);
    EXPECT_EQ(digest(draw_glyphs(1)), kSeedOne) << threads << " threads";
  }
  omp_set_num_threads(before);

  // Any image alone, drawn in any order, is the same; the test images continue the training images' ids.
  const Dataset& set = seed_one();
  std::array<std::uint8_t, kPixels> image;
  for (const std::int64_t id : {std::int64_t{23999}, std::int64_t{20000}, std::int64_t{19999}, std::int64_t{3}}) {
    draw_glyph(1, id, image.data());
    const std::uint8_t* in_set =
        id < kGlyphTrainImages ? set.train_features.data() + static_cast<std::size_t>(id) * kPixels
                               : set.test_features.data() + static_cast<std::size_t>(id - kGlyphTrainImages) * kPixels;
    EXPECT_TRUE(std::equal(image.begin(), image.end(), in_set)) << id;
  }
}

TEST(Glyphs, EveryImageIsItsOwn) {
  const Dataset& set = seed_one();
  std::set<std::string> seen;
  const auto add = [&](const std::uint8_t* image) { seen.emplace(reinterpret_cast<const char*>(image), kPixels); };
  for (std::size_t i = 0; i < 20000; ++i) add(set.train_features.data() + i * kPixels);
  for (std::size_t i = 0; i < 4000; ++i) add(set.test_features.data() + i * kPixels);
  EXPECT_EQ(seen.size(), 24000u);
}

double correlation(const std::uint8_t* a, const std::uint8_t* b) {
  double mean_a = 0, mean_b = 0, ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < kPixels; ++i) {
    mean_a += a[i] / 784.0;
    mean_b += b[i] / 784.0;
  }
  for (std::size_t i = 0; i < kPixels; ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return ab / std::sqrt(aa * bb);
}

// Two images of the same strokes under different noise correlate by more than 0.7, two of the same class by 0.2.
TEST(Glyphs, EveryBitOfTheSeedChangesTheStrokes) {
  std::array<std::uint8_t, kPixels> image;
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{2}, (std::uint64_t{1} << 32) + 1}) {
    double mean = 0;
    for (std::int64_t id = 0; id < 100; ++id) {
      draw_glyph(seed, id, image.data());
      mean += correlation(image.data(), seed_one().train_features.data() + static_cast<std::size_t>(id) * kPixels) / 100;
    }
    EXPECT_LT(mean, 0.4) << "seed " << seed;
  }
}

// The nearest class mean (distance after removing each image's own mean and norm) is a weak classifier: better than
// chance by far, so that the labels fit the images, and nowhere near what a network reaches (0.90), so that shape
// matters.
TEST(Glyphs, NearestMeanIsBetterThanChanceAndFarFromGood) {
  const Dataset& set = seed_one();
  const auto centred = [](const std::uint8_t* image) {
    std::vector<double> v(image, image + kPixels);
    double mean = 0, norm = 0;
    for (const double p : v) mean += p / kPixels;
    for (double& p : v) {
      p -= mean;
      norm += p * p;
    }
    for (double& p : v) p /= std::sqrt(norm);
    return v;
  };
  std::vector<std::vector<double>> means(10, std::vector<double>(kPixels));
  for (std::size_t i = 0; i < 20000; ++i) {
    const std::vector<double> v = centred(set.train_features.data() + i * kPixels);
    std::vector<double>& mean = means[static_cast<std::size_t>(set.train_labels[i])];
    for (std::size_t j = 0; j < kPixels; ++j) mean[j] += v[j] / 2000;
  }
  int right = 0;
  for (std::size_t i = 0; i < 4000; ++i) {
    const std::vector<double> v = centred(set.test_features.data() + i * kPixels);
    std::size_t best = 0;
    double best_distance = 1e300;
    for (std::size_t c = 0; c < 10; ++c) {
      double distance = 0;
      for (std::size_t j = 0; j < kPixels; ++j) distance += (v[j] - means[c][j]) * (v[j] - means[c][j]);
      if (distance < best_distance) {
        best_distance = distance;
        best = c;
      }
    }
    right += static_cast<std::size_t>(set.test_labels[i]) == best;
  }
  EXPECT_GT(right / 4000.0, 0.25);
  EXPECT_LT(right / 4000.0, 0.75);
  RecordProperty("nearest_mean_accuracy", std::to_string(right / 4000.0));
}

}  // namespace
}  // namespace splitsim
