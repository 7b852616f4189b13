// Classification metrics and time to accuracy against values worked out by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/record/metrics.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using Confusion = std::vector<std::int32_t>;

TEST(ClassificationMetrics, HandComputed) {
  // label 0: 5 right, 1 taken for 1; label 1: 2 taken for 0, 3 right, 1 taken for 2; no label 2; class 3 nowhere.
  const Confusion confusion = {5, 1, 0, 0,  //
                               2, 3, 1, 0,  //
                               0, 0, 0, 0,  //
                               0, 0, 0, 0};
  const ClassificationMetrics m = classification_metrics(confusion, 4);
  EXPECT_DOUBLE_EQ(m.accuracy, 8.0 / 12.0);
  EXPECT_DOUBLE_EQ(m.macro_accuracy, (5.0 / 6.0 + 3.0 / 6.0) / 2.0);
  // F1 = 2 tp / (labels + predictions): 10/13, 6/10, 0/1; class 3 does not count.
  EXPECT_DOUBLE_EQ(m.macro_f1, (10.0 / 13.0 + 6.0 / 10.0 + 0.0) / 3.0);
}

TEST(ClassificationMetrics, RowsAreLabels) {
  // Two labels of class 0, both taken for 1; eight of class 1, all right. The transpose has other recalls.
  const ClassificationMetrics m = classification_metrics(Confusion{0, 2, 0, 8}, 2);
  EXPECT_DOUBLE_EQ(m.accuracy, 0.8);
  EXPECT_DOUBLE_EQ(m.macro_accuracy, 0.5);
  EXPECT_DOUBLE_EQ(m.macro_f1, (0.0 + 16.0 / 18.0) / 2.0);
  EXPECT_DOUBLE_EQ(classification_metrics(Confusion{0, 0, 2, 8}, 2).macro_accuracy, 0.8);
}

TEST(ClassificationMetrics, PerfectEmptyAndLarge) {
  const ClassificationMetrics perfect = classification_metrics(Confusion{3, 0, 0, 0, 0, 0, 0, 0, 9}, 3);
  EXPECT_EQ(perfect.accuracy, 1.0);
  EXPECT_EQ(perfect.macro_accuracy, 1.0);
  EXPECT_EQ(perfect.macro_f1, 1.0);
  const ClassificationMetrics empty = classification_metrics(Confusion{0, 0, 0, 0}, 2);
  EXPECT_EQ(empty.accuracy, 0.0);
  EXPECT_EQ(empty.macro_accuracy, 0.0);
  EXPECT_EQ(empty.macro_f1, 0.0);
  const std::int32_t big = 2'000'000'000;  // sums beyond 32 bits
  EXPECT_DOUBLE_EQ(classification_metrics(Confusion{big, big, 0, big}, 2).accuracy, 2.0 / 3.0);
  const std::vector<std::int64_t> wide = {std::int64_t{1} << 40, 0, 0, std::int64_t{1} << 40};
  EXPECT_EQ(classification_metrics(wide, 2).macro_f1, 1.0);
  test::expect_input_error([] { classification_metrics(Confusion{1, 2, 3}, 2); }, "2 classes", "4 entries", "3");
}

// ---- tests of several replicas ----

const TestResult kOne{0.5, {0.75, 0.5, {1.0, 0.0}, 0.25}, {3, 0, 1, 0}};
const TestResult kTwo = {1.5, {0.25, 0.125, {0.25, 1.0}, 0.5}, {1, 2, 3, 4}};

TEST(TestResults, MeanOfFiguresAndSumOfMatrices) {
  const TestResult mean = mean_of({kOne, kTwo});
  EXPECT_EQ(mean.loss, 1.0);
  EXPECT_EQ(mean.metrics.accuracy, 0.5);
  EXPECT_EQ(mean.metrics.macro_accuracy, 0.3125);
  EXPECT_EQ(mean.metrics.macro_f1, 0.375);
  EXPECT_EQ(mean.metrics.recall, (std::vector<double>{0.625, 0.5}));
  EXPECT_EQ(mean.confusion, (std::vector<std::int64_t>{4, 2, 4, 4}));
  EXPECT_EQ(figures_of(mean_of({kTwo})), figures_of(kTwo));
}

