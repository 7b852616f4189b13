// The embedded sets that are not pictures: bits of seed 1, whose samples are whose, and that classes can be told apart,
// but not too easily.
#include "runtime/data/embedded.hpp"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/data/loaders.hpp"
#include "tests/runtime/data/data_files.hpp"

namespace splitsim {
namespace {

using namespace test;

struct Known {
  const char* name;
  SampleKind kind;
  std::int32_t channels, width, classes, vocabulary;
  const char* sha256;  ///< of the features of seed 1: a change of it changes every result on them
};
const std::vector<Known> kKnown = {
    {"gestures", SampleKind::kWindows, 6, 128, 6, 0, "f29678e18955f118d2e67c7e98d4ed104d871bbfb2bf764caeea72a950aa2800"},
    {"assays", SampleKind::kRows, 24, 1, 5, 0, "20a2fab59af2132d02708a327b7470a00983868deb0a4be792aedb273de97a3d"},
    {"phrases", SampleKind::kTokens, 1, 32, 4, 500, "6048c6bc8b5249b461e8c01a9e3c20b55e7a5527c9cd019b056ab62378a5184a"},
};

TEST(Embedded, KnownBitsShapesAndClients) {
  for (const Known& known : kKnown) {
    SCOPED_TRACE(known.name);
    const Dataset set = load(known.name, "");
    EXPECT_EQ(set.kind, known.kind);
    EXPECT_EQ(set.type, FeatureType::kFloat32);
    EXPECT_EQ((std::vector{set.channels, set.height, set.width, set.classes, set.vocabulary}),
              (std::vector{known.channels, 1, known.width, known.classes, known.vocabulary}));
    EXPECT_EQ(set.train_size(), 8000);
    EXPECT_EQ(set.test_size(), 2000);
    EXPECT_EQ(set.features_sha256(), known.sha256);
    EXPECT_EQ(set.natural_clients, 32);
    std::vector<std::int64_t> held(32), of_class(static_cast<std::size_t>(set.classes));
    for (const std::int32_t k : set.train_clients) ++held[static_cast<std::size_t>(k)];
    EXPECT_EQ(held, std::vector<std::int64_t>(32, 250));
    for (const std::int32_t label : set.train_labels) ++of_class[static_cast<std::size_t>(label)];
    for (const std::int64_t count : of_class) EXPECT_NEAR(count, 8000 / set.classes, 0.15 * 8000 / set.classes);
    const float* values = floats_of(set.train_features);
    EXPECT_TRUE(std::all_of(values, values + 8000 * set.sample_size(), [](float v) { return std::isfinite(v); }));
    EXPECT_NE(load(known.name, "", 2).features_sha256(), known.sha256);
  }
}

TEST(Embedded, AnyThreadsDrawTheSame) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(3);
  for (const Known& known : kKnown) EXPECT_EQ(load(known.name, "").features_sha256(), known.sha256) << known.name;
  omp_set_num_threads(before);
}

/// Share of the test rows whose class has the nearest of its samples' mean.
double right_by_centre(const Dataset& set) {
  const auto size = static_cast<std::size_t>(set.sample_size()), classes = static_cast<std::size_t>(set.classes);
  std::vector<double> centre(classes * size), count(classes);
  const float* train = floats_of(set.train_features);
  for (std::size_t i = 0; i < set.train_labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(set.train_labels[i]);
    count[label] += 1.0;
    for (std::size_t j = 0; j < size; ++j) centre[label * size + j] += train[i * size + j];
  }
  int right = 0;
  const float* test = floats_of(set.test_features);
  for (std::size_t i = 0; i < set.test_labels.size(); ++i) {
    std::vector<double> distance(classes);
    for (std::size_t c = 0; c < classes; ++c) {
      for (std::size_t j = 0; j < size; ++j) {
        const double off = centre[c * size + j] / count[c] - static_cast<double>(test[i * size + j]);
        distance[c] += off * off;
      }
    }
    const auto nearest = std::min_element(distance.begin(), distance.end()) - distance.begin();
    right += nearest == set.test_labels[i];
  }
  return right / static_cast<double>(set.test_labels.size());
}

/// Share of the test sentences that counting words gets right.
double right_by_counts(const Dataset& set) {
  const auto words = static_cast<std::size_t>(set.vocabulary), classes = static_cast<std::size_t>(set.classes),
             length = static_cast<std::size_t>(set.width);
  std::vector<double> count(classes * words, 1.0), total(classes, static_cast<double>(words));
  const float* train = floats_of(set.train_features);
  for (std::size_t i = 0; i < set.train_labels.size() * length; ++i) {
    const auto label = static_cast<std::size_t>(set.train_labels[i / length]);
    count[label * words + static_cast<std::size_t>(train[i])] += 1.0;
    total[label] += 1.0;
  }
  int right = 0;
  const float* test = floats_of(set.test_features);
  for (std::size_t i = 0; i < set.test_labels.size(); ++i) {
    std::vector<double> score(classes);
    for (std::size_t c = 0; c < classes; ++c) {
      for (std::size_t j = 0; j < length; ++j) {
        score[c] += std::log(count[c * words + static_cast<std::size_t>(test[i * length + j])] / total[c]);
      }
    }
    right += std::max_element(score.begin(), score.end()) - score.begin() == set.test_labels[i];
  }
  return right / static_cast<double>(set.test_labels.size());
}

TEST(Embedded, ClassesCanBeToldApartButNotTooEasily) {
  const double gestures = right_by_centre(load("gestures", "")), assays = right_by_centre(load("assays", "")),
               phrases = right_by_counts(load("phrases", ""));
  EXPECT_TRUE(gestures > 0.4 && gestures < 0.8) << gestures;
  EXPECT_TRUE(assays > 0.4 && assays < 0.8) << assays;
  EXPECT_TRUE(phrases > 0.8 && phrases < 0.97) << phrases;
}

TEST(Embedded, ClientsHaveFavouriteClasses) {
  const Dataset set = load("gestures", "");
  std::vector<int> count(6);
  for (std::size_t i = 0; i < set.train_labels.size(); ++i) {
    if (set.train_clients[i] == 7) ++count[static_cast<std::size_t>(set.train_labels[i])];
  }
  std::sort(count.begin(), count.end());
  EXPECT_GE(count[4], 80);
  EXPECT_LE(count[3], 22);
}

}  // namespace
}  // namespace splitsim
