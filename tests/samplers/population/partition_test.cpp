// Exact properties of every partition, its errors and its text. The laws of the random ones: partition_law_test.cpp.
#include "samplers/population/partition.hpp"

#include <gtest/gtest.h>
#include <omp.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "base/npy.hpp"
#include "samplers/population/partition_rules.hpp"
#include "tests/samplers/population/partition_helpers.hpp"

namespace splitsim {
namespace {

using test::expect_input_error;
using test::ScratchFolder;

/// Every random kind, extended_dirichlet under both of its rules.
std::vector<PartitionSettings> random_kinds() {
  std::vector<PartitionSettings> list;
  for (const PartitionKind& kind : partition_kinds()) {
    if (kind.name == "file" || kind.name == "by_column") continue;
    PartitionSettings settings;
    settings.kind = kind.name;
    list.push_back(settings);
    if (kind.name != "extended_dirichlet") continue;
    settings.rule = ClassRule::kOriginal;
    list.push_back(settings);
  }
  return list;
}

std::vector<std::int32_t> balanced_labels(std::int32_t classes, std::int64_t each) {
  std::vector<std::int32_t> labels(classes * each);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int32_t>(i % classes);
  return labels;
}

std::vector<std::int64_t> sizes_of(const Population& p) {
  std::vector<std::int64_t> sizes(p.clients);
  for (std::int32_t k = 0; k < p.clients; ++k) sizes[k] = p.size(k);
  return sizes;
}
std::int32_t labels_held(const Population& p, std::int32_t k) {
  std::int32_t held = 0;
  for (std::int32_t c = 0; c < p.classes; ++c) held += p.histogram[k * p.classes + c] > 0;
  return held;
}

TEST(Partition, TheListIsThatOfTheSpecification) {
  std::vector<std::string> names;
  for (const PartitionKind& kind : partition_kinds()) names.push_back(kind.name);
  EXPECT_EQ(names, (std::vector<std::string>{"iid", "dirichlet", "client_dirichlet", "extended_dirichlet", "shards",
                                             "label_count", "quantity", "file", "by_column"}));
}

// Populations are values that keep their labels, whatever the settings: random sizes, skewed labels, missing classes,
// any alpha. A kind may refuse settings that cannot be met, with an InputError; nothing else may happen.
TEST(Partition, EverySampleHasOneOwnerForAnySettings) {
  rc::check("all kinds", [] {
    const auto classes = *rc::gen::inRange<std::int32_t>(1, 12);
    const auto samples = *rc::gen::inRange<std::size_t>(1, 400);
    const auto top = *rc::gen::inRange<std::int32_t>(1, classes + 1);
    const auto labels = *rc::gen::container<std::vector<std::int32_t>>(samples, rc::gen::inRange(0, top));
    PartitionSettings settings = *rc::gen::elementOf(random_kinds());
    settings.clients = *rc::gen::inRange<std::int32_t>(1, static_cast<std::int32_t>(samples) + 1);
    settings.alpha = *rc::gen::element(1e-300, 1e-6, 0.001, 0.01, 0.3, 1.0, 3.0, 1e6, 1e300);
    settings.classes_per_client = *rc::gen::inRange(1, 5);
    settings.labels_per_client = *rc::gen::inRange(1, 5);
    settings.shards_per_client = *rc::gen::inRange(1, 4);
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    try {
      const Population p = make_partition(labels, classes, settings, seed);
      RC_ASSERT(p.clients == settings.clients);
      RC_ASSERT(p.label == labels);
      RC_ASSERT(p.samples() == static_cast<std::int64_t>(samples));
      std::vector<std::int32_t> all = p.by_client;
      std::sort(all.begin(), all.end());
      for (std::size_t i = 0; i < samples; ++i) RC_ASSERT(all[i] == static_cast<std::int32_t>(i));
      RC_ASSERT(make_partition(labels, classes, settings, seed).sha256() == p.sha256());
      RC_TAG("made");
    } catch (const InputError& error) {
      RC_TAG("refused");
      const bool may_refuse =
          settings.kind == "extended_dirichlet" || settings.kind == "shards" || settings.kind == "label_count";
      RC_ASSERT(may_refuse);
    }
  });
}

TEST(Partition, SeedsDecide) {
  const std::vector<std::int32_t> labels = balanced_labels(10, 200);
  for (PartitionSettings settings : random_kinds()) {
    SCOPED_TRACE(settings.kind + "/" + name_of(settings.rule));
    settings.clients = 20;
    const std::string first = make_partition(labels, 10, settings, 7).sha256();
    EXPECT_EQ(first, make_partition(labels, 10, settings, 7).sha256());
    EXPECT_NE(first, make_partition(labels, 10, settings, 8).sha256());
    EXPECT_NE(first, make_partition(labels, 10, settings, 7 + (std::uint64_t{1} << 32)).sha256());
  }
}

TEST(Partition, BitsDoNotDependOnThreads) {
  const std::vector<std::int32_t> labels = balanced_labels(10, 12000);  // large enough for every parallel loop
  const int before = omp_get_max_threads();
  for (PartitionSettings settings : random_kinds()) {
    SCOPED_TRACE(settings.kind + "/" + name_of(settings.rule));
    settings.clients = 11000;
    omp_set_num_threads(1);
    const std::string one = make_partition(labels, 10, settings, 7).sha256();
    for (const int threads : {2, 7}) {
      omp_set_num_threads(threads);
      EXPECT_EQ(one, make_partition(labels, 10, settings, 7).sha256()) << threads << " threads";
    }
  }
  omp_set_num_threads(before);
}

// Part of every published result: these must never change.
TEST(Partition, BitsArePinned) {
  const std::vector<std::int32_t> labels = balanced_labels(10, 500);
  const std::vector<std::string> pins = {"11da52a3c1df3c0b", "9ab2772afc9c91f8", "5806b7adfbffd5cf",
                                         "c059768a160556f5", "f6703eaa38ccb5f1", "567b67dd0af33b30",
                                         "0bb58bda909257fd", "06bfa57ac4f084ca"};
  const std::vector<PartitionSettings> list = random_kinds();
  ASSERT_EQ(list.size(), pins.size());
  for (std::size_t i = 0; i < pins.size(); ++i) {
    PartitionSettings settings = list[i];
    settings.clients = 33;
    settings.alpha = 0.3;
    EXPECT_EQ(make_partition(labels, 10, settings, 1).sha256().substr(0, 16), pins[i])
        << settings.kind << "/" << name_of(settings.rule);
  }
}

TEST(Partition, EvenSizesDifferByAtMostOne) {
  const std::vector<std::int32_t> labels = balanced_labels(7, 149);  // 1043 samples
  for (const char* kind : {"iid", "client_dirichlet"}) {
    for (const std::int32_t clients : {1, 2, 7, 100, 1042, 1043}) {
      PartitionSettings settings;
      settings.kind = kind;
      settings.clients = clients;
      settings.alpha = 0.05;
      std::vector<std::int64_t> sizes = sizes_of(make_partition(labels, 7, settings, 3));
      const auto [low, high] = std::minmax_element(sizes.begin(), sizes.end());
      EXPECT_LE(*high - *low, 1) << kind << " " << clients;
      EXPECT_EQ(std::count(sizes.begin(), sizes.end(), *high), 1043 % clients == 0 ? clients : 1043 % clients);
    }
  }
}

RC_GTEST_PROP(LargestRemainder, SumsUpAndFavoursTheLargestRemainders, ()) {
  const auto total = *rc::gen::inRange<std::int64_t>(0, 5000);
  auto weights = *rc::gen::nonEmpty(rc::gen::container<std::vector<double>>(
      rc::gen::map(rc::gen::inRange(0, 1000), [](int w) { return static_cast<double>(w); })));
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  RC_PRE(sum > 0.0);
  for (double& w : weights) w /= sum;
  const std::vector<std::int64_t> sizes = largest_remainder(weights, total);
  RC_ASSERT(std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}) == total);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const double quota = weights[i] * static_cast<double>(total);
    RC_ASSERT(std::fabs(static_cast<double>(sizes[i]) - quota) < 1.0);
    for (std::size_t j = 0; j < sizes.size(); ++j) {
      // Who was rounded up has no smaller remainder than who was rounded down; on a tie it is the one before.
      const double other = weights[j] * static_cast<double>(total);
      const bool up = static_cast<double>(sizes[i]) > quota;
      const bool down = static_cast<double>(sizes[j]) < other;
      const double a = quota - std::floor(quota), b = other - std::floor(other);
      if (up && down) RC_ASSERT(a > b || (a == b && i < j));
    }
  }
}

