#include "samplers/population/population.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/hash.hpp"
#include "tests/contexts.hpp"
#include "tests/samplers/population/partition_helpers.hpp"

namespace splitsim {
namespace {

TEST(Population, GroupsByClient) {
  const Population p = make_population({2, 0, 2, 2, 0}, {1, 1, 0, 1, 0}, 4, 2);
  EXPECT_EQ(p.clients, 4);
  EXPECT_EQ(p.classes, 2);
  EXPECT_EQ(p.samples(), 5);
  EXPECT_EQ(p.by_client, (std::vector<std::int32_t>{1, 4, 0, 2, 3}));
  EXPECT_EQ(p.client_first, (std::vector<std::int64_t>{0, 2, 2, 5, 5}));
  EXPECT_EQ(p.histogram, (std::vector<std::int32_t>{1, 1, 0, 0, 1, 2, 0, 0}));
  EXPECT_EQ(p.class_total, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(p.size(0), 2);
  EXPECT_EQ(p.size(1), 0);
}

TEST(Population, NoSamplesAtAll) {
  const Population p = make_population({}, {}, 2, 3);
  EXPECT_EQ(p.samples(), 0);
  EXPECT_EQ(p.client_first, (std::vector<std::int64_t>{0, 0, 0}));
}

RC_GTEST_PROP(Population, EverySampleOnceAndCounted, ()) {
  const auto clients = *rc::gen::inRange<std::int32_t>(1, 20);
  const auto classes = *rc::gen::inRange<std::int32_t>(1, 8);
  const auto samples = *rc::gen::inRange<std::size_t>(0, 200);
  const auto owner = *rc::gen::container<std::vector<std::int32_t>>(samples, rc::gen::inRange(0, clients));
  const auto label = *rc::gen::container<std::vector<std::int32_t>>(samples, rc::gen::inRange(0, classes));
  const Population p = make_population(owner, label, clients, classes);
  RC_ASSERT(p.owner == owner);
  RC_ASSERT(p.label == label);
  std::vector<std::int32_t> by_client, histogram;
  std::vector<std::int64_t> total(classes, 0);
  for (std::int32_t k = 0; k < clients; ++k) {
    RC_ASSERT(p.client_first[k] == static_cast<std::int64_t>(by_client.size()));
    std::vector<std::int32_t> counts(classes, 0);
    for (std::size_t i = 0; i < samples; ++i) {
      if (owner[i] != k) continue;
      by_client.push_back(static_cast<std::int32_t>(i));
      ++counts[label[i]];
      ++total[label[i]];
    }
    histogram.insert(histogram.end(), counts.begin(), counts.end());
  }
  RC_ASSERT(p.client_first.back() == p.samples());
  RC_ASSERT(p.by_client == by_client);
  RC_ASSERT(p.histogram == histogram);
  RC_ASSERT(p.class_total == total);
}

TEST(Population, FingerprintCoversCountsOwnersAndLabels) {
  const std::string base = make_population({0, 1}, {0, 1}, 2, 2).sha256();
  EXPECT_NE(base, make_population({0, 1}, {0, 1}, 3, 2).sha256());
  EXPECT_NE(base, make_population({0, 1}, {0, 1}, 2, 3).sha256());
  EXPECT_NE(base, make_population({1, 0}, {0, 1}, 2, 2).sha256());
  EXPECT_NE(base, make_population({0, 1}, {1, 0}, 2, 2).sha256());
  Sha256 by_hand;
  by_hand.add(std::vector<std::int32_t>{2, 2, 0, 1, 0, 1});
  EXPECT_EQ(base, by_hand.hex());
}

TEST(Population, BadInputNamesTheSample) {
  using test::expect_input_error;
  expect_input_error([] { make_population({0, 1}, {0}, 2, 1); }, {"2 owners", "1 labels"});
  expect_input_error([] { make_population({0, 0, 2}, {0, 0, 0}, 2, 1); }, {"sample 2", "owner 2", "0 to 1"});
  expect_input_error([] { make_population({0, -1}, {0, 0}, 2, 1); }, {"sample 1", "owner -1", "0 to 1"});
  expect_input_error([] { make_population({0, 0}, {0, 3}, 2, 3); }, {"sample 1", "label 3", "0 to 2"});
  expect_input_error([] { make_population({0, 0}, {-7, 0}, 2, 3); }, {"sample 0", "label -7", "0 to 2"});
  expect_input_error([] { make_population({}, {}, 0, 3); }, {"0 clients"});
  expect_input_error([] { make_population({}, {}, 1, 0); }, {"0 classes"});
}

template <class Context>
class DevicePopulationTest : public test::OnContext<Context> {};
TYPED_TEST_SUITE(DevicePopulationTest, test::Contexts);

TYPED_TEST(DevicePopulationTest, IsACopy) {
  const Population p = make_population({2, 0, 2, 2, 0}, {1, 1, 0, 1, 0}, 4, 2);
  const DevicePopulation<TypeParam> device(this->ctx(), p);
  EXPECT_EQ(device.clients, 4);
  EXPECT_EQ(device.classes, 2);
  EXPECT_EQ(device.samples, 5);
  EXPECT_EQ(device.owner.download(), p.owner);
  EXPECT_EQ(device.label.download(), p.label);
  EXPECT_EQ(device.by_client.download(), p.by_client);
  EXPECT_EQ(device.client_first.download(), p.client_first);
  EXPECT_EQ(device.class_total.download(), p.class_total);
}

}  // namespace
}  // namespace splitsim