TEST(TestResults, Figures) { EXPECT_EQ(figures_of(kOne), (TestFigures{0.5, 0.75, 0.5, 0.25})); }

// ---- over epochs ----

std::vector<EpochRecord> epochs_with(const std::vector<double>& accuracies) {
  std::vector<EpochRecord> epochs(accuracies.size());
  for (std::size_t e = 0; e < epochs.size(); ++e) {
    epochs[e].epoch = static_cast<std::int32_t>(e);
    epochs[e].virtual_time_s = static_cast<double>(e) + 1.0;
    epochs[e].test = {0.5, accuracies[e], 0.25, 0.125 * static_cast<double>(e)};
  }
  return epochs;
}

TEST(BestEpochOf, FirstOfEqualsByValidationWhereThereIsOne) {
  std::vector<EpochRecord> epochs = epochs_with({0.5, 0.75, 0.75, 0.625});
  const BestEpoch best = best_epoch(epochs).value();
  EXPECT_EQ(best, (BestEpoch{1, epochs[1].test, {}}));
  for (std::size_t e = 0; e < 4; ++e) epochs[e].validation = {1.0, 0.25 * static_cast<double>(e), 0.5, 0.0625};
  EXPECT_EQ(best_epoch(epochs).value(), (BestEpoch{3, epochs[3].test, epochs[3].validation}));
  EXPECT_EQ(best_epoch(std::vector<EpochRecord>(2)), std::nullopt) << "none was tested";
}

TEST(TimeToAccuracy, FirstEvaluationThatReachesTheTarget) {
  const std::vector<AccuracyPoint> curve = {{10.0, 0.5}, {20.0, 0.85}, {30.0, 0.8}, {40.0, 0.9}};
  EXPECT_EQ(time_to_accuracy(curve, 0.0), 10.0);
  EXPECT_EQ(time_to_accuracy(curve, 0.5), 10.0) << "reaching it is enough";
  EXPECT_EQ(time_to_accuracy(curve, 0.82), 20.0) << "the first time, though it falls back";
  EXPECT_EQ(time_to_accuracy(curve, 0.86), 40.0);
  EXPECT_EQ(time_to_accuracy(curve, 0.91), std::nullopt);
  EXPECT_EQ(time_to_accuracy({}, 0.1), std::nullopt);
}

TEST(TimeToAccuracy, CurveSkipsEpochsWithoutEvaluation) {
  std::vector<EpochRecord> epochs(3);
  for (int e = 0; e < 3; ++e) epochs[static_cast<std::size_t>(e)].virtual_time_s = e + 1.0;
  epochs[1].test.accuracy = 0.7;
  const std::vector<AccuracyPoint> curve = accuracy_curve(epochs);
  ASSERT_EQ(curve.size(), 1u);
  EXPECT_EQ(curve[0].virtual_time_s, 2.0);
  EXPECT_EQ(time_to_accuracy(curve, 0.7), 2.0);
}

TEST(TimeToAccuracy, CurveIsOfTheValidationSetWhereThereIsOne) {
  std::vector<EpochRecord> epochs = epochs_with({0.5, 0.75});
  epochs[1].validation.accuracy = 0.25;
  epochs[1].step_evaluations = {{1, 1.25, 0.5, 0.875, 0.5, 0.125}, {2, 1.5, 0.5, 0.625, std::nullopt, std::nullopt}};
  std::vector<double> times, accuracies;
  for (const AccuracyPoint& point : accuracy_curve(epochs)) {
    times.push_back(point.virtual_time_s);
    accuracies.push_back(point.accuracy);
  }
  EXPECT_EQ(times, (std::vector<double>{1.0, 1.25, 1.5, 2.0}));
  EXPECT_EQ(accuracies, (std::vector<double>{0.5, 0.125, 0.625, 0.25}));
}

}  // namespace
}  // namespace splitsim
