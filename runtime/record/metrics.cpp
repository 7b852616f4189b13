#include "runtime/record/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/error.hpp"

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
  metrics.recall.resize(c, std::numeric_limits<double>::quiet_NaN());
  if (total == 0) return metrics;
  double recalls = 0.0, f1s = 0.0;
  int with_labels = 0, with_any = 0;
  for (std::size_t i = 0; i < c; ++i) {
    const auto hits = static_cast<double>(confusion[i * c + i]);
    if (labels[i] > 0) {
      metrics.recall[i] = hits / static_cast<double>(labels[i]);
      recalls += metrics.recall[i];
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

WaitingShares waiting_shares(const std::vector<std::int64_t>& waiting_ns, const std::vector<std::int64_t>& active_ns) {
  double sum = 0.0, largest = 0.0;
  std::int64_t clients = 0;
  for (std::size_t k = 0; k < active_ns.size(); ++k) {
    if (active_ns[k] == 0) continue;
    const double share = static_cast<double>(waiting_ns[k]) / static_cast<double>(active_ns[k]);
    sum += share;
    largest = std::max(largest, share);
    ++clients;
  }
  if (clients == 0) return {};
  return {sum / static_cast<double>(clients), largest};
}

TestResult mean_of(const std::vector<TestResult>& tests) {
  TestResult mean;
  const double n = static_cast<double>(tests.size());
  for (const TestResult& test : tests) {
    mean.loss += test.loss / n;
    mean.metrics.accuracy += test.metrics.accuracy / n;
    mean.metrics.macro_accuracy += test.metrics.macro_accuracy / n;
    mean.metrics.macro_f1 += test.metrics.macro_f1 / n;
    mean.metrics.recall.resize(test.metrics.recall.size());
    for (std::size_t c = 0; c < test.metrics.recall.size(); ++c) mean.metrics.recall[c] += test.metrics.recall[c] / n;
    mean.confusion.resize(test.confusion.size());
    for (std::size_t i = 0; i < test.confusion.size(); ++i) mean.confusion[i] += test.confusion[i];
  }
  return mean;
}

std::optional<double> deciding_accuracy(const EpochRecord& epoch) {
  return epoch.validation.accuracy.has_value() ? epoch.validation.accuracy : epoch.test.accuracy;
}

std::vector<AccuracyPoint> accuracy_curve(const std::vector<EpochRecord>& epochs) {
  std::vector<AccuracyPoint> curve;
  for (const EpochRecord& epoch : epochs) {
    for (const StepEvaluation& step : epoch.step_evaluations) {
      curve.push_back({step.virtual_time_s, step.validation_accuracy.value_or(step.test_accuracy)});
    }
    if (const std::optional<double> accuracy = deciding_accuracy(epoch)) {
      curve.push_back({epoch.virtual_time_s, *accuracy});
    }
  }
  return curve;
}

std::optional<BestEpoch> best_epoch(const std::vector<EpochRecord>& epochs) {
  const EpochRecord* best = nullptr;
  for (const EpochRecord& epoch : epochs) {
    if (!deciding_accuracy(epoch).has_value()) continue;
    if (best == nullptr || *deciding_accuracy(epoch) > *deciding_accuracy(*best)) best = &epoch;
  }
  if (best == nullptr) return std::nullopt;
  return BestEpoch{best->epoch, best->test, best->validation};
}

TestFigures figures_of(const TestResult& result) {
  return {result.loss, result.metrics.accuracy, result.metrics.macro_accuracy, result.metrics.macro_f1};
}

std::optional<double> time_to_accuracy(const std::vector<AccuracyPoint>& curve, double target) {
  for (const AccuracyPoint& point : curve) {
    if (point.accuracy >= target) return point.virtual_time_s;
  }
  return std::nullopt;
}

}  // namespace splitsim
