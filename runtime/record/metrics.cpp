#include "runtime/record/metrics.hpp"

#include <fmt/format.h>

#include "kernels/device/error.hpp"

namespace splitsim {
namespace {

template <class Count>
ClassificationMetrics metrics_of(const std::vector<Count>& confusion, std::int32_t classes) {
  const auto c = static_cast<std::size_t>(classes);
  if (classes < 0 || confusion.size() != c * c) {
    throw InputError(
        fmt::format("a confusion matrix of {} classes has {} entries, not {}", classes, c * c, confusion.size()));
  }
  std::vector<std::int64_t> labels(c), predictions(c);
  std::int64_t total = 0, right = 0;
  for (std::size_t i = 0; i < c; ++i) {
    for (std::size_t j = 0; j < c; ++j) {
      const std::int64_t count = confusion[i * c + j];
      labels[i] += count;
      predictions[j] += count;
      total += count;
    }
    right += confusion[i * c + i];
  }
  ClassificationMetrics metrics;
  if (total == 0) return metrics;
  double recalls = 0.0, f1s = 0.0;
  int with_labels = 0, with_any = 0;
  for (std::size_t i = 0; i < c; ++i) {
    const auto hits = static_cast<double>(confusion[i * c + i]);
    if (labels[i] > 0) {
      recalls += hits / static_cast<double>(labels[i]);
      ++with_labels;
    }
    if (labels[i] + predictions[i] > 0) {
      f1s += 2.0 * hits / static_cast<double>(labels[i] + predictions[i]);
      ++with_any;
    }
  }
  metrics.accuracy = static_cast<double>(right) / static_cast<double>(total);
  metrics.macro_accuracy = recalls / with_labels;
  metrics.macro_f1 = f1s / with_any;
  return metrics;
}

}  // namespace

ClassificationMetrics classification_metrics(const std::vector<std::int32_t>& confusion, std::int32_t classes) {
  return metrics_of(confusion, classes);
}
ClassificationMetrics classification_metrics(const std::vector<std::int64_t>& confusion, std::int32_t classes) {
  return metrics_of(confusion, classes);
}

TestFigures mean_of(const std::vector<TestFigures>& tests) {
  TestFigures mean;
  const double n = static_cast<double>(tests.size());
  for (const TestFigures& test : tests) {
    mean.loss += test.loss / n;
    mean.metrics.accuracy += test.metrics.accuracy / n;
    mean.metrics.macro_accuracy += test.metrics.macro_accuracy / n;
    mean.metrics.macro_f1 += test.metrics.macro_f1 / n;
  }
  return mean;
}

std::vector<AccuracyPoint> accuracy_curve(const std::vector<EpochRecord>& epochs) {
  std::vector<AccuracyPoint> curve;
  for (const EpochRecord& epoch : epochs) {
    for (const StepEvaluation& step : epoch.step_evaluations)
      curve.push_back({step.virtual_time_s, step.test_accuracy});
    if (epoch.test_accuracy.has_value()) curve.push_back({epoch.virtual_time_s, *epoch.test_accuracy});
  }
  return curve;
}

std::optional<double> time_to_accuracy(const std::vector<AccuracyPoint>& curve, double target) {
  for (const AccuracyPoint& point : curve) {
    if (point.accuracy >= target) return point.virtual_time_s;
  }
  return std::nullopt;
}

}  // namespace splitsim