TEST(LargestRemainder, ByHand) {
  EXPECT_EQ(largest_remainder({0.5, 0.25, 0.25}, 5), (std::vector<std::int64_t>{3, 1, 1}));
  EXPECT_EQ(largest_remainder({0.25, 0.25, 0.25, 0.25}, 6), (std::vector<std::int64_t>{2, 2, 1, 1}));
  EXPECT_EQ(largest_remainder({0.1, 0.2, 0.7}, 4), (std::vector<std::int64_t>{0, 1, 3}));
  EXPECT_EQ(largest_remainder({1.0}, 10000000), (std::vector<std::int64_t>{10000000}));
  EXPECT_EQ(largest_remainder({0.0, 1.0, 0.0}, 3), (std::vector<std::int64_t>{0, 3, 0}));
}

TEST(Partition, TinyAlphaLeavesEmptyClientsAndNoNan) {
  const std::vector<std::int32_t> labels = balanced_labels(10, 100);
  for (const char* kind : {"dirichlet", "quantity", "extended_dirichlet"}) {
    PartitionSettings settings;
    settings.kind = kind;
    settings.clients = 50;
    settings.alpha = 0.001;
    const Population p = make_partition(labels, 10, settings, 11);
    const std::vector<std::int64_t> sizes = sizes_of(p);
    EXPECT_GE(std::count(sizes.begin(), sizes.end(), 0), 30) << kind;  // nearly every class goes to a single client
    EXPECT_EQ(p.by_client.size(), labels.size());
  }
}

