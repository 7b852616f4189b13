// makespan: the optimum against all tables of shares, the tie rule, and whole epochs against a simulation.
#include "samplers/local/makespan.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "samplers/latency/delay_levels.hpp"
#include "samplers/registry.hpp"
#include "tests/contexts.hpp"
#include "tests/reference/allocation.hpp"
#include "tests/reference/populations.hpp"
#include "tests/samplers/population/partition_helpers.hpp"

namespace splitsim {
namespace {

using reference::Counts;

Counts counts_of(const Makespan& makespan, std::size_t clients) {
  Counts counts(clients, 0);
  for (const Share& share : makespan.shares) {
    EXPECT_GT(share.samples, 0);
    counts[share.client] = share.samples;
  }
  return counts;
}

TEST(LeastMakespan, SurplusComesFromTheHighestIdsThatFinishLast) {
  // By T = 4: 4, 2, 1 samples; by T = 3: 3, 1, 0.
  const ClientTimes times{{0, 0, 0}, {1, 2, 4}};
  const Counts plenty{100, 100, 100};
  EXPECT_EQ(counts_of(least_makespan(times, plenty, 7), 3), (Counts{4, 2, 1}));
  EXPECT_EQ(counts_of(least_makespan(times, plenty, 6), 3), (Counts{4, 2, 0}));
  EXPECT_EQ(counts_of(least_makespan(times, plenty, 5), 3), (Counts{4, 1, 0}));
  EXPECT_EQ(counts_of(least_makespan(times, plenty, 4), 3), (Counts{3, 1, 0}));
  EXPECT_EQ(least_makespan(times, plenty, 7).time_ns, 4);
  EXPECT_EQ(least_makespan(times, plenty, 4).time_ns, 3);
  // By 16: 4, 4 and 1 samples. Client 2 finishes at 14 and keeps its share.
  const ClientTimes mixed{{0, 0, 10}, {4, 4, 4}};
  EXPECT_EQ(counts_of(least_makespan(mixed, plenty, 9), 3), (Counts{4, 4, 1}));
  EXPECT_EQ(counts_of(least_makespan(mixed, plenty, 8), 3), (Counts{4, 3, 1}));
  EXPECT_EQ(least_makespan(mixed, plenty, 8).time_ns, 16);
  EXPECT_EQ(least_makespan(mixed, plenty, 7).time_ns, 14);
}

TEST(LeastMakespan, EqualsBruteForce) {
  const bool holds = rc::check("optimum and ties", [] {
    const auto clients = *rc::gen::inRange<std::size_t>(1, 5);
    ClientTimes times;
    Counts left;
    for (std::size_t k = 0; k < clients; ++k) {
      times.delay_ns.push_back(*rc::gen::inRange(0, 12));
      times.per_sample_ns.push_back(*rc::gen::inRange(1, 7));
      left.push_back(*rc::gen::inRange(0, 6));
    }
    const std::int64_t sum = std::accumulate(left.begin(), left.end(), std::int64_t{0});
    RC_PRE(sum > 0);
    const auto wanted = *rc::gen::inRange<std::int64_t>(1, sum + 1);
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    reference::for_each_table(
        left, wanted, [&](const Counts& counts) { least = std::min(least, reference::completion_ns(times, counts)); });
    const std::int64_t known = *rc::gen::inRange<std::int64_t>(0, least + 1);
    for (const std::int64_t at_least : {std::int64_t{0}, known, least}) {
      const Makespan found = least_makespan(times, left, wanted, at_least);
      RC_ASSERT(found.time_ns == least);
      RC_ASSERT(counts_of(found, clients) == reference::makespan_step(times, left, wanted));
      RC_ASSERT(reference::completion_ns(times, counts_of(found, clients)) == least);
    }
  });
  EXPECT_TRUE(holds);
}

TEST(LeastMakespan, LongTimes) {
  const ClientTimes times{{0, 0}, {kMaxStepNs / 2, kMaxStepNs / 4}};
  const Makespan found = least_makespan(times, {2, 4}, 6);
  EXPECT_EQ(found.time_ns, kMaxStepNs);
  EXPECT_EQ(counts_of(found, 2), (Counts{2, 4}));
}

TEST(ClientTimesOf, AddUpAndAreLimited) {
  const Population population = reference::population_of({3, 0, 40}, 2);
  Profile profile = reference::profile_of({100, 200, 300});
  profile.forward_ns = {1, 5, 0};
  profile.up_ns = {20, 5, 0};
  profile.down_ns = {300, 5, 0};
  profile.backward_ns = {4000, 5, 0};
  const ClientTimes times = client_times(population, profile, 10);
  EXPECT_EQ(times.delay_ns, (Counts{100, 200, 300}));
  EXPECT_EQ(times.per_sample_ns, (Counts{4321, 20, 1}));  // at least 1
  EXPECT_EQ(times.finish_ns(0, 2), 100 + 2 * 4321);

  profile.backward_ns = {kMaxProfileNs, kMaxProfileNs, kMaxProfileNs};
  profile.forward_ns = profile.up_ns = profile.down_ns = profile.backward_ns;
  EXPECT_EQ(client_times(population, profile, 10).per_sample_ns[2], 4 * kMaxProfileNs);  // 40 2^53 < 2^61
  const Population large = reference::population_of({3, 0, 70}, 2);
  EXPECT_NO_THROW(client_times(large, profile, 63));  // min(n, B) counts
  test::expect_input_error([&] { client_times(large, profile, 64); },
                           {"client 2", "64 samples", "2^61", "sampler.batch"});
}

template <class Context>
class MakespanTest : public test::OnContext<Context> {};
TYPED_TEST_SUITE(MakespanTest, test::Contexts);

TYPED_TEST(MakespanTest, EqualsSimulation) {
  const bool holds = rc::check("makespan equals a simulation", [&] {
    const Population population = *reference::any_population();
    Profile profile = reference::profile_of(std::vector<std::int64_t>(population.clients, 0));
    ClientTimes times;
    for (int k = 0; k < population.clients; ++k) {
      profile.delay_ns[k] = *rc::gen::inRange(0, 20);
      profile.forward_ns[k] = *rc::gen::inRange(1, 5);
      profile.backward_ns[k] = profile.up_ns[k] = profile.down_ns[k] = 0;
      times.delay_ns.push_back(profile.delay_ns[k]);
      times.per_sample_ns.push_back(profile.forward_ns[k]);
    }
    SamplerSettings settings;
    settings.kind = "makespan";
    settings.levels = 0;
    settings.batch = *rc::gen::inRange<std::int64_t>(1, population.samples() + 1);
    const DevicePopulation<TypeParam> device(this->ctx(), population);
    const auto sampler = make_sampler(this->ctx(), population, device, profile, settings);
    ScheduleBuffer<TypeParam> out(this->ctx(), sampler->bounds());
    for (const std::uint32_t epoch : {0u, 1u}) {
      sampler->build(8, epoch, out);
      const Schedule schedule = download(out);
      const Schedule expected = reference::allocated(
          population, settings.batch, 8, epoch,
          [&](const Counts& left, std::int64_t wanted) { return reference::makespan_step(times, left, wanted); });
      RC_ASSERT(schedule.sha256() == expected.sha256());
      RC_ASSERT(schedule.active_client == expected.active_client);
      RC_ASSERT(schedule.steps() == (population.samples() + settings.batch - 1) / settings.batch);
    }
  });
  EXPECT_TRUE(holds);
}

// Delays that all differ: hardly more than one client a step. In levels, everybody is dealt samples as if as slow as the
// slowest of its level, and clients of a level share steps.
TYPED_TEST(MakespanTest, LevelsBringClientsTogether) {
  const Population population = reference::population_of(std::vector<int>(60, 70), 5);
  std::vector<std::int64_t> delay;
  for (int k = 0; k < 60; ++k) delay.push_back(1'000'000'000 + 100'000'000 * std::int64_t{k * 37 % 60} * (k * 37 % 60));
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  const auto epoch = [&](const std::vector<std::int64_t>& delays, std::int64_t levels) {
    SamplerSettings settings;
    settings.kind = "makespan";
    settings.batch = 64;
    settings.levels = levels;
    const auto sampler = make_sampler(this->ctx(), population, device, reference::profile_of(delays), settings);
    ScheduleBuffer<TypeParam> out(this->ctx(), sampler->bounds());
    sampler->build(8, 0, out);
    return download(out);
  };
  const auto active = [](const Schedule& schedule) {
    return static_cast<double>(schedule.active_client.size()) / static_cast<double>(schedule.steps());
  };
  EXPECT_LT(active(epoch(delay, 0)), 2.0);
  EXPECT_LT(active(epoch(delay, 60)), 2.0);  // no two are of one level
  double before = 60.0;
  for (const std::int64_t levels : {2, 4, 8}) {
    const Schedule schedule = epoch(delay, levels);
    EXPECT_GT(active(schedule), 3.0) << levels;
    EXPECT_LT(active(schedule), before) << levels;
    before = active(schedule);
    const DelayLevels of = delay_levels(delay, population.sizes(), levels);
    std::vector<std::int64_t> raised;
    for (const std::int32_t level : of.level) raised.push_back(of.delay_ns[level]);
    EXPECT_EQ(schedule.sha256(), epoch(raised, 0).sha256()) << levels;
  }
}

}  // namespace
}  // namespace splitsim
