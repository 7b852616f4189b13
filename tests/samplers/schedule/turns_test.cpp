// Turns: dealing loses nothing, keeps to the service order, and sees the same order as the clock.
#include "samplers/schedule/turns.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "runtime/clock/timeline.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/train/engine_rig.hpp"

namespace splitsim {
namespace {

using test::with_active_lists;

Schedule random_schedule() { return with_active_lists(test::random_input(9, 6, 30, 61).schedule); }

using Slots = std::map<std::pair<int, int>, std::vector<int>>;  // (step, client) -> samples in order

Slots slots_of(const DealtSchedule& dealt) {
  Slots slots;
  for (std::size_t m = 0; m < static_cast<std::size_t>(dealt.schedule.steps()); ++m) {
    for (int i = dealt.schedule.step_first[m]; i < dealt.schedule.step_first[m + 1]; ++i) {
      const auto at = static_cast<std::size_t>(i);
      slots[{dealt.parent_of(m), dealt.schedule.client[at]}].push_back(dealt.schedule.sample[at]);
    }
  }
  return slots;
}

// Every step has an end, those without samples too: rounds, records and traffic count steps.
TEST(MicroSteps, EmptyStepsHaveATurnOfNobody) {
  const Schedule full = random_schedule();
  const Schedule schedule = with_active_lists(test::with_empty_steps(full, {1, 0, 2, 0, 0, 0, 3}));
  ASSERT_EQ(schedule.steps(), full.steps() + 6);
  for (const ServiceOrder order : {ServiceOrder::kCyclic, ServiceOrder::kReverse, ServiceOrder::kRandom}) {
    const DealtSchedule turns = deal(schedule, {Turns::kByClient, order, 5}, 2);
    std::vector<int> ends(static_cast<std::size_t>(schedule.steps()));
    for (std::size_t m = 0; m < turns.parent.size(); ++m) {
      if (turns.ends_step(m)) ++ends[static_cast<std::size_t>(turns.parent_of(m))];
    }
    EXPECT_EQ(ends, std::vector<int>(ends.size(), 1));
    EXPECT_EQ(turns.schedule.steps(), static_cast<std::int64_t>(schedule.active_client.size()) + 6);
    const std::vector<std::int32_t> zeros(static_cast<std::size_t>(schedule.slots()), 0);
    const Population population = make_population(zeros, zeros, 9, 1);
    EXPECT_GE(dealt_bounds(bounds_of(schedule), population, {}).steps, turns.schedule.steps());
    const Schedule rebuilt = with_active_lists(turns.schedule);
    EXPECT_EQ(rebuilt.active_first, turns.schedule.active_first);
  }
}

TEST(MicroSteps, EveryTurnIsOneClientsSamplesInTheirOrder) {
  const Schedule schedule = random_schedule();
  const Slots expected = slots_of({schedule, {}});
  for (const ServiceOrder order : {ServiceOrder::kCyclic, ServiceOrder::kReverse, ServiceOrder::kRandom}) {
    const DealtSchedule dealt = deal(schedule, {Turns::kByClient, order, 5}, 2);
    EXPECT_EQ(slots_of(dealt), expected);
    ASSERT_EQ(dealt.schedule.steps(), static_cast<std::int64_t>(schedule.active_client.size()));
    ASSERT_EQ(dealt.parent.size(), schedule.active_client.size());
    EXPECT_TRUE(std::is_sorted(dealt.parent.begin(), dealt.parent.end()));
    for (std::size_t m = 0; m < dealt.parent.size(); ++m) {
      EXPECT_EQ(dealt.schedule.active_first[m + 1] - dealt.schedule.active_first[m], 1);
      EXPECT_EQ(dealt.schedule.active_slot[m], dealt.schedule.step_first[m]);
      if (m == 0 || dealt.parent[m] != dealt.parent[m - 1]) continue;
      const int before = dealt.schedule.active_client[m - 1], now = dealt.schedule.active_client[m];
      EXPECT_TRUE(order != ServiceOrder::kCyclic || before < now);
      EXPECT_TRUE(order != ServiceOrder::kReverse || before > now);
    }
    // Its active lists are those that the device would make.
    const Schedule rebuilt = with_active_lists(dealt.schedule);
    EXPECT_EQ(rebuilt.active_client, dealt.schedule.active_client);
    EXPECT_EQ(rebuilt.active_slot, dealt.schedule.active_slot);
    EXPECT_EQ(rebuilt.active_first, dealt.schedule.active_first);
  }
}

TEST(MicroSteps, RandomOrdersDifferByStepEpochAndSeed) {
  const Schedule schedule = random_schedule();
  const auto order = [&](std::uint64_t seed, std::uint32_t epoch) {
    return deal(schedule, {Turns::kByClient, ServiceOrder::kRandom, seed}, epoch).schedule.active_client;
  };
  EXPECT_EQ(order(1, 0), order(1, 0));
  EXPECT_NE(order(1, 0), order(2, 0));
  EXPECT_NE(order(1, 0), order(1, 1));
  EXPECT_NE(order(1, 0), deal(schedule, {Turns::kByClient, ServiceOrder::kCyclic, 1}, 0).schedule.active_client);
}

// Under the chain clock, with no compute and a server that takes 1 ns per step and none per sample, the client served
// at place i ends at max(delay of those before, its own) + ..: a delay that only the last one served has ends the step
// one server time after it, while the first one's is followed by all the others' server times. That tells the order.
TEST(MicroSteps, TheClockServesInTheSameOrder) {
  CpuContext ctx(1);
  const Schedule schedule = random_schedule();
  const DealtSchedule dealt = deal(schedule, {Turns::kByClient, ServiceOrder::kRandom, 5}, 3);
  ScheduleBuffer<CpuContext> buffer(ctx, bounds_of(schedule));
  upload(ctx, schedule, buffer);
  for (std::int32_t late = 0; late < 9; ++late) {
    Profile profile;
    profile.delay_ns.assign(9, 0);
    profile.delay_ns[static_cast<std::size_t>(late)] = 1000000;
    profile.forward_ns = profile.backward_ns = profile.up_ns = profile.down_ns = std::vector<std::int64_t>(9, 0);
    profile.model_up_ns = profile.model_down_ns = profile.forward_ns;
    profile.server_fixed_ns = 1;
    ClockMode mode;
    mode.kind = ClockKind::kChain;
    mode.service_order = ServiceOrder::kRandom;
    mode.service_seed = 5;
    Clock<CpuContext> clock(ctx, profile, LatencySettings{}, bounds_of(schedule), mode);
    const Timeline timeline = clock.build(buffer, 77, 3);  // other draws, the same turns
    for (std::int32_t t = 0; t < schedule.steps(); ++t) {
      std::int64_t behind = -1;  // clients served from the late one on, itself included
      std::int64_t turns = 0;
      for (std::size_t m = 0; m < dealt.parent.size(); ++m) {
        if (dealt.parent[m] != t) continue;
        ++turns;
        if (dealt.schedule.active_client[m] == late) behind = 0;
        if (behind >= 0) ++behind;
      }
      const std::int64_t duration =
          timeline.end_ns[static_cast<std::size_t>(t)] - timeline.start_ns[static_cast<std::size_t>(t)];
      EXPECT_EQ(duration, behind < 0 ? turns : 1000000 + behind) << "client " << late << " step " << t;
    }
  }
}

TEST(MicroSteps, BoundsHoldEveryDealing) {
  const Schedule schedule = random_schedule();
  Population population;
  population.clients = 9;
  population.client_first = {0};
  std::map<int, int> sizes;
  for (const int client : schedule.client) ++sizes[client];
  for (int k = 0; k < 9; ++k) population.client_first.push_back(population.client_first.back() + sizes[k]);
  const ScheduleBounds bounds = dealt_bounds(bounds_of(schedule), population, {});
  const DealtSchedule dealt = deal(schedule, {Turns::kByClient, ServiceOrder::kRandom, 1}, 0);
  EXPECT_NO_THROW(check_schedule(dealt.schedule, bounds));
  EXPECT_EQ(bounds.active, 1);

  // Every sample twice in one step: a client gives more slots than it has samples.
  Schedule twice;
  for (int i = 0; i < 12; ++i) {
    twice.sample.push_back(i % 6);
    twice.client.push_back(0);
  }
  twice.step_first = {0, 12};
  Population six;
  six.clients = 1;
  six.client_first = {0, 6};
  six.owner.assign(6, 0);
  const Schedule whole = with_active_lists(twice);
  EXPECT_NO_THROW(check_schedule(deal(whole, {Turns::kByClient, ServiceOrder::kCyclic, 1}, 0).schedule,
                                 dealt_bounds(bounds_of(whole), six, {})));
}

// Turns of groups, and groups that train together: nobody is lost, a group's clients lie side by side, runs say whose.
TEST(MicroSteps, GroupsLieSideBySide) {
  const Schedule schedule = with_active_lists(test::with_empty_steps(random_schedule(), {1, 0, 2, 0, 0, 0, 1}));
  const Groups groups{{2, 0, 1, 0, 2, 1, 1, 0, 2}, 3};
  const std::vector<std::int32_t> zeros(static_cast<std::size_t>(schedule.slots()), 0);
  const Population population = make_population(schedule.client, zeros, 9, 1);
  for (const Turns turns : {Turns::kTogether, Turns::kByGroup}) {
    for (const ServiceOrder order : {ServiceOrder::kCyclic, ServiceOrder::kReverse, ServiceOrder::kRandom}) {
      const TurnRules rules{turns, order, 5, groups};
      const DealtSchedule dealt = deal(schedule, rules, 2);
      EXPECT_EQ(slots_of(dealt), slots_of({schedule}));
      EXPECT_EQ(dealt.parent.empty(), turns == Turns::kTogether);
      const ScheduleBounds most = dealt_bounds(bounds_of(schedule), population, rules), is = bounds_of(dealt.schedule);
      EXPECT_TRUE(is.steps <= most.steps && is.batch <= most.batch && is.active <= most.active);
      for (std::size_t m = 0; m < static_cast<std::size_t>(dealt.schedule.steps()); ++m) {
        std::vector<std::int32_t> found, runs;
        for (int i = dealt.schedule.step_first[m]; i < dealt.schedule.step_first[m + 1]; ++i) {
          const std::int32_t group = groups.of_client(dealt.schedule.client[static_cast<std::size_t>(i)]);
          if (found.empty() || found.back() != group) found.push_back(group);
        }
        for (int e = dealt.group_first[m]; e < dealt.group_first[m + 1]; ++e) {
          runs.push_back(dealt.group_id[static_cast<std::size_t>(e)]);
        }
        EXPECT_EQ(found, runs);
        EXPECT_TRUE(turns == Turns::kByGroup ? runs.size() <= 1 : std::is_sorted(runs.begin(), runs.end()));
      }
    }
  }
  // In service order.
  const auto served = [&](ServiceOrder order) {
    return deal(schedule, {Turns::kByGroup, order, 5, groups}, 2).group_id;
  };
  EXPECT_NE(served(ServiceOrder::kCyclic), served(ServiceOrder::kReverse));
  EXPECT_NE(served(ServiceOrder::kCyclic), served(ServiceOrder::kRandom));
}

}  // namespace
}  // namespace splitsim
