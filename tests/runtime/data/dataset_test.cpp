// Data sets as a whole: real files against numbers computed elsewhere, statistics, fingerprints, names.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "runtime/data/dataset.hpp"
#include "runtime/data/loaders.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/data/data_files.hpp"

namespace splitsim {
namespace {

using namespace test;

// ---- real files; the expected numbers come from NumPy ----

TEST(FashionMnist, EqualsIndependentSums) {
  const std::string data = test::data_dir();
  if (data.empty()) GTEST_SKIP() << "no real data: set SPLITSIM_DATA to a folder with fashion-mnist/";
  ::testing::internal::CaptureStderr();
  const Dataset set = load("fashion_mnist", data + "/fashion-mnist");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "") << "these are the published files";
  EXPECT_EQ(set.name, "fashion_mnist");
  EXPECT_EQ(set.train_size(), 60000);
  EXPECT_EQ(set.test_size(), 10000);
  EXPECT_EQ(set.sample_size(), 784);
  EXPECT_EQ(set.classes, 10);
  EXPECT_EQ(digest(set.train_features), "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012");
  EXPECT_EQ(digest(set.test_features), "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a");
  EXPECT_EQ(digest(set.train_labels), "d69b1d6e0b8064974aa5aecc2786f961b8b2be829ee3a39dd8989efee46cad5a");
  EXPECT_EQ(digest(set.test_labels), "53fdd09ed9cbcd893df0e3b0af7802f2d62457de11c87273d4b4186f4992a40c");
  std::vector<int> histogram(10);
  for (const std::int32_t label : set.train_labels) ++histogram[static_cast<std::size_t>(label)];
  EXPECT_EQ(histogram, std::vector<int>(10, 6000));
  const double n = 60000.0 * 784;
  const double mean = 3431114169.0 / n, variance = 631470052347.0 / n - mean * mean;
  EXPECT_FLOAT_EQ(set.mean[0], static_cast<float>(mean / 255));
  EXPECT_FLOAT_EQ(set.std[0], static_cast<float>(std::sqrt(variance) / 255));
  EXPECT_FLOAT_EQ(set.mean[0], 0.2860405969887955f);
  EXPECT_FLOAT_EQ(set.std[0], 0.3530242445149223f);
}

TEST(Cifar10, EqualsIndependentSums) {
  const std::string data = test::data_dir();
  if (data.empty()) GTEST_SKIP() << "no real data: set SPLITSIM_DATA to a folder with cifar10-subset/";
  const Dataset set = load("cifar10", data + "/cifar10-subset");
  EXPECT_EQ(set.train_size(), 10000);
  EXPECT_EQ(set.test_size(), 2000);
  EXPECT_EQ(set.channels, 3);
  EXPECT_EQ(set.height, 32);
  EXPECT_EQ(set.width, 32);
  EXPECT_EQ(digest(set.train_features), "b298395fa948784e1e73351bbd6c34e68d9af64538043a8eb071ba23ca0ecbe8");
  EXPECT_EQ(digest(set.test_features), "aed28959f1c7efa335f6fc8ad2d64c3e389094285c405c792664020fdbfd52a2");
  EXPECT_EQ(digest(set.train_labels), "45b5ada7e3ae0cbe8fe7002b5d855ef197a9c64455b9eedc6f4e02e92e301040");
  EXPECT_EQ(digest(set.test_labels), "16747ddf00e18addc25e2f048661523ef1af444db248f3046327299ebb0dc010");
  const float mean[] = {0.4935570672487745f, 0.4831864594822304f, 0.44704950291053924f};
  const float std[] = {0.24784006678709042f, 0.2447709094051661f, 0.2625610313511424f};
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_FLOAT_EQ(set.mean[c], mean[c]);
    EXPECT_FLOAT_EQ(set.std[c], std[c]);
  }
}

// ---- statistics ----

