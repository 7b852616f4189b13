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
struct TestFigures {
  double loss = 0.0;
  ClassificationMetrics metrics;
  std::vector<std::int64_t> confusion;  ///< [classes, classes]
};
/// The mean of each figure and the sum of the confusion matrices: how the tests of several replicas are joined.
TestFigures mean_of(const std::vector<TestFigures>& tests);

/// One evaluation: when, and how well.
struct AccuracyPoint {
  double virtual_time_s = 0.0;
  double accuracy = 0.0;
};

/// The evaluations of a run, in its order: of the validation set where there is one.
std::vector<AccuracyPoint> accuracy_curve(const std::vector<EpochRecord>& epochs);

/// See BestEpoch; absent if no epoch ended with a test.
std::optional<BestEpoch> best_epoch(const std::vector<EpochRecord>& epochs);

/// Puts a test's figures into the record of the epoch that it ends.
void set_test(EpochRecord& epoch, const TestFigures& figures);
void set_validation(EpochRecord& epoch, const TestFigures& figures);

/// Virtual time of the first evaluation with accuracy >= target. No interpolation between evaluations.
std::optional<double> time_to_accuracy(const std::vector<AccuracyPoint>& curve, double target);

}  // namespace splitsim
