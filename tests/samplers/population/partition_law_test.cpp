// The laws of the random partitions. Seeds are fixed; the false-alarm rates stated are those over seeds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "samplers/population/partition.hpp"
#include "tests/samplers/population/partition_helpers.hpp"

namespace splitsim {
namespace {

std::vector<std::int32_t> balanced_labels(std::int32_t classes, std::int64_t each) {
  std::vector<std::int32_t> labels(classes * each);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int32_t>(i % classes);
  return labels;
}
PartitionSettings settings_of(const std::string& kind, std::int32_t clients, double alpha) {
  PartitionSettings settings;
  settings.kind = kind;
  settings.clients = clients;
  settings.alpha = alpha;
  return settings;
}
double at(const Population& p, std::int32_t k, std::int32_t c) { return p.histogram[k * p.classes + c]; }

// Every (sample, client) pair is equally likely, and so is every pair of clients for a pair of samples: two chi-square
// tests (false alarm 1e-6 each).
TEST(PartitionLaw, IidIsAUniformPermutation) {
  const int seeds = 4000;
  const std::vector<std::int32_t> labels = balanced_labels(1, 12);
  std::vector<double> first(4, 0.0), pair(16, 0.0);
  for (int seed = 0; seed < seeds; ++seed) {
    const Population p = make_partition(labels, 1, settings_of("iid", 4, 1.0), seed);
    ++first[p.owner[0]];
    ++pair[p.owner[3] * 4 + p.owner[8]];
  }
  test::expect_chi_square(first, std::vector<double>(4, seeds / 4.0));
  std::vector<double> expected(16, seeds / 4.0 * 3.0 / 11.0);
  for (int k = 0; k < 4; ++k) expected[k * 5] = seeds / 4.0 * 2.0 / 11.0;
  test::expect_chi_square(pair, expected);
}

// p_c ~ Dir(alpha 1_K): every share has mean 1/K, and E sum_k p_k^2 = (alpha + 1)/(K alpha + 1). Cutting a class of n
// samples moves a share by less than 1/n. Means within the empirical Bernstein bound at 1e-6.
TEST(PartitionLaw, DirichletMeansAndVariances) {
  for (const double alpha : {0.05, 0.7, 3.0}) {
    for (const std::int32_t clients : {2, 5}) {
      const int classes = 4000, each = 100;
      std::vector<double> share, square;
      for (const std::uint64_t seed : {1, 2}) {
        const Population p =
            make_partition(balanced_labels(classes, each), classes, settings_of("dirichlet", clients, alpha), seed);
        for (int c = 0; c < classes; ++c) {
          double sum = 0.0;
          for (int k = 0; k < clients; ++k) sum += at(p, k, c) * at(p, k, c) / each / each;
          share.push_back(at(p, clients - 1, c) / each);
          square.push_back(sum);
        }
      }
      SCOPED_TRACE(::testing::Message() << "alpha " << alpha << " clients " << clients);
      EXPECT_NEAR(test::mean_of(share), 1.0 / clients, test::mean_bound(share, 1.0, 1e-6) + 1.0 / each);
      // |sum (p+d)^2 - sum p^2| <= 2 max|d| + sum d^2 with sum d = 0; rounding errors are nearly symmetric, this is the
      // worst.
      EXPECT_NEAR(test::mean_of(square), (alpha + 1.0) / (clients * alpha + 1.0),
                  test::mean_bound(square, 1.0, 1e-6) + 2.0 / each);
    }
  }
}

// Two clients: the share is Beta(alpha, alpha), uniform for 1 and the arcsine law for 1/2 (false alarm 1e-6 each).
// Rounding to whole samples moves the distribution function by less than that of two samples.
TEST(PartitionLaw, DirichletDistribution) {
  const int classes = 4000, each = 400;
  for (const double alpha : {1.0, 0.5}) {
    const Population p = make_partition(balanced_labels(classes, each), classes, settings_of("dirichlet", 2, alpha), 3);
    std::vector<double> share;
    for (int c = 0; c < classes; ++c) share.push_back(at(p, 0, c) / each);
    const auto cdf = [&](double x) { return alpha == 1.0 ? x : 2.0 / std::acos(-1.0) * std::asin(std::sqrt(x)); };
    test::expect_distribution(share, cdf, cdf(2.0 / each));
  }
}

// A client's mix is Dir(alpha 1_C) and its n samples are drawn from it: E sum_c (n_c/n)^2 = 1/n + (1 - 1/n)(alpha +
// 1)/(C alpha
// + 1), but for the places whose class had run out. With K clients a class's demand has relative standard deviation
// s = sqrt((C - 1)/(C alpha + 1)/K) about its supply, so about s/2 of the places are moved, each by at most 2/n in the
// sum.
TEST(PartitionLaw, ClientDirichletMixes) {
  const int classes = 5, clients = 4000, each = 20;
  for (const double alpha : {0.2, 0.7, 3.0}) {
    const Population p = make_partition(balanced_labels(classes, clients * each / classes), classes,
                                        settings_of("client_dirichlet", clients, alpha), 5);
    std::vector<double> square;
    for (int k = 0; k < clients; ++k) {
      double sum = 0.0;
      for (int c = 0; c < classes; ++c) sum += at(p, k, c) * at(p, k, c) / each / each;
      square.push_back(sum);
    }
    const double moved = 0.5 * std::sqrt((classes - 1.0) / (classes * alpha + 1.0) / clients);
    EXPECT_NEAR(test::mean_of(square), 1.0 / each + (1.0 - 1.0 / each) * (alpha + 1.0) / (classes * alpha + 1.0),
                test::mean_bound(square, 1.0, 1e-6) + 2.0 * moved)
        << "alpha " << alpha;
  }
}

// Clients of equal size are exchangeable, and so are classes of equal size: no client comes late to the classes that
// run out, no class is drawn with a bias. Differences of squared shares have mean 0 within six standard errors (2e-9).
TEST(PartitionLaw, ClientDirichletTreatsClientsAndClassesAlike) {
  const int classes = 5, clients = 25, each = 20, seeds = 2000;
  const std::vector<std::int32_t> labels = balanced_labels(classes, clients * each / classes);
  std::vector<double> by_client, by_class;
  for (int seed = 0; seed < seeds; ++seed) {
    const Population p = make_partition(labels, classes, settings_of("client_dirichlet", clients, 1.0), seed);
    const auto square = [&](int k, int c) { return std::pow(at(p, k, c) / each, 2); };
    double client_difference = 0.0, class_difference = 0.0;
    for (int c = 0; c < classes; ++c) client_difference += square(0, c) - square(clients - 1, c);
    for (int k = 0; k < clients; ++k) class_difference += (square(k, 0) - square(k, classes - 1)) / clients;
    by_client.push_back(client_difference);
    by_class.push_back(class_difference);
  }
  for (const std::vector<double>& difference : {by_client, by_class}) {
    double second = 0.0;
    for (const double d : difference) second += d * d / seeds;
    EXPECT_LT(std::fabs(test::mean_of(difference)), 6.0 * std::sqrt(second / seeds));
  }
}

// A mix that runs dry goes on uniformly over the classes left. Two clients of 201 places, classes of 2, 200 and 200
// samples, and every mix is all of one class (alpha = 1e-6). With chance 4/9 one client wants the class of 2 and the
// other does not: then the first takes half of what the other wants, and they end up with about 67 and 133 of it,
// within 45..85 for the smaller. In all other cases they share it evenly (100 +- 5), or one of them has it all.
// Binomial, six standard deviations and 3 % for the cases' tails.
TEST(PartitionLaw, ClientDirichletRunsDryUniformly) {
  std::vector<std::int32_t> labels(402, 1);
  std::fill(labels.begin() + 200, labels.begin() + 400, 2);
  labels[400] = labels[401] = 0;
  const int seeds = 400;
  int count = 0;
  for (int seed = 0; seed < seeds; ++seed) {
    const Population p = make_partition(labels, 3, settings_of("client_dirichlet", 2, 1e-6), seed);
    const double smaller = std::min(at(p, 0, 1), at(p, 1, 1));
    count += smaller >= 45 && smaller <= 85;
  }
  EXPECT_NEAR(count, seeds * 4.0 / 9.0, 6.0 * std::sqrt(seeds * 4.0 / 9.0 * 5.0 / 9.0) + 0.03 * seeds);
}

// Sizes are Dir(alpha 1_K), labels are iid: given its size, a client's count of a class is hypergeometric.
TEST(PartitionLaw, QuantitySizesAndLabels) {
  const int clients = 8, seeds = 3000, samples = 400;
  const double alpha = 0.5;
  const std::vector<std::int32_t> labels = balanced_labels(4, samples / 4);
  std::vector<double> square, score;
  for (int seed = 0; seed < seeds; ++seed) {
    const Population p = make_partition(labels, 4, settings_of("quantity", clients, alpha), seed);
    double sum = 0.0;
    for (int k = 0; k < clients; ++k) sum += std::pow(static_cast<double>(p.size(k)) / samples, 2);
    square.push_back(sum);
    const auto n = static_cast<double>(p.size(2));
    if (n < 1 || n == samples) continue;
    const double variance = n * 0.25 * 0.75 * (samples - n) / (samples - 1.0);
    score.push_back((at(p, 2, 1) - n * 0.25) / std::sqrt(variance));
  }
  EXPECT_NEAR(test::mean_of(square), (alpha + 1.0) / (clients * alpha + 1.0),
              test::mean_bound(square, 1.0, 1e-6) + 2.0 / samples);
  // Standardised scores: mean 0 and mean square 1, each within six standard errors (kurtosis below 6: 1e-8 or less).
  const auto n = static_cast<double>(score.size());
  double second = 0.0;
  for (const double z : score) second += z * z / n;
  EXPECT_NEAR(test::mean_of(score), 0.0, 6.0 / std::sqrt(n));
  EXPECT_NEAR(second, 1.0, 6.0 * std::sqrt(5.0 / n));
}

/// Which classes client k holds, as bits.
int held_classes(const Population& p, std::int32_t k) {
  int bits = 0;
  for (std::int32_t c = 0; c < p.classes; ++c) bits |= (at(p, k, c) > 0) << c;
  return bits;
}

// Balanced class choice: every assignment of K = 4 clients to one of C = 3 classes, by enumeration of the rule, given
// that every class has an owner (false alarm 1e-6). alpha = 50 and 60 samples leave no owner without a sample.
TEST(PartitionLaw, BalancedClassChoiceByEnumeration) {
  const int clients = 4, classes = 3, seeds = 20000;
  std::vector<double> expected(81, 0.0), observed(81, 0.0);
  double covered = 0.0;
  for (int code = 0; code < 81; ++code) {
    double probability = 1.0;
    int drawn[3] = {0, 0, 0};
    for (int k = 0, rest = code; k < clients; ++k, rest /= 3) {
      const int minimum = std::min({drawn[0], drawn[1], drawn[2]});
      double total = 0.0;
      for (const int d : drawn) total += std::exp(-3.0 * (d - minimum));
      probability *= std::exp(-3.0 * (drawn[rest % 3] - minimum)) / total;
      ++drawn[rest % 3];
    }
    if (std::min({drawn[0], drawn[1], drawn[2]}) == 0) continue;
    expected[code] = probability;
    covered += probability;
  }
  for (double& e : expected) e *= seeds / covered;
  const std::vector<std::int32_t> labels = balanced_labels(classes, 60);
  PartitionSettings settings = settings_of("extended_dirichlet", clients, 50.0);
  settings.classes_per_client = 1;
  for (int seed = 0; seed < seeds; ++seed) {
    const Population p = make_partition(labels, classes, settings, seed);
    int code = 0;
    for (int k = clients - 1; k >= 0; --k) code = 3 * code + (held_classes(p, k) == 4 ? 2 : held_classes(p, k) - 1);
    ++observed[code];
  }
  test::expect_chi_square(observed, expected);
}

// Two of three classes without replacement: the first client's pair is uniform, the second's is another one (else a
// class has no owner and all is drawn again), and both of those are equally likely (false alarm 1e-6).
TEST(PartitionLaw, BalancedChoiceWithoutReplacement) {
  const int seeds = 20000;
  PartitionSettings settings = settings_of("extended_dirichlet", 2, 50.0);
  settings.classes_per_client = 2;
  const std::vector<std::int32_t> labels = balanced_labels(3, 60);
  std::map<std::pair<int, int>, double> observed;
  for (int seed = 0; seed < seeds; ++seed) {
    const Population p = make_partition(labels, 3, settings, seed);
    ++observed[{held_classes(p, 0), held_classes(p, 1)}];
  }
  std::vector<double> counts, expected;
  for (const int first : {3, 5, 6}) {
    for (const int second : {3, 5, 6}) {
      if (first == second) continue;
      counts.push_back(observed[{first, second}]);
      expected.push_back(seeds / 6.0);
    }
  }
  test::expect_chi_square(counts, expected);
}

// Per class: Dir(alpha) over its m owners, then n independent draws: E sum_k (n_k/n)^2 = 1/n + (1 - 1/n)(alpha + 1)/(m
// alpha
// + 1). (An owner's chance of no sample, about (5/n)^3, is below 1e-8.) Empirical Bernstein bound at 1e-6.
TEST(PartitionLaw, ExtendedDirichletShares) {
  const int classes = 20, each = 4000, clients = 10;
  PartitionSettings settings = settings_of("extended_dirichlet", clients, 3.0);
  settings.classes_per_client = 8;
  const std::vector<std::int32_t> labels = balanced_labels(classes, each);
  std::vector<double> difference;
  for (int seed = 0; seed < 40; ++seed) {
    const Population p = make_partition(labels, classes, settings, seed);
    for (int c = 0; c < classes; ++c) {
      double square = 0.0, owners = 0.0;
      for (int k = 0; k < clients; ++k) {
        owners += at(p, k, c) > 0;
        square += std::pow(at(p, k, c) / each, 2);
      }
      difference.push_back(square - 1.0 / each - (1.0 - 1.0 / each) * 4.0 / (3.0 * owners + 1.0));
    }
  }
  EXPECT_NEAR(test::mean_of(difference), 0.0, test::mean_bound(difference, 1.0, 1e-6));
}

// Samples go to owners by independent draws: given the shares, two samples of a class are exchangeable, and the ids of
// an owner's samples are spread evenly. Mean id of client 0's share of the class: within six standard errors of the
// middle.
TEST(PartitionLaw, SamplesOfAClassAreExchangeable) {
  for (const char* kind :
       {"iid", "dirichlet", "client_dirichlet", "extended_dirichlet", "shards", "label_count", "quantity"}) {
    for (const ClassRule rule : {ClassRule::kBalanced, ClassRule::kOriginal}) {
      PartitionSettings settings = settings_of(kind, 6, 2.0);
      settings.rule = rule;
      settings.classes_per_client = 2;
      const int each = 3000;
      const Population p = make_partition(balanced_labels(3, each), 3, settings, 21);
      for (int k = 0; k < 6; ++k) {
        for (int c = 0; c < 3; ++c) {
          const double n = at(p, k, c);
          if (n < 30) continue;
          double mean = 0.0;
          for (int i = 0; i < each; ++i) mean += p.owner[i * 3 + c] == k ? (i + 0.5) / each / n : 0.0;
          EXPECT_NEAR(mean, 0.5, 6.0 * std::sqrt((1.0 / 12.0) / n * (1.0 - n / each) + 1e-9)) << kind << "/" << name_of(rule);
        }
      }
    }
  }
}

// Uniform class choice of rule = original: K = 3 clients, 2 of 3 classes each, given that every class has an owner, are
// 24 equally likely triples (false alarm 1e-6). The last class is so large that no client is full before it.
TEST(PartitionLaw, OriginalClassChoiceIsUniform) {
  std::vector<std::int32_t> labels(2000, 2);
  for (int i = 0; i < 120; ++i) labels[i] = i % 2;
  PartitionSettings settings = settings_of("extended_dirichlet", 3, 50.0);
  settings.rule = ClassRule::kOriginal;
  settings.classes_per_client = 2;
  std::map<std::vector<int>, double> observed;
  const int seeds = 4800;
  for (int seed = 0; seed < seeds; ++seed) {
    const Population p = make_partition(labels, 3, settings, seed);
    ++observed[{held_classes(p, 0), held_classes(p, 1), held_classes(p, 2)}];
  }
  ASSERT_EQ(observed.size(), 24u);
  std::vector<double> counts;
  for (const auto& [triple, count] : observed) counts.push_back(count);
  test::expect_chi_square(counts, std::vector<double>(24, seeds / 24.0));
}

// Shards are dealt at random: with one label per shard, P(a client's two shards have the same label) = (s - 1)/(C s -
// 1) for s shards of each of C labels. Each client's indicator has that mean; over seeds, empirical Bernstein at 1e-6.
TEST(PartitionLaw, ShardsAreDealtAtRandom) {
  const std::vector<std::int32_t> labels = balanced_labels(4, 20);  // 4 shards of 5 for each label
  std::vector<double> same;
  for (int seed = 0; seed < 4000; ++seed) {
    const Population p = make_partition(labels, 4, settings_of("shards", 8, 1.0), seed);
    const int held = held_classes(p, seed % 8);
    same.push_back((held & (held - 1)) == 0);
  }
  EXPECT_NEAR(test::mean_of(same), 3.0 / 15.0, test::mean_bound(same, 1.0, 1e-6));
}

// label_count deals labels without favour: the label of client 0 and the pair of clients 0 and 3 (C = 3, so that 3
// opens a new deck) are uniform.
TEST(PartitionLaw, LabelsAreDealtWithoutFavour) {
  PartitionSettings settings = settings_of("label_count", 6, 1.0);
  settings.labels_per_client = 1;
  const std::vector<std::int32_t> labels = balanced_labels(3, 4);
  std::vector<double> pair(9, 0.0);
  const int seeds = 6000;
  for (int seed = 0; seed < seeds; ++seed) {
    const Population p = make_partition(labels, 3, settings, seed);
    const auto label = [&](int k) { return held_classes(p, k) == 4 ? 2 : held_classes(p, k) - 1; };
    ++pair[label(0) * 3 + label(3)];
  }
  test::expect_chi_square(pair, std::vector<double>(9, seeds / 9.0));
}

// Steps per epoch of the local samplers, max_k ceil(n_k / b_k), over partitions of CIFAR-10's shape: B = K = 128,
// severe. The specification's independent simulation: fls 914 +- 102 within 715..1269, fpls 578 +- 7. The mean over 40
// seeds has standard errors 102/sqrt(40) and 7/sqrt(40); five of them, plus the rounding of the published figures:
// false alarm 6e-7 each.
TEST(PartitionLaw, StepsPerEpochOfTheLocalSamplers) {
  const std::vector<std::int32_t> labels = balanced_labels(10, 5000);
  const double batch = 128.0, samples = 50000.0;
  std::vector<double> fls, fpls;
  for (int seed = 1; seed <= 40; ++seed) {
    const Population p = make_partition(labels, 10, settings_of("extended_dirichlet", 128, 3.0), seed);
    double fls_steps = 0.0, fpls_steps = 0.0;
    for (std::int32_t k = 0; k < 128; ++k) {
      const auto n = static_cast<double>(p.size(k));
      fls_steps = std::max(fls_steps, n);  // b_k = 1
      fpls_steps = std::max(fpls_steps, std::ceil(n / std::max(1.0, std::nearbyint(batch * n / samples))));
    }
    fls.push_back(fls_steps);
    fpls.push_back(fpls_steps);
  }
  EXPECT_NEAR(test::mean_of(fls), 914.0, 5.0 * 102.0 / std::sqrt(40.0) + 0.5);
  EXPECT_NEAR(test::mean_of(fpls), 578.0, 5.0 * 7.0 / std::sqrt(40.0) + 0.5);
  // A single partition far outside the published range would be a different law (its tails are about exponential).
  EXPECT_GT(*std::min_element(fls.begin(), fls.end()), 600.0);
  EXPECT_LT(*std::max_element(fls.begin(), fls.end()), 1500.0);
  EXPECT_LE(*std::max_element(fpls.begin(), fpls.end()), 585.0);  // from 586 samples on b_k is 2 or more
}

}  // namespace
}  // namespace splitsim
