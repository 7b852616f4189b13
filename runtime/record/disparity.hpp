// What the mean accuracy of a test hides: how it is for each client, for the weakest class, and against earlier tests.
// Pure functions of recalls, class counts and records. All are differences or means of accuracies of 0..1. Determinism:
// exact.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/record/records.hpp"
#include "samplers/population/population.hpp"

namespace splitsim {

/// A client's accuracy on images with the class mix of its own training samples: sum_c n_kc recall_c / sum_c n_kc, over
/// the classes that the test set has. That is the expectation of the accuracy on a test split drawn by this mix (a
/// class, then one of its test images) itself: nothing is drawn, and there is no noise of a split. The mix is of the
/// labels that the client holds, noisy ones included. recall: [classes], NaN for a class without images. Absent where
/// the test set has none of the client's classes. Source: ours; personalised test splits are common in the field.
std::optional<double> personal_accuracy(const std::vector<double>& recall, const Population& population,
                                        std::int32_t client);

/// [K], of every client by its own test's figure where there are such tests (of one epoch, of every client that holds
/// samples), else by `recall`. Absent for clients without samples.
std::vector<std::optional<double>> personal_accuracies(const std::vector<double>& recall,
                                                       const std::vector<ClientTest>& own,
                                                       const Population& population);

/// Of those that are there, n of them: their mean, and the mean of the ceil(n / 10) lowest. Absent where none is.
struct PersonalMeans {
  std::optional<double> mean, worst_tenth;
};
PersonalMeans personal_means(const std::vector<std::optional<double>>& accuracies);

/// max_c recall_c - min_c recall_c over the classes that occur; absent if none does. Source: Hydra, arXiv 2511.09736.
std::optional<double> performance_gap(const std::vector<double>& recall);

/// Mean over the classes that occur of f_c = max_l recall_c(l) - recall_c, l: the earlier tests at epochs' ends. With
/// classes as tasks this is the forgetting of Chaudhry et al. (arXiv 1801.10112): negative where a class is better than
/// ever. 0 at the first test; absent if no class occurs. earlier: in any order, those without a test do not count.
std::optional<double> forgetting(const std::vector<EpochRecord>& earlier, const std::vector<double>& recall);

/// All of a record that has a test_recall; nothing of one that has none. own: as in personal_accuracies().
TestDisparity disparity_of(const EpochRecord& record, const std::vector<EpochRecord>& earlier,
                           const std::vector<ClientTest>& own, const Population& population);

}  // namespace splitsim