TEST(Partition, ClientDirichletRunsDryGracefully) {
  // With alpha = 0.001 every client wants one class, and 30 clients share 3 classes: some of them must take what is
  // left.
  PartitionSettings settings;
  settings.kind = "client_dirichlet";
  settings.clients = 30;
  settings.alpha = 0.001;
  const Population p = make_partition(balanced_labels(3, 100), 3, settings, 2);
  int pure = 0;
  for (std::int32_t k = 0; k < 30; ++k) {
    EXPECT_EQ(p.size(k), 10);
    pure += labels_held(p, k) == 1;
  }
  EXPECT_GE(pure, 15);
}

TEST(Partition, ExtendedDirichletGivesEveryClientItsClasses) {
  // 20000 samples a class and alpha = 50: no owner's share is so small that it could stay without a sample.
  const std::vector<std::int32_t> labels = balanced_labels(10, 20000);
  for (const std::int32_t each : {1, 2, 5, 10}) {
    PartitionSettings settings;
    settings.clients = 20;
    settings.classes_per_client = each;
    settings.alpha = 50.0;
    const Population p = make_partition(labels, 10, settings, 5);
    for (std::int32_t k = 0; k < 20; ++k) EXPECT_EQ(labels_held(p, k), each) << "client " << k;
    for (std::int32_t c = 0; c < 10; ++c) {
      int owners = 0;
      for (std::int32_t k = 0; k < 20; ++k) owners += p.histogram[k * 10 + c] > 0;
      EXPECT_NEAR(owners, 2 * each, 1) << "class " << c;  // the rule is balanced
    }
    settings.rule = ClassRule::kOriginal;  // its mask may leave a client without some of its classes, never give it more
    if (each == 1) settings.clients = 100;
    const Population q = make_partition(labels, 10, settings, 5);
    for (std::int32_t k = 0; k < q.clients; ++k) EXPECT_LE(labels_held(q, k), each) << "client " << k;
  }
}

