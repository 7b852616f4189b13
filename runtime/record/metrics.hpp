// Figures of merit: pure functions of counts and records. Determinism: exact.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/record/records.hpp"

namespace splitsim {

/// All in 0..1; 0 for an empty confusion matrix.
struct ClassificationMetrics {
  double accuracy = 0.0;        ///< share of right predictions
  double macro_accuracy = 0.0;  ///< mean recall over the classes that occur as labels
  std::vector<double> recall;   ///< [classes], NaN for a class that does not occur as a label
  double macro_f1 = 0.0;  ///< mean F1 over the classes that occur as labels or predictions (as scikit-learn, 0 for 0/0)
};

/// confusion: [classes, classes], row = label, column = prediction, counts >= 0.
ClassificationMetrics classification_metrics(const std::vector<std::int32_t>& confusion, std::int32_t classes);
ClassificationMetrics classification_metrics(const std::vector<std::int64_t>& confusion, std::int32_t classes);

/// Waiting over active time of the clients that took part: mean and largest; absent if none did.
struct WaitingShares {
  std::optional<double> mean, max;
};
WaitingShares waiting_shares(const std::vector<std::int64_t>& waiting_ns, const std::vector<std::int64_t>& active_ns);

/// What a test gives.
struct TestResult {
  double loss = 0.0;
  ClassificationMetrics metrics;
  std::vector<std::int64_t> confusion;  ///< [classes, classes]
};
/// The mean of each figure and the sum of the confusion matrices: how the tests of several replicas are joined.
TestResult mean_of(const std::vector<TestResult>& tests);
TestFigures figures_of(const TestResult& result);

/// One evaluation: when, and how well.
struct AccuracyPoint {
  double virtual_time_s = 0.0;
  double accuracy = 0.0;
};

/// What decides whether an epoch is the best, or the last: of its validation where there is one, else of its test.
std::optional<double> deciding_accuracy(const EpochRecord& epoch);

/// The evaluations of a run, in its order: of the validation set where there is one.
std::vector<AccuracyPoint> accuracy_curve(const std::vector<EpochRecord>& epochs);

/// See BestEpoch; absent if no epoch ended with a test.
std::optional<BestEpoch> best_epoch(const std::vector<EpochRecord>& epochs);

/// Virtual time of the first evaluation with accuracy >= target. No interpolation between evaluations.
std::optional<double> time_to_accuracy(const std::vector<AccuracyPoint>& curve, double target);

}  // namespace splitsim
