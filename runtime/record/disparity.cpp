#include "runtime/record/disparity.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace splitsim {

std::optional<double> personal_accuracy(const std::vector<double>& recall, const Population& population,
                                        std::int32_t client) {
  const std::size_t row = static_cast<std::size_t>(client) * recall.size();
  double right = 0.0;
  std::int64_t held = 0;
  for (std::size_t c = 0; c < recall.size(); ++c) {
    if (std::isnan(recall[c])) continue;
    const std::int32_t count = population.histogram[row + c];
    right += recall[c] * count;
    held += count;
  }
  if (held == 0) return std::nullopt;
  return right / static_cast<double>(held);
}

std::vector<std::optional<double>> personal_accuracies(const std::vector<double>& recall,
                                                       const std::vector<ClientTest>& own,
                                                       const Population& population) {
  std::vector<std::optional<double>> accuracies(static_cast<std::size_t>(population.clients));
  for (const ClientTest& test : own) accuracies[static_cast<std::size_t>(test.client)] = test.personal_accuracy;
  if (!own.empty() || recall.empty()) return accuracies;
  for (std::int32_t k = 0; k < population.clients; ++k) {
    accuracies[static_cast<std::size_t>(k)] = personal_accuracy(recall, population, k);
  }
  return accuracies;
}

PersonalMeans personal_means(const std::vector<std::optional<double>>& accuracies) {
  std::vector<double> known;
  for (const std::optional<double>& accuracy : accuracies) {
    if (accuracy.has_value()) known.push_back(*accuracy);
  }
  if (known.empty()) return {};
  const auto mean_of_first = [&known](std::size_t count) {
    const auto end = known.begin() + static_cast<std::ptrdiff_t>(count);
    return std::accumulate(known.begin(), end, 0.0) / static_cast<double>(count);
  };
  std::sort(known.begin(), known.end());
  return {mean_of_first(known.size()), mean_of_first((known.size() + 9) / 10)};
}

std::optional<double> performance_gap(const std::vector<double>& recall) {
  std::optional<double> least, most;
  for (const double r : recall) {
    if (std::isnan(r)) continue;
    least = std::min(r, least.value_or(r));
    most = std::max(r, most.value_or(r));
  }
  if (!least.has_value()) return std::nullopt;
  return *most - *least;
}

std::optional<double> forgetting(const std::vector<EpochRecord>& earlier, const std::vector<double>& recall) {
  double sum = 0.0;
  int classes = 0;
  for (std::size_t c = 0; c < recall.size(); ++c) {
    if (std::isnan(recall[c])) continue;
    std::optional<double> best;
    for (const EpochRecord& epoch : earlier) {
      if (!epoch.test_recall.empty()) best = std::max(epoch.test_recall[c], best.value_or(epoch.test_recall[c]));
    }
    sum += best.value_or(recall[c]) - recall[c];
    ++classes;
  }
  if (classes == 0) return std::nullopt;
  return sum / classes;
}

TestDisparity disparity_of(const EpochRecord& record, const std::vector<EpochRecord>& earlier,
                           const std::vector<ClientTest>& own, const Population& population) {
  if (record.test_recall.empty()) return {};
  const PersonalMeans personal = personal_means(personal_accuracies(record.test_recall, own, population));
  return {personal.mean, personal.worst_tenth, performance_gap(record.test_recall),
          forgetting(earlier, record.test_recall)};
}

}  // namespace splitsim