TEST(Partition, ClassesWithoutSamplesNeedNoOwner) {
  std::vector<std::int32_t> labels = balanced_labels(3, 1000);
  for (std::int32_t& label : labels) label = label * 4 + 1;  // 1, 5 and 9 of 12 classes
  for (const char* kind : {"extended_dirichlet", "label_count"}) {
    PartitionSettings settings;
    settings.kind = kind;
    settings.clients = 6;
    settings.classes_per_client = settings.labels_per_client = 2;
    settings.alpha = 50.0;
    const Population p = make_partition(labels, 12, settings, 5);
    for (std::int32_t k = 0; k < 6; ++k) EXPECT_EQ(labels_held(p, k), 2) << kind;
  }
}

TEST(Partition, OriginalRuleGivesFullClientsNothingMore) {
  // From the histogram alone: whoever receives of class c held less than N/K before it, or else all receivers held as
  // much. With K = N a single sample is exactly N/K.
  for (const auto& [classes, each, clients] : {std::array{10, 500, 128}, std::array{3, 10, 30}}) {
    PartitionSettings settings;
    settings.rule = ClassRule::kOriginal;
    settings.clients = clients;
    int full_and_passed_over = 0;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const Population p = make_partition(balanced_labels(classes, each), classes, settings, seed);
      std::vector<std::int64_t> held(clients, 0);
      for (std::int32_t c = 0; c < classes; ++c) {
        int full = 0, receivers = 0;
        for (std::int32_t k = 0; k < clients; ++k) {
          const bool is_full = held[k] * clients >= p.samples();
          const bool receives = p.histogram[k * classes + c] > 0;
          receivers += receives;
          full += receives && is_full;
          full_and_passed_over += is_full && !receives;
        }
        EXPECT_TRUE(full == 0 || full == receivers) << "class " << c << " seed " << seed;
        for (std::int32_t k = 0; k < clients; ++k) held[k] += p.histogram[k * classes + c];
      }
    }
    EXPECT_GT(full_and_passed_over, 0);
  }
}

TEST(Partition, ShardsAreRunsOfOneLabel) {
  // 60 shards of 20 samples; classes of 100, so that shards never straddle classes.
  PartitionSettings settings;
  settings.kind = "shards";
  settings.clients = 20;
  settings.shards_per_client = 3;
  const Population p = make_partition(balanced_labels(12, 100), 12, settings, 9);
  for (std::int32_t k = 0; k < 20; ++k) {
    EXPECT_EQ(p.size(k), 60);
    EXPECT_LE(labels_held(p, k), 3);
    for (std::int32_t c = 0; c < 12; ++c) EXPECT_EQ(p.histogram[k * 12 + c] % 20, 0);
  }
  settings.clients = 7;  // 21 shards of 57 or 58
  for (const std::int64_t size : sizes_of(make_partition(balanced_labels(12, 100), 12, settings, 9))) {
    EXPECT_GE(size, 3 * 57);
    EXPECT_LE(size, 3 * 58);
  }
}

RC_GTEST_PROP(Partition, LabelCountIsExactAndEven, ()) {
  const auto classes = *rc::gen::inRange<std::int32_t>(1, 12);
  const auto each = *rc::gen::inRange<std::int32_t>(1, classes + 1);
  PartitionSettings settings;
  settings.kind = "label_count";
  settings.labels_per_client = each;
  settings.clients = *rc::gen::inRange<std::int32_t>((classes + each - 1) / each, 40);
  const Population p =
      make_partition(balanced_labels(classes, 50), classes, settings, *rc::gen::arbitrary<std::uint64_t>());
  std::int32_t fewest = 1000, most = 0;
  for (std::int32_t k = 0; k < settings.clients; ++k) RC_ASSERT(labels_held(p, k) == each);
  for (std::int32_t c = 0; c < classes; ++c) {
    std::int32_t owners = 0, low = 1000, high = 0;
    for (std::int32_t k = 0; k < settings.clients; ++k) {
      const std::int32_t count = p.histogram[k * classes + c];
      if (count == 0) continue;
      ++owners;
      low = std::min(low, count);
      high = std::max(high, count);
    }
    RC_ASSERT(high - low <= 1);
    fewest = std::min(fewest, owners);
    most = std::max(most, owners);
  }
  RC_ASSERT(fewest >= 1);
  RC_ASSERT(most - fewest <= 1);
}

