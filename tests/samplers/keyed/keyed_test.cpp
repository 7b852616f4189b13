// The keyed family: against a naive sort, and against the laws it stands for.
#include "samplers/keyed/keyed.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "kernels/device/math.hpp"
#include "samplers/registry.hpp"
#include "tests/contexts.hpp"
#include "tests/reference/populations.hpp"
#include "tests/reference/sampling.hpp"
#include "tests/reference/statistics.hpp"

namespace splitsim {
namespace {

template <class Context>
class KeyedTest : public test::OnContext<Context> {
 protected:
  Schedule draw(const Population& population, const std::vector<double>& odds, const Chunks& chunks, std::uint64_t seed,
                std::uint32_t epoch, bool owners = true) {
    const DevicePopulation<Context> device(this->ctx(), population);
    const Buffer<double, Context> device_odds(this->ctx(), odds);
    KeyedSchedule<Context> sampler(this->ctx(), device, chunks, owners);
    ScheduleBuffer<Context> out(this->ctx(), sampler.bounds());
    sampler.build(device_odds.view(), seed, epoch, out);
    return download(out);
  }
};
TYPED_TEST_SUITE(KeyedTest, test::Contexts);

void expect_same(const Schedule& a, const Schedule& b) {
  EXPECT_EQ(a.sample, b.sample);
  EXPECT_EQ(a.client, b.client);
  EXPECT_EQ(a.step_first, b.step_first);
  EXPECT_EQ(a.active_first, b.active_first);
  EXPECT_EQ(a.active_client, b.active_client);
  EXPECT_EQ(a.active_slot, b.active_slot);
}

TYPED_TEST(KeyedTest, EqualsNaiveSort) {
  // Large enough for the partitioned sort, small and long steps, one batch, batches of one.
  const Population population = reference::population_of({9000, 0, 1, 12000, 500, 20000}, 7);
  const std::vector<double> odds{1.0, 3.0, 0.25, 2.5, 1e200, 1e-200};
  for (const std::int64_t batch : {1, 100, 128, 40000, 41501}) {
    for (const bool even : {true, false}) {
      const Chunks chunks{population.samples(), batch, even};
      expect_same(this->draw(population, {}, chunks, 3, 1), reference::keyed(population, {}, batch, even, 3, 1));
      expect_same(this->draw(population, odds, chunks, 3, 2), reference::keyed(population, odds, batch, even, 3, 2));
      expect_same(this->draw(population, {}, chunks, 3, 1, false),
                  reference::keyed(population, {}, batch, even, 3, 1, false));
    }
  }
}

TYPED_TEST(KeyedTest, OddsOneAreNoOdds) {
  const Population population = reference::population_of({100, 300, 0, 50}, 5);
  const Chunks chunks{450, 32, true};
  expect_same(this->draw(population, {1, 1, 1, 1}, chunks, 11, 5), this->draw(population, {}, chunks, 11, 5));
}

TYPED_TEST(KeyedTest, SeedsAndEpochsDiffer) {
  const Population population = reference::population_of({100, 300, 50}, 5);
  const Chunks chunks{450, 32, true};
  const Schedule schedule = this->draw(population, {}, chunks, 11, 5);
  EXPECT_NE(schedule.sample, this->draw(population, {}, chunks, 11, 6).sample);
  EXPECT_NE(schedule.sample, this->draw(population, {}, chunks, 12, 5).sample);
  EXPECT_NE(schedule.sample, this->draw(population, {}, chunks, 11 + (std::uint64_t{1} << 32), 5).sample);
}

// The law of the ugs counts, for the first and for a late step: multivariate hypergeometric. Every cell of every
// marginal by an exact binomial test; 2 * 4 * 17 cells at 1e-9 each: a false alarm with probability below 2e-7.
TYPED_TEST(KeyedTest, UgsCountsAreHypergeometric) {
  constexpr int kBatch = 16, kEpochs = 4000;
  const std::vector<int> sizes{30, 50, 20, 60};
  const Population population = reference::population_of(sizes, 2);
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  KeyedSchedule<TypeParam> sampler(this->ctx(), device, {160, kBatch, true});
  ScheduleBuffer<TypeParam> out(this->ctx(), sampler.bounds());
  std::vector<std::vector<std::vector<int>>> seen(2, {4, std::vector<int>(kBatch + 1)});  // [step][client][count]
  for (std::uint32_t epoch = 0; epoch < kEpochs; ++epoch) {
    sampler.build({}, 2024, epoch, out);
    const Schedule schedule = download(out);
    for (const int which : {0, 1}) {
      const int t = which == 0 ? 0 : 7;
      std::vector<int> count(4);
      for (int i = schedule.step_first[t]; i < schedule.step_first[t + 1]; ++i) count[schedule.client[i]] += 1;
      for (int k = 0; k < 4; ++k) seen[which][k][count[k]] += 1;
    }
  }
  for (const int which : {0, 1}) {
    for (int k = 0; k < 4; ++k) {
      double mean = 0.0, squares = 0.0, law_fourth = 0.0;
      const double r = sizes[k] / 160.0, law_mean = kBatch * r;
      const double law_variance = kBatch * r * (1 - r) * (160 - kBatch) / (160 - 1.0);
      for (int b = 0; b <= kBatch; ++b) {
        const double p = reference::hypergeometric(b, 160, sizes[k], kBatch);
        EXPECT_GT(reference::binomial_p_value(seen[which][k][b], kEpochs, p), 1e-9) << "client " << k << ", b = " << b;
        mean += double(b) * seen[which][k][b] / kEpochs;
        squares += (b - law_mean) * (b - law_mean) * seen[which][k][b] / kEpochs;
        law_fourth += std::pow(b - law_mean, 4) * p;
      }
      // Six standard errors: 2e-9 each.
      EXPECT_NEAR(mean, law_mean, 6 * std::sqrt(law_variance / kEpochs));
      EXPECT_NEAR(squares, law_variance, 6 * std::sqrt((law_fourth - law_variance * law_variance) / kEpochs));
      const double inactive =
          std::exp(reference::log_choose(160 - sizes[k], kBatch) - reference::log_choose(160, kBatch));
      EXPECT_GT(reference::binomial_p_value(seen[which][k][0], kEpochs, inactive), 1e-9);
    }
  }
}

// First and second step with odds: Wallenius' law by enumeration of all draws. Some hundred cells at 1e-9.
TYPED_TEST(KeyedTest, CountsWithOddsAreWallenius) {
  constexpr int kEpochs = 6000;
  const std::vector<int> sizes{6, 3, 5};
  const std::vector<double> odds{1.0, 6.0, 0.4};
  const Population population = reference::population_of(sizes, 2);
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  const Buffer<double, TypeParam> device_odds(this->ctx(), odds);
  KeyedSchedule<TypeParam> sampler(this->ctx(), device, {14, 4, false});
  ScheduleBuffer<TypeParam> out(this->ctx(), sampler.bounds());
  std::map<std::vector<int>, std::int64_t> first, both;
  for (std::uint32_t epoch = 0; epoch < kEpochs; ++epoch) {
    sampler.build(device_odds.view(), 77, epoch, out);
    const Schedule schedule = download(out);
    std::vector<int> count(3);
    for (int i = 0; i < 8; ++i) {
      count[schedule.client[i]] += 1;
      if (i == 3) first[count] += 1;
    }
    both[count] += 1;
  }
  for (const auto& [count, p] : reference::wallenius(sizes, odds, 4)) {
    EXPECT_GT(reference::binomial_p_value(first[count], kEpochs, p), 1e-9) << ::testing::PrintToString(count);
  }
  for (const auto& [count, p] : reference::wallenius(sizes, odds, 8)) {
    EXPECT_GT(reference::binomial_p_value(both[count], kEpochs, p), 1e-9) << ::testing::PrintToString(count);
  }
}

TEST(Chunks, CutLikeArraySplit) {
  for (std::int64_t n = 1; n < 60; ++n) {
    for (std::int64_t batch = 1; batch <= n; ++batch) {
      for (const bool even : {true, false}) {
        const Chunks chunks{n, batch, even};
        const auto sizes = reference::chunk_sizes(n, batch, even);
        ASSERT_EQ(chunks.steps(), static_cast<std::int64_t>(sizes.size()));
        std::int64_t first = 0;
        for (std::int64_t t = 0; t < chunks.steps(); ++t) {
          ASSERT_EQ(chunks.first(t), first);
          ASSERT_LE(sizes[t], batch);
          first += sizes[t];
        }
        ASSERT_EQ(chunks.first(chunks.steps()), n);
      }
    }
  }
}

TEST(ZScores, AreStandardised) {
  EXPECT_EQ(z_scores({5.0, 5.0, 5.0}), (std::vector<double>{0.0, 0.0, 0.0}));
  EXPECT_EQ(z_scores({7.0}), std::vector<double>{0.0});
  EXPECT_EQ(z_scores({1.0, 3.0}), (std::vector<double>{-1.0, 1.0}));
  const std::vector<double> z = z_scores({2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0});  // mean 5, deviation 2
  EXPECT_EQ(z, (std::vector<double>{-1.5, -0.5, -0.5, -0.5, 0.0, 0.0, 1.0, 2.0}));
}

TEST(DelayLogOdds, FollowTheSignal) {
  const Population population = reference::population_of({10, 30}, 2);
  Profile profile = reference::profile_of({1000, 3000});
  profile.forward_ns = {1000, 0};
  profile.backward_ns = {2000, 0};
  profile.up_ns = {500, 0};
  profile.down_ns = {500, 0};
  SamplerSettings settings;
  settings.batch = 4;
  settings.delta = 1.5;
  EXPECT_EQ(delay_log_odds(population, profile, settings), (std::vector<double>{-1.5, 1.5}));
  settings.delay_signal = DelaySignal::kTypicalStep;  // 1000 + 4 * 10/40 * 4000 = 5000 against 3000
  EXPECT_EQ(delay_log_odds(population, profile, settings), (std::vector<double>{1.5, -1.5}));
}

}  // namespace
}  // namespace splitsim
