// speed: shares against exact fractions, whole epochs against a simulation.
#include "samplers/local/speed.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "samplers/registry.hpp"
#include "tests/contexts.hpp"
#include "tests/reference/allocation.hpp"
#include "tests/reference/populations.hpp"

namespace splitsim {
namespace {

using reference::Counts;

Counts counts_of(const std::vector<Share>& shares, std::size_t clients) {
  Counts counts(clients, 0);
  for (const Share& share : shares) {
    EXPECT_GT(share.samples, 0);
    counts[share.client] = share.samples;
  }
  return counts;
}

Counts speed(const Counts& tau, const Counts& left, std::int64_t wanted) {
  return counts_of(speed_shares(tau, left, wanted), tau.size());
}

TEST(SpeedShares, LargestRemainderLowestIdsFirst) {
  const Counts plenty{100, 100, 100, 100};
  EXPECT_EQ(speed({1, 2, 4, 4}, plenty, 8), (Counts{4, 2, 1, 1}));
  EXPECT_EQ(speed({1, 2, 4, 4}, plenty, 7), (Counts{3, 2, 1, 1}));  // quotas 3.5, 1.75, .875, .875
  EXPECT_EQ(speed({1, 2, 4, 4}, plenty, 9), (Counts{5, 2, 1, 1}));  // 4.5, 2.25, 1.125 twice
  EXPECT_EQ(speed({5, 5, 5, 5}, plenty, 6), (Counts{2, 2, 1, 1}));  // equal remainders
  EXPECT_EQ(speed({9, 9, 9, 9}, plenty, 3), (Counts{1, 1, 1, 0}));
  EXPECT_EQ(speed({4, 4, 2, 1}, plenty, 1), (Counts{0, 0, 0, 1}));  // 1/8, 1/8, 1/4, 1/2
}

TEST(SpeedShares, ExcessIsDealtAgainByTheSameRule) {
  // Quotas 8, 4, 2, 2 of 16. Client 0 has 1: 7 more for the others, quotas 3.5, 1.75, 1.75.
  EXPECT_EQ(speed({1, 2, 4, 4}, {1, 100, 100, 100}, 16), (Counts{1, 7, 4, 4}));
  // Client 1 has 5, too: 2 of its 3 are one too many for it... and so on, until nothing is left over.
  EXPECT_EQ(speed({1, 2, 4, 4}, {1, 5, 100, 100}, 16), (Counts{1, 5, 5, 5}));
  EXPECT_EQ(speed({1, 2, 4, 4}, {0, 0, 3, 0}, 3), (Counts{0, 0, 3, 0}));
  EXPECT_EQ(speed({1, 2, 4, 4}, {2, 0, 3, 1}, 6), (Counts{2, 0, 3, 1}));
}

TEST(SpeedShares, EqualExactFractions) {
  const bool holds = rc::check("shares equal exact fractions", [] {
    // Powers of two: the weights are exact, so even equal remainders must fall alike.
    const int clients = *rc::gen::inRange(1, 12);
    Counts tau, left;
    for (int k = 0; k < clients; ++k) {
      tau.push_back(std::int64_t{3} << *rc::gen::inRange(0, 8));
      left.push_back(*rc::gen::inRange(0, 30));
    }
    const std::int64_t sum = std::accumulate(left.begin(), left.end(), std::int64_t{0});
    RC_PRE(sum > 0);
    const auto wanted = *rc::gen::inRange<std::int64_t>(1, sum + 1);
    RC_ASSERT(speed(tau, left, wanted) == reference::speed_step(tau, left, wanted));
  });
  EXPECT_TRUE(holds);
}

// Any times: within one sample of the quota where nobody is short of data; nobody gives more than it has.
TEST(SpeedShares, FollowAnyTimes) {
  const bool holds = rc::check("shares follow 1/tau", [] {
    const int clients = *rc::gen::inRange(1, 20);
    Counts tau, left(static_cast<std::size_t>(clients), 5000);
    for (int k = 0; k < clients; ++k) tau.push_back(*rc::gen::inRange<std::int64_t>(1, std::int64_t{1} << 40));
    const auto wanted = *rc::gen::inRange<std::int64_t>(1, 5001);
    double total = 0.0;
    for (const std::int64_t t : tau) total += 1.0 / static_cast<double>(t);
    const Counts shares = speed(tau, left, wanted);
    RC_ASSERT(std::accumulate(shares.begin(), shares.end(), std::int64_t{0}) == wanted);
    for (int k = 0; k < clients; ++k) {
      RC_ASSERT(std::abs(static_cast<double>(shares[k]) -
                         static_cast<double>(wanted) / static_cast<double>(tau[k]) / total) < 1.0 + 1e-6);
    }
    for (auto& l : left) l = *rc::gen::inRange<std::int64_t>(0, 10);
    const std::int64_t all = std::accumulate(left.begin(), left.end(), std::int64_t{0});
    if (all > 0) RC_ASSERT(speed(tau, left, all) == left);
  });
  EXPECT_TRUE(holds);
}

TEST(SpeedShares, ExtremeTimes) {
  const std::int64_t longest = std::int64_t{1} << 55;
  EXPECT_EQ(speed({longest, 1}, {10, 10}, 12), (Counts{2, 10}));
  EXPECT_EQ(speed({longest, longest}, {10, 10}, 5), (Counts{3, 2}));
  EXPECT_EQ(speed({longest, 1}, {std::numeric_limits<std::int32_t>::max(), 1}, 100), (Counts{99, 1}));
}

template <class Context>
class SpeedTest : public test::OnContext<Context> {};
TYPED_TEST_SUITE(SpeedTest, test::Contexts);

TYPED_TEST(SpeedTest, EqualsSimulation) {
  const bool holds = rc::check("speed equals a simulation", [&] {
    const Population population = *reference::any_population();
    Profile profile = reference::profile_of(std::vector<std::int64_t>(population.clients, 1000));
    Counts tau;
    for (int k = 0; k < population.clients; ++k) {
      const std::int64_t unit = std::int64_t{1} << *rc::gen::inRange(0, 5);
      profile.forward_ns[k] = unit;  // tau = 8 units
      profile.backward_ns[k] = 2 * unit;
      profile.up_ns[k] = 4 * unit;
      profile.down_ns[k] = unit;
      tau.push_back(8 * unit);
    }
    SamplerSettings settings;
    settings.kind = "speed";
    settings.batch = *rc::gen::inRange<std::int64_t>(1, population.samples() + 1);
    const DevicePopulation<TypeParam> device(this->ctx(), population);
    const auto sampler = make_sampler(this->ctx(), population, device, profile, settings);
    ScheduleBuffer<TypeParam> out(this->ctx(), sampler->bounds());
    for (const std::uint32_t epoch : {0u, 1u}) {
      sampler->build(8, epoch, out);
      const Schedule schedule = download(out);
      const Schedule expected = reference::allocated(
          population, settings.batch, 8, epoch,
          [&](const Counts& left, std::int64_t wanted) { return reference::speed_step(tau, left, wanted); });
      RC_ASSERT(schedule.sha256() == expected.sha256());
      RC_ASSERT(schedule.active_client == expected.active_client);
      RC_ASSERT(schedule.steps() == (population.samples() + settings.batch - 1) / settings.batch);
    }
  });
  EXPECT_TRUE(holds);
}

}  // namespace
}  // namespace splitsim