TEST(Partition, MinSamplesHoldsForEveryKind) {
  const std::vector<std::int32_t> labels = balanced_labels(10, 500);
  for (PartitionSettings settings : random_kinds()) {
    settings.clients = 25;
    settings.alpha = 1.0;
    settings.min_samples = 20;
    const std::vector<std::int64_t> sizes = sizes_of(make_partition(labels, 10, settings, 4));
    EXPECT_GE(*std::min_element(sizes.begin(), sizes.end()), 20) << settings.kind << "/" << name_of(settings.rule);
  }
  // 10 shards, five of 3 samples and five of 2: one of each for every client in 32 of 252 deals.
  PartitionSettings shards;
  shards.kind = "shards";
  shards.clients = 5;
  shards.min_samples = 5;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(sizes_of(make_partition(balanced_labels(5, 5), 5, shards, seed)), std::vector<std::int64_t>(5, 5));
  }
  // Not vacuous: without it, this seed falls short.
  PartitionSettings settings;
  settings.kind = "quantity";
  settings.clients = 25;
  settings.alpha = 1.0;
  const std::vector<std::int64_t> sizes = sizes_of(make_partition(labels, 10, settings, 4));
  EXPECT_LT(*std::min_element(sizes.begin(), sizes.end()), 20);
}

TEST(Partition, ByWhomSamplesComeFrom) {
  PartitionSettings settings;
  settings.kind = "by_column";
  settings.clients = 3;
  const std::vector<std::int32_t> labels{0, 1, 1, 0, 2}, natural{2, 0, 2, 2, 1};
  const Population p = make_partition(labels, 3, settings, 1, natural);
  EXPECT_EQ(p.owner, natural);
  EXPECT_EQ(p.sha256(), make_partition(labels, 3, settings, 2, natural).sha256()) << "nothing is drawn";
  settings.min_samples = 1;
  EXPECT_EQ(make_partition(labels, 3, settings, 1, natural).owner, natural);
  const auto refuses = [&](const std::vector<std::int32_t>& of, const std::vector<std::string>& parts) {
    expect_input_error([&] { make_partition(labels, 3, settings, 1, of); }, parts);
  };
  refuses({2, 0, 2, 2, 0}, {"partition.min_samples = 1", "client 1", "0 sample"});
  refuses({}, {"partition.kind = by_column", "do not say"});
  refuses({0, 1, 2}, {"partition.kind = by_column", "3 clients for 5 samples"});
  settings.clients = 2;
  refuses(natural, {"partition.clients = 2", "by_column", "3"});
}

