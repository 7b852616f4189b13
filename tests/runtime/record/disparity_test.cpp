// Personal accuracies, performance gap and forgetting: against values worked out by hand, and against test images that
// are weighted one by one.
#include "runtime/record/disparity.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

#include "runtime/record/metrics.hpp"
#include "tests/reference/populations.hpp"

namespace splitsim {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// rows: [K][C] samples of each class at each client.
Population population_with(const std::vector<std::vector<int>>& rows) {
  std::vector<std::int32_t> owner, label;
  for (std::size_t k = 0; k < rows.size(); ++k) {
    for (std::size_t c = 0; c < rows[k].size(); ++c) {
      owner.insert(owner.end(), static_cast<std::size_t>(rows[k][c]), static_cast<std::int32_t>(k));
      label.insert(label.end(), static_cast<std::size_t>(rows[k][c]), static_cast<std::int32_t>(c));
    }
  }
  return make_population(owner, label, static_cast<std::int32_t>(rows.size()),
                         static_cast<std::int32_t>(rows[0].size()));
}

EpochRecord tested(std::vector<double> recall) {
  EpochRecord record;
  record.test_recall = std::move(recall);
  return record;
}

// Labels: 4 of class 0, 2 right; 10 of class 1, all right; 5 of class 2, 1 right. The mean accuracy is 13/19.
const std::vector<std::int32_t> kConfusion = {2, 1, 1, 0, 10, 0, 4, 0, 1};

TEST(PersonalAccuracy, ByHand) {
  const std::vector<double> recall = classification_metrics(kConfusion, 3).recall;
  const Population population = population_with({{1, 0, 3}, {0, 7, 0}, {0, 0, 0}, {2, 2, 4}});
  EXPECT_DOUBLE_EQ(personal_accuracy(recall, population, 0).value(), 0.25 * 0.5 + 0.75 * 0.2);
  EXPECT_EQ(personal_accuracy(recall, population, 1), 1.0);
  EXPECT_EQ(personal_accuracy(recall, population, 2), std::nullopt) << "it holds nothing";
  EXPECT_DOUBLE_EQ(personal_accuracy(recall, population, 3).value(), 0.25 * 0.5 + 0.25 * 1.0 + 0.5 * 0.2);
}

TEST(PersonalAccuracy, ClassesWithoutTestImagesAreLeftOutOfTheMix) {
  const Population population = population_with({{1, 5, 3}, {0, 9, 0}});
  const std::vector<double> recall = {0.5, kNan, 0.25};
  EXPECT_DOUBLE_EQ(personal_accuracy(recall, population, 0).value(), 0.25 * 0.5 + 0.75 * 0.25);
  EXPECT_EQ(personal_accuracy(recall, population, 1), std::nullopt);
  const PersonalMeans means = personal_means(personal_accuracies(recall, {}, population));
  EXPECT_EQ(means.mean, personal_accuracy(recall, population, 0)) << "of those that have one";
}

TEST(PersonalAccuracy, IsOfTheClientsOwnTestWhereThereIsOne) {
  const Population population = population_with({{1, 1}, {0, 0}, {1, 0}});
  using Accuracies = std::vector<std::optional<double>>;
  EXPECT_EQ(personal_accuracies({0.5, 1.0}, {}, population), (Accuracies{0.75, std::nullopt, 0.5}));
  const std::vector<ClientTest> own = {{3, 0, 0.5, 0.5, 0.125}, {3, 2, 0.5, 0.5, 0.25}};
  EXPECT_EQ(personal_accuracies({0.5, 1.0}, own, population), (Accuracies{0.125, std::nullopt, 0.25}));
  EXPECT_EQ(personal_accuracies({}, {}, population), Accuracies(3)) << "never tested";
}

// Accuracies of n clients are 1/n, 2/n, ..., 1 in some order: the lowest m have the mean (m + 1) / 2n.
TEST(PersonalAccuracy, TheWorstTenthIsRoundedUp) {
  for (const auto& [n, worst] : {std::pair(1, 1), {9, 1}, {10, 1}, {11, 2}, {20, 2}, {21, 3}}) {
    std::vector<std::optional<double>> accuracies;
    for (int k = 0; k < n; ++k) {
      accuracies.emplace_back(((k * 13 + 5) % n + 1) / static_cast<double>(n));
      accuracies.emplace_back();  // clients without samples do not count
    }
    const PersonalMeans means = personal_means(accuracies);
    EXPECT_DOUBLE_EQ(means.mean.value(), (n + 1) / (2.0 * n)) << n;
    EXPECT_DOUBLE_EQ(means.worst_tenth.value(), (worst + 1) / (2.0 * n)) << n;
  }
  EXPECT_EQ(personal_means({std::nullopt}).mean, std::nullopt);
  EXPECT_EQ(personal_means({}).worst_tenth, std::nullopt);
}

/// A test set's images: class and whether the prediction is right; at least one image in all.
struct Images {
  std::vector<int> label;
  std::vector<bool> right;
  std::vector<std::int32_t> confusion;  // [C, C]
  std::vector<int> of_class;            // [C]
};

Images any_images(int classes) {
  Images images;
  images.confusion.resize(static_cast<std::size_t>(classes * classes));
  images.of_class.resize(static_cast<std::size_t>(classes));
  const int count = *rc::gen::inRange(1, 80);
  for (int i = 0; i < count; ++i) {
    const int label = *rc::gen::inRange(0, classes), predicted = *rc::gen::inRange(0, classes);
    images.label.push_back(label);
    images.right.push_back(label == predicted);
    images.confusion[static_cast<std::size_t>(label * classes + predicted)] += 1;
    images.of_class[static_cast<std::size_t>(label)] += 1;
  }
  return images;
}

// The expectation over splits: an image of class c is drawn with probability n_kc / n_k by one of the class's images.
RC_GTEST_PROP(PersonalAccuracy, IsTheExpectationOverSplitsOfTheClientsMix, ()) {
  const Population population = *reference::any_population();
  const Images images = any_images(population.classes);
  const std::vector<double> recall = classification_metrics(images.confusion, population.classes).recall;
  for (std::int32_t k = 0; k < population.clients; ++k) {
    double expected = 0.0, mass = 0.0;
    for (std::size_t i = 0; i < images.label.size(); ++i) {
      double held = 0.0;
      for (std::int32_t s = 0; s < population.samples(); ++s) {
        held += population.owner[s] == k && population.label[s] == images.label[i] ? 1.0 : 0.0;
      }
      const double weight = held / images.of_class[static_cast<std::size_t>(images.label[i])];
      mass += weight;
      expected += images.right[i] ? weight : 0.0;
    }
    const std::optional<double> accuracy = personal_accuracy(recall, population, k);
    RC_ASSERT(accuracy.has_value() == (mass > 0.0));
    // Sums of at most 80 positive terms: relative errors below 160 roundings.
    if (accuracy.has_value()) RC_ASSERT(std::abs(*accuracy - expected / mass) <= 160 * 2.3e-16);
  }
}

// Where a client's mix is the test set's, its personal accuracy is the accuracy; so for a single client with such data,
// and for the mean over clients of any mixes that are equally large and together have the test set's mix.
RC_GTEST_PROP(PersonalAccuracy, OfTheTestSetsMixIsTheAccuracy, ()) {
  const int classes = *rc::gen::inRange(1, 7), factor = *rc::gen::inRange(1, 4);
  const Images images = any_images(classes);
  std::vector<int> mix = images.of_class;
  for (int& count : mix) count *= factor;
  const Population one = population_with({mix});
  const ClassificationMetrics metrics = classification_metrics(images.confusion, classes);
  RC_ASSERT(std::abs(personal_accuracy(metrics.recall, one, 0).value() - metrics.accuracy) <= 20 * 2.3e-16);

  std::vector<std::vector<int>> rows(2, std::vector<int>(static_cast<std::size_t>(classes)));
  for (std::size_t i = 0; i < images.label.size(); ++i) rows[i % 2][static_cast<std::size_t>(images.label[i])] += 1;
  if (images.label.size() % 2 == 1) return;  // not equally large
  const PersonalMeans means = personal_means(personal_accuracies(metrics.recall, {}, population_with(rows)));
  RC_ASSERT(std::abs(means.mean.value() - metrics.accuracy) <= 40 * 2.3e-16);
}

TEST(PerformanceGap, IsBetweenTheExtremeClasses) {
  EXPECT_EQ(performance_gap({0.5, 0.875, 0.25, 0.75}), 0.625);
  EXPECT_EQ(performance_gap({kNan, 0.875, kNan, 0.75}), 0.125);
  EXPECT_EQ(performance_gap({0.5}), 0.0);
  EXPECT_EQ(performance_gap({kNan, kNan}), std::nullopt);
  EXPECT_EQ(performance_gap({}), std::nullopt);
}

TEST(Forgetting, IsAgainstTheBestEarlierTestOfEveryClass) {
  std::vector<EpochRecord> earlier;
  EXPECT_EQ(forgetting(earlier, {0.5, 0.25}), 0.0);
  earlier.push_back(tested({0.5, 0.25}));
  earlier.push_back(tested({}));  // an epoch without a test
  EXPECT_EQ(forgetting(earlier, {0.25, 0.75}), ((0.5 - 0.25) + (0.25 - 0.75)) / 2);
  earlier.push_back(tested({0.25, 0.75}));
  EXPECT_EQ(forgetting(earlier, {0.25, 0.5}), ((0.5 - 0.25) + (0.75 - 0.5)) / 2) << "not against the last";
  EXPECT_EQ(forgetting(earlier, {1.0, 1.0}), -((1.0 - 0.5) + (1.0 - 0.75)) / 2) << "everything is better than ever";
  EXPECT_EQ(forgetting({tested({kNan, 0.75})}, {kNan, 0.25}), 0.5) << "over the classes that occur";
  EXPECT_EQ(forgetting({}, {kNan}), std::nullopt);
}

TEST(Disparity, OfAnEpochAndOfAnEpochWithoutATest) {
  const Population population = population_with({{1, 1}, {0, 1}});
  const std::vector<EpochRecord> earlier = {tested({1.0, 0.5})};
  EXPECT_EQ(disparity_of(tested({0.5, 0.75}), earlier, {}, population),
            (TestDisparity{(0.625 + 0.75) / 2, 0.625, 0.25, 0.125}));
  EXPECT_EQ(disparity_of(tested({0.5, 0.75}), earlier, {{1, 0, 0, 0, 0.5}, {1, 1, 0, 0, 0.25}}, population),
            (TestDisparity{0.375, 0.25, 0.25, 0.125}));
  EXPECT_EQ(disparity_of(EpochRecord(), earlier, {}, population), TestDisparity());
}

}  // namespace
}  // namespace splitsim