TEST(MeanAndStd, HandComputed) {
  Dataset set;
  set.channels = 2;
  set.height = 1;
  set.width = 2;
  set.train_features = {0, 255, 9, 9, 255, 255, 9, 9};  // channel 0: 0 255 255 255; channel 1: all 9
  set.train_labels = {0, 0};
  normalise(set);
  EXPECT_FLOAT_EQ(set.mean[0], 0.75f);
  EXPECT_FLOAT_EQ(set.std[0], std::sqrt(0.1875f));
  EXPECT_FLOAT_EQ(set.mean[1], 9.0f / 255);
  EXPECT_EQ(set.std[1], 1.0f) << "no spread: nothing to divide by";
}

TEST(MeanAndStd, OfWhatIsTrainedOnNotOfWhatIsHeldOut) {
  DataSettings settings;
  settings.validation = 0.5;
  const Dataset set = load_dataset(settings, 1);
  Dataset again = set;
  normalise(again);
  EXPECT_EQ(set.mean, again.mean);
  EXPECT_EQ(set.std, again.std);
  EXPECT_NE(set.mean, load("glyphs", "").mean);
}

// ---- fingerprints ----

TEST(Fingerprints, AreOfTheContentAndItsShape) {
  Dataset set;
  set.channels = 1;
  set.height = 2;
  set.width = 3;
  set.classes = 2;
  set.train_features = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  set.train_labels = {0, 1};
  set.test_features = {1, 1, 1, 1, 1, 1};
  set.test_labels = {1};
  const std::string images = set.features_sha256(), labels = set.labels_sha256();
  EXPECT_EQ(images.size(), 64u);
  EXPECT_EQ(labels.size(), 64u);
  EXPECT_NE(images, labels);
  const auto other = [&](const auto& change) {
    Dataset changed = set;
    change(changed);
    return std::pair{changed.features_sha256() != images, changed.labels_sha256() != labels};
  };
  using Changed = std::pair<bool, bool>;
  EXPECT_EQ(other([](Dataset&) {}), Changed(false, false));
  EXPECT_EQ(other([](Dataset& s) { s.name = "another"; }), Changed(false, false));
  EXPECT_EQ(other([](Dataset& s) { ++s.train_features[11]; }), Changed(true, false));
  EXPECT_EQ(other([](Dataset& s) { ++s.test_features[5]; }), Changed(true, false));
  EXPECT_EQ(other([](Dataset& s) { std::swap(s.height, s.width); }), Changed(true, false));
  EXPECT_EQ(other([](Dataset& s) { s.train_labels = {1, 0}; }), Changed(false, true));
  EXPECT_EQ(other([](Dataset& s) { s.test_labels = {0}; }), Changed(false, true));
  // A validation part counts too.
  set.validation_features = {7, 7, 7, 7, 7, 7};
  set.validation_labels = {1};
  EXPECT_NE(set.features_sha256(), images);
  EXPECT_NE(set.labels_sha256(), labels);
  const std::string with_images = set.features_sha256(), with_labels = set.labels_sha256();
  ++set.validation_features[0];
  EXPECT_NE(set.features_sha256(), with_images);
  set.validation_labels = {0};
  EXPECT_NE(set.labels_sha256(), with_labels);
  set.validation_features.clear();
  set.validation_labels.clear();
  // The same bytes, cut elsewhere into training and test part.
  const auto moved = other([](Dataset& s) {
    s.test_features.insert(s.test_features.begin(), s.train_features.begin() + 6, s.train_features.end());
    s.train_features.resize(6);
    s.train_labels = {0};
    s.test_labels = {1, 1};
  });
  EXPECT_EQ(moved, Changed(true, true));
}

// ---- names ----

TEST(LoadDataset, NamesAreListedAndChecked) {
  for (const DatasetInfo& info : dataset_infos()) EXPECT_FALSE(info.summary.empty()) << info.name;
  expect_input_error([] { load("imagenet", "x"); }, "data.name", "'imagenet'",
                     "glyphs, gestures, assays, phrases, fashion_mnist, mnist");
  expect_input_error([] { load("mnist", ""); }, "data.dir", "'mnist'");
  const Dataset set = load("glyphs", "");
  EXPECT_GT(set.mean[0], 0.05f);
  EXPECT_GT(set.std[0], 0.05f);
}

}  // namespace
}  // namespace splitsim