TEST(Partition, FromAFile) {
  const ScratchFolder folder;
  PartitionSettings settings;
  settings.kind = "file";
  settings.file = folder.file("owners.npy");
  settings.clients = 4;
  write_npy<std::int32_t>(settings.file, {{5}, {3, 0, 3, 3, 0}});
  const std::vector<std::int32_t> labels{0, 1, 1, 0, 2};
  const Population p = make_partition(labels, 3, settings, 1);
  EXPECT_EQ(p.owner, (std::vector<std::int32_t>{3, 0, 3, 3, 0}));
  EXPECT_EQ(p.size(1), 0);  // empty clients are harmless
  EXPECT_EQ(p.sha256(), make_partition(labels, 3, settings, 2).sha256());

  const auto refuses = [&](const std::vector<std::string>& parts) {
    expect_input_error([&] { make_partition(labels, 3, settings, 1); }, parts);
  };
  settings.min_samples = 1;
  refuses({"partition.min_samples = 1", "client 1", settings.file, "0 sample"});
  settings.min_samples = 0;
  settings.clients = 3;
  refuses({"partition.file", settings.file, "entry 0 is 3", "0 to 2", "partition.clients = 3"});
  settings.clients = 4;
  write_npy<std::int32_t>(settings.file, {{5}, {3, 0, -1, 3, 0}});
  refuses({settings.file, "entry 2 is -1"});
  write_npy<std::int32_t>(settings.file, {{4}, {0, 0, 0, 0}});
  refuses({"partition.file", settings.file, "shape (4,)", "(5,)"});
  write_npy<std::int32_t>(settings.file, {{1, 5}, {0, 0, 0, 0, 0}});
  refuses({settings.file, "shape (1, 5)", "(5,) or (5, 1)"});
  write_npy<double>(settings.file, {{5}, {0, 0, 0, 0, 0}});
  refuses({settings.file, "'<f8'", "integers"});
  write_npy<std::int64_t>(settings.file, {{5}, {3, 0, 3, 3, std::int64_t{1} << 32}});
  refuses({settings.file, "entry 4 is 4294967296"});
  write_npy<std::int64_t>(settings.file, {{5}, {3, 0, 3, 3, 0}});
  EXPECT_EQ(make_partition(labels, 3, settings, 1).sha256(), p.sha256());
  write_npy<std::uint8_t>(settings.file, {{5, 1}, {3, 0, 3, 3, 0}});
  EXPECT_EQ(make_partition(labels, 3, settings, 1).sha256(), p.sha256());
  settings.file = folder.file("none.npy");
  refuses({settings.file, "cannot be read"});
  settings.file.clear();
  refuses({"partition.file is empty", "partition.kind = file"});
}

TEST(Partition, BadSettingsAreNamed) {
  const std::vector<std::int32_t> labels = balanced_labels(10, 10);
  const auto refuses = [&](const PartitionSettings& settings, const std::vector<std::string>& parts) {
    expect_input_error([&] { make_partition(labels, 10, settings, 1); }, parts);
  };
  PartitionSettings settings;
  settings.kind = "dirichlett";
  refuses(settings, {"partition.kind = dirichlett", "iid, dirichlet, client_dirichlet", "file"});

  for (const PartitionKind& kind : partition_kinds()) {
    PartitionSettings each;
    each.kind = kind.name;
    for (const std::int32_t clients : {101, 0, -5}) {
      each.clients = clients;
      refuses(each, {"partition.clients = " + std::to_string(clients), "1 to 100", "K <= N"});
    }
    each.clients = 10;
    each.min_samples = -1;
    refuses(each, {"partition.min_samples = -1", "0 to 10"});
    each.min_samples = 11;
    refuses(each, {"partition.min_samples = 11", "partition.clients = 10", "100 samples", "0 to 10"});
  }
  for (const char* kind : {"dirichlet", "client_dirichlet", "extended_dirichlet", "quantity"}) {
    for (const double alpha : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(), HUGE_VAL}) {
      PartitionSettings each;
      each.kind = kind;
      each.alpha = alpha;
      refuses(each, {"partition.alpha = ", "finite number > 0"});
    }
  }
  for (const ClassRule rule : {ClassRule::kBalanced, ClassRule::kOriginal}) {
    PartitionSettings each;
    each.rule = rule;
    each.classes_per_client = 0;
    refuses(each, {"partition.classes_per_client = 0", "1 to 10"});
    each.classes_per_client = 11;
    refuses(each, {"partition.classes_per_client = 11", "1 to 10"});
    each.classes_per_client = 3;
    each.clients = 3;
    refuses(each, {"partition.clients = 3", "partition.classes_per_client = 3", "at most 9 classes", "10"});
  }
  PartitionSettings shards;
  shards.kind = "shards";
  shards.clients = 40;
  shards.shards_per_client = 3;
  refuses(shards, {"partition.shards_per_client = 3", "partition.clients = 40", "100 samples", "1 to 2"});
  shards.shards_per_client = 0;
  refuses(shards, {"partition.shards_per_client = 0"});

  PartitionSettings count;
  count.kind = "label_count";
  count.labels_per_client = 11;
  refuses(count, {"partition.labels_per_client = 11", "1 to 10"});
  count.labels_per_client = 2;
  count.clients = 4;
  refuses(count, {"partition.clients = 4", "partition.labels_per_client = 2", "at most 8 classes", "10"});
  count.clients = 80;  // 16 owners a class, 10 samples a class
  refuses(count, {"partition.kind = label_count", "partition.clients = 80", "has 10 samples for 16 owners"});

  std::vector<std::int32_t> bad = labels;
  bad[7] = 10;
  expect_input_error([&] { make_partition(bad, 10, PartitionSettings{}, 1); }, {"sample 7", "label 10", "0 to 9"});
  bad[7] = -1;
  expect_input_error([&] { make_partition(bad, 10, PartitionSettings{}, 1); }, {"sample 7", "label -1", "0 to 9"});
  expect_input_error([&] { make_partition({}, 10, PartitionSettings{}, 1); }, {"partition.clients = 32", "1 to 0"});
}

