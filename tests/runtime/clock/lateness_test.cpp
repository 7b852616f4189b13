// Deadlines and quorums: who is late, and when a step that leaves them out ends.
#include "runtime/clock/lateness.hpp"

#include <gtest/gtest.h>

#include "samplers/schedule/absences.hpp"
#include "tests/runtime/clock/clock_cases.hpp"
#include "tests/runtime/train/engine_rig.hpp"

namespace splitsim {
namespace {

LatencySettings rule(double deadline_ms, double quorum, Barrier barrier = Barrier::kTwo) {
  LatencySettings settings;
  settings.deadline_ms = deadline_ms;
  settings.quorum = quorum;
  settings.barrier = barrier;
  return settings;
}

// One sample of each client in every step.
Schedule steps_of(const std::vector<std::vector<std::int32_t>>& steps) {
  Schedule schedule;
  schedule.step_first = {0};
  for (const auto& clients : steps) {
    for (const std::int32_t k : clients) {
      schedule.sample.push_back(static_cast<std::int32_t>(schedule.sample.size()));
      schedule.client.push_back(k);
    }
    schedule.step_first.push_back(static_cast<std::int32_t>(schedule.sample.size()));
  }
  return test::with_active_lists(schedule);
}

TEST(Lateness, DeadlinesAndQuorums) {
  const Schedule schedule = steps_of({{0, 1, 2, 3}, {}, {1, 2}});
  const EntryTimes times{{5'000'000, 9'000'001, 9'000'000, 2'000'000, 7'000'000, 8'000'000},
                         {1, 1, 1, 8'000'000, 1, 1}};
  using Late = std::vector<bool>;
  using Ns = std::vector<std::int64_t>;
  const auto of = [&](const LatencySettings& settings) { return lateness(schedule, times, settings); };
  EXPECT_EQ(of(rule(9.0, 1.0)).late, (Late{false, true, false, false, false, false}));  // at 9 ms is in time
  EXPECT_EQ(of(rule(9.0, 1.0)).earliest_ns, (Ns{9'000'000, 0, 0}));
  EXPECT_EQ(of(rule(0.0, 0.5)).late, (Late{false, true, true, false, false, true}));
  EXPECT_EQ(of(rule(0.0, 0.5)).earliest_ns, (Ns{0, 0, 0}));  // the server begins with the last one it waits for
  EXPECT_EQ(of(rule(0.0, 0.51)).late, (Late{false, true, false, false, false, false}));
  // A quorum that is there before the deadline: who is not waited for delays nobody.
  EXPECT_EQ(of(rule(6.0, 0.5)).earliest_ns, (Ns{0, 0, 6'000'000}));
  EXPECT_EQ(of(rule(6.0, 0.5)).late, (Late{false, true, true, false, true, true}));
  // One barrier: with the backward pass. Client 3 takes 10 ms.
  EXPECT_EQ(of(rule(9.5, 1.0, Barrier::kOne)).late, (Late{false, false, false, true, false, false}));
  EXPECT_FALSE(of(rule(60.0, 1.0)).any());
  EXPECT_EQ(of(rule(0.0, 0.25)).late, (Late{true, true, true, false, false, true}));  // ties and rounding: at least one
}

template <class Context>
class LateClock : public test::OnContext<Context> {};
TYPED_TEST_SUITE(LateClock, test::Contexts);

TYPED_TEST(LateClock, AStepEndsAtItsDeadlineOrWithItsQuorum) {
  Profile profile = test::zero_profile(4);
  profile.forward_ns = {5'000'000, 9'000'000, 7'000'000, 30'000'000};
  profile.backward_ns = {100, 200, 300, 400};
  profile.server_fixed_ns = 1000;
  const Schedule schedule = steps_of({{0, 1, 2, 3}, {3}});
  for (const Barrier barrier : {Barrier::kTwo, Barrier::kOne}) {
    const auto ends = [&](double deadline, double quorum) {
      const LatencySettings settings = rule(deadline, quorum, barrier);
      Clock<TypeParam> clock(this->ctx(), profile, settings, splitsim::bounds_of(schedule));
      ScheduleBuffer<TypeParam> buffer(this->ctx(), splitsim::bounds_of(schedule));
      upload_complete(schedule, buffer);
      const EntryTimes times = clock.entry_times(buffer, 5, 1, 0);
      EXPECT_EQ(times.forward_ns[3], 30'000'000);
      const Lateness late = lateness(schedule, times, settings);
      Losses losses(2);
      upload_complete(without_late(schedule, late.late, losses), buffer);
      return clock.build(buffer, 1, 0, settings.drops_late() ? late.earliest_ns : std::vector<std::int64_t>()).end_ns;
    };
    using Ns = std::vector<std::int64_t>;
    EXPECT_EQ(ends(0.0, 1.0), (Ns{30'001'400, 60'002'800}));
    // Two barriers: 8 ms, the server, the longest backward pass of 0 and 2. One: it is done when 8 ms have gone.
    const std::int64_t first = barrier == Barrier::kTwo ? 8'001'300 : 8'001'000;
    EXPECT_EQ(ends(8.0, 1.0), (Ns{first, first + 8'001'000}));  // nobody in time: an empty step of 8 ms
    const std::int64_t quorum = 7'001'300;
    EXPECT_EQ(ends(0.0, 0.5), (Ns{quorum, quorum + 30'001'400}));
  }
}

}  // namespace
}  // namespace splitsim