TEST(Partition, WhatCannotBeDrawnIsSaidAfterBoundedAttempts) {
  const std::vector<std::int32_t> labels = balanced_labels(10, 10);
  PartitionSettings settings;
  settings.kind = "dirichlet";
  settings.alpha = 0.01;
  settings.clients = 50;
  settings.min_samples = 2;
  expect_input_error([&] { make_partition(labels, 10, settings, 1); },
                     {"partition.kind = dirichlet", "1000 draws", "partition.clients = 50", "partition.min_samples = 2",
                      "100 samples", "in the last one client"});
  // 20 clients with one class each and 20 classes: uniform choices cover all of them with probability 20!/20^20 = 2e-8.
  settings = {};
  settings.rule = ClassRule::kOriginal;
  settings.clients = 20;
  settings.classes_per_client = 1;
  expect_input_error([&] { make_partition(balanced_labels(20, 10), 20, settings, 1); },
                     {"partition.rule = original", "100000 uniform class choices", "partition.clients = 20",
                      "partition.classes_per_client = 1", "partition.rule = balanced"});
  settings.rule = ClassRule::kBalanced;  // never needs more than a redraw or two
  const Population p = make_partition(balanced_labels(20, 10), 20, settings, 1);
  for (std::int32_t k = 0; k < 20; ++k) EXPECT_EQ(p.size(k), 10);
}

TEST(HeatMap, ByHand) {
  const Population p =
      make_population({0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3}, {0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 0, 1}, 4, 3);
  const std::string legend =
      "' ' none, '.' <= 1/9, ':' <= 2/9, '-' <= 3/9, '=' <= 4/9, '+' <= 5/9, '*' <= 6/9, '#' <= 7/9, '%' <= 8/9, '@' "
      "<= "
      "9/9\n";
  EXPECT_EQ(heat_map(p), "4 of 4 clients x 3 classes; a cell is the class's share of the client's samples:\n" + legend +
                             "       0 |++ | 4\n"
                             "       1 |   | 0\n"
                             "       2 |. %| 9\n"
                             "       3 | @ | 1\n"
                             "  pooled |::*| 14\n");
  EXPECT_EQ(heat_map(p, 2), "2 of 4 clients x 3 classes; a cell is the class's share of the client's samples:\n" +
                                legend +
                                "       0 |++ | 4\n"
                                "       2 |. %| 9\n"
                                "  pooled |::*| 14\n");
  for (const int rows : {0, -3}) {
    const std::string text = heat_map(p, rows);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  }
}

}  // namespace
}  // namespace splitsim
