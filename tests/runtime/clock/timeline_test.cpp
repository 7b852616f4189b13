// The clock by hand, its closed forms, its invariances, and its edges. Statistical tests compare a mean with its exact
// value at 5 standard errors (two-sided normal false-alarm rate 6e-7 each), seeds fixed.
#include "runtime/clock/timeline.hpp"

#include <gtest/gtest.h>
#include <omp.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/error.hpp"
#include "runtime/clock/nanoseconds.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/clock/clock_cases.hpp"

namespace splitsim {
namespace {

using test::bounds_of;
using test::clock_settings;
using test::EpochCase;
using test::timeline_of;
using test::timelines;
using test::zero_profile;
using Times = std::vector<std::int64_t>;
using Ids = std::vector<std::int32_t>;
using enum DistributionKind;

template <class Context>
class ClockTest : public test::OnOneThread<Context> {
 protected:
  Timeline build(const EpochCase& epoch, const Profile& profile, const LatencySettings& settings,
                 const ClockMode& mode = {}, std::uint64_t seed = 1) {
    return timeline_of(this->ctx(), epoch, profile, settings, mode, seed);
  }
  std::string error_of(const LatencySettings& settings, const ClockMode& mode = {}) {
    try {
      build({{{{0, 1}}}}, zero_profile(1), settings, mode);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }
};
TYPED_TEST_SUITE(ClockTest, test::Contexts);

/// Three clients; with b samples: fwd = 10 + 2b + 3b, 20 + b, 30 + b and bwd = 4b + b, 30 b, b + 7b.
Profile three_clients() {
  Profile profile = zero_profile(3);
  profile.delay_ns = {10, 20, 30};
  profile.forward_ns = {2, 1, 0};
  profile.up_ns = {3, 0, 1};
  profile.backward_ns = {4, 30, 1};
  profile.down_ns = {1, 0, 7};
  profile.server_fixed_ns = 100;
  profile.server_per_sample_ns = 5;
  return profile;
}

TYPED_TEST(ClockTest, ByHand) {
  // Step 0: fwd 20, 21, 31; bwd 10, 30, 8; B = 4. Step 1: client 0 alone, 5 samples. Step 2: nobody, 6 samples.
  const EpochCase epoch = {{{{0, 2}, {1, 1}, {2, 1}}}, {{{0, 5}}}, {{}, 6}};
  const Timeline two = this->build(epoch, three_clients(), clock_settings("two"));
  EXPECT_EQ(two.start_ns, (Times{0, 181, 366}));
  EXPECT_EQ(two.end_ns, (Times{31 + 120 + 30, 181 + 35 + 125 + 25, 366 + 130}));
  EXPECT_EQ(two.critical_forward, (Ids{2, 0, -1}));
  EXPECT_EQ(two.critical_backward, (Ids{1, 0, -1}));
  const Timeline one = this->build(epoch, three_clients(), clock_settings("one"));
  EXPECT_EQ(one.end_ns, (Times{120 + 51, 171 + 125 + 60, 356 + 130}));
  EXPECT_EQ(one.critical_forward, (Ids{1, 0, -1}));
  EXPECT_EQ(one.critical_backward, one.critical_forward);
}

TYPED_TEST(ClockTest, JitterScalesComputeAndDelayButNotLinks) {
  // 2.5 x (10 + 2) = 30 and 2.5 x 1 = 2.5, which rounds to 2.
  Profile profile = zero_profile(1);
  profile.delay_ns = {10};
  profile.forward_ns = {2};
  profile.backward_ns = {1};
  profile.up_ns = {1000};
  profile.down_ns = {100};
  const Timeline timeline = this->build({{{{0, 1}}}}, profile, clock_settings("two", "none", {kConstant, 2.5}));
  EXPECT_EQ(timeline.end_ns, (Times{30 + 1000 + 100 + 2}));
}

TYPED_TEST(ClockTest, TiesGoToTheLowestId) {
  Profile profile = zero_profile(300);  // more than a team has lanes
  std::fill(profile.delay_ns.begin(), profile.delay_ns.end(), 7);
  profile.delay_ns[0] = 3;
  profile.backward_ns[298] = profile.backward_ns[299] = 5;
  EpochCase epoch(1);
  for (std::int32_t k = 0; k < 300; ++k) epoch[0].visits.push_back({k, 1});
  const Timeline timeline = this->build(epoch, profile, clock_settings());
  EXPECT_EQ(timeline.critical_forward, (Ids{1}));
  EXPECT_EQ(timeline.critical_backward, (Ids{298}));
}

TYPED_TEST(ClockTest, RunAheadByHand) {
  // Client 1 is slow and takes part in step 0 only; client 0 goes on without it.
  Profile profile = zero_profile(2);
  profile.delay_ns = {10, 50};
  profile.backward_ns = {5, 40};
  profile.server_fixed_ns = 2;
  ClockMode mode;
  mode.kind = ClockKind::kRunAhead;
  const Timeline timeline =
      this->build({{{{0, 1}, {1, 1}}}, {{{0, 1}}}, {{{0, 1}}}, {{{1, 1}}}}, profile, clock_settings(), mode);
  // S: 52; client 0 is ready at 57, 67 arrives, S = 69, ready 74; 84 arrives, S = 86, ready 91.
  // Client 1 is ready at 92 and arrives at 142, S = 144, ready 184.
  EXPECT_EQ(timeline.start_ns, (Times{0, 57, 74, 92}));
  EXPECT_EQ(timeline.end_ns, (Times{92, 92, 92, 184}));
  EXPECT_EQ(timeline.critical_forward, (Ids{1, 0, 0, 1}));
  const Timeline by_name =
      this->build({{{{0, 1}, {1, 1}}}, {{{0, 1}}}, {{{0, 1}}}, {{{1, 1}}}}, profile, clock_settings("run_ahead"));
  EXPECT_EQ(by_name.sha256(), timeline.sha256());
}

TYPED_TEST(ClockTest, EpochsFollowEachOther) {
  const std::vector<EpochCase> epochs = {{{{{0, 1}}}, {{{1, 1}}}}, {{{{2, 1}}}}, {}};
  Clock<TypeParam> clock(this->ctx(), three_clients(), clock_settings(), bounds_of(epochs));
  const std::vector<Timeline> got = timelines(this->ctx(), clock, epochs);
  EXPECT_EQ(got[1].start_ns[0], got[0].end_ns[1]);
  EXPECT_EQ(got[2].steps(), 0);
  EXPECT_EQ(clock.now_ns(), got[1].end_ns[0]);
  clock.set_now_ns(1000);
  const std::vector<Timeline> later = timelines(this->ctx(), clock, epochs);
  EXPECT_EQ(later[0].start_ns[0], 1000);
  EXPECT_EQ(later[1].end_ns[0], 1000 + got[1].end_ns[0]);
}

// ---- resources, bits ----

/// A schedule with enough entries for several threads: 40 steps, 400 clients.
EpochCase large_epoch() {
  EpochCase epoch(40);
  for (std::size_t t = 0; t < epoch.size(); ++t) {
    for (std::int32_t k = 0; k < 400; ++k) {
      const auto b = static_cast<std::int32_t>((static_cast<std::size_t>(k) * 7919u + t * 104729u) % 5u);
      if (b > 0) epoch[t].visits.push_back({k, b});
    }
  }
  return epoch;
}

Profile large_profile() {
  LatencySettings settings;
  settings.delay_ms = {kExponential, 1.0};
  settings.uplink_mbps = {kLognormal, 50.0, 1.0};
  return make_profile(400, settings, {6272, 6272, 4, 3000}, 5);
}

const std::vector<ClockMode>& all_modes() {
  static const std::vector<ClockMode> modes = {
      {ClockKind::kBarrier, ServiceOrder::kCyclic, 0, false},
      {ClockKind::kRunAhead, ServiceOrder::kCyclic, 0, false},
      {ClockKind::kChain, ServiceOrder::kRandom, 0, false},
      {ClockKind::kRelay, ServiceOrder::kReverse, 0, false},
  };
  return modes;
}

TEST(ClockBits, SameForAnyNumberOfThreads) {
  const int threads_before = omp_get_max_threads();
  for (const ClockMode& mode : all_modes()) {
    std::optional<std::string> first;
    for (const int threads : {1, 2, 7}) {
      CpuContext ctx(threads);
      const std::string hash =
          timeline_of(ctx, large_epoch(), large_profile(), clock_settings("two", "none", {kLognormal, 1.0, 0.5}), mode)
              .sha256();
      EXPECT_EQ(hash, first.value_or(hash)) << threads << " threads, kind " << static_cast<int>(mode.kind);
      first = hash;
    }
  }
  omp_set_num_threads(threads_before);  // contexts leave theirs behind
}

TYPED_TEST(ClockTest, SameBitsOnEveryBackend) {
  // Pinned from the CPU backend, one per kind: a change here changes every recorded timeline.
  const std::vector<std::string> pinned = {"16201b93ef766e32bbd0ed23340daba19839d7b37c423b9dfd1955bb33c2411a",
                                           "93c5ee9f1822cd9341e9742118fe24883068dfe3f9e1f5adb6590ed6186b47ca",
                                           "c52f4c9d2c5b646e5b3d2df4b397a7fa660c2343ea6628792b414640767f6c41",
                                           "6f0497a0a1acaa3a42eb0ddc191a81bb487a382d2cb4222954bdcd84d78ca0e1"};
  for (std::size_t i = 0; i < all_modes().size(); ++i) {
    const Timeline timeline = this->build(large_epoch(), large_profile(),
                                          clock_settings("two", "none", {kGamma, 1.0, 0.5}), all_modes()[i], 9);
    EXPECT_EQ(timeline.sha256(), pinned[i]) << "kind " << i;
  }
}

TYPED_TEST(ClockTest, FingerprintSeesEveryEntry) {
  const Timeline timeline = this->build({{{{0, 2}, {1, 1}}}, {{{2, 1}}}}, three_clients(), clock_settings());
  const std::string hash = timeline.sha256();
  for (std::size_t t = 0; t < 2; ++t) {
    Timeline changed = timeline;
    changed.start_ns[t] += 1;
    EXPECT_NE(changed.sha256(), hash);
    changed = timeline;
    changed.end_ns[t] += 1;
    EXPECT_NE(changed.sha256(), hash);
    changed = timeline;
    changed.critical_forward[t] += 1;
    EXPECT_NE(changed.sha256(), hash);
    changed = timeline;
    changed.critical_backward[t] += 1;
    EXPECT_NE(changed.sha256(), hash);
  }
}

TYPED_TEST(ClockTest, OneHostReadPerEpochAndNoAllocation) {
  const EpochCase epoch = large_epoch();
  ScheduleBuffer<TypeParam> buffer(this->ctx(), bounds_of({epoch}));
  test::fill(buffer, epoch);
  for (const ClockMode& mode : all_modes()) {
    Clock<TypeParam> clock(this->ctx(), large_profile(), clock_settings(), bounds_of({epoch}), mode);
    clock.build(buffer, 1, 0);
    const ContextCounters before = this->ctx().counters();
    clock.build(buffer, 1, 1);
    EXPECT_EQ(this->ctx().counters().host_reads, before.host_reads + 1);
    if (mode.kind != ClockKind::kChain) {  // whose random order is sorted by a library that may allocate
      EXPECT_EQ(this->ctx().counters().allocations, before.allocations);
    }
  }
}

TYPED_TEST(ClockTest, StateResumes) {
  // The second epoch begins with a client that was ready long before the first one ended.
  const std::vector<EpochCase> epochs = {{{{{0, 1}, {1, 2}}}, {{{0, 1}}}}, {{{{2, 1}}}, {{{0, 1}, {1, 1}}}}};
  const LatencySettings settings = clock_settings("two", "none", {kUniform, 0.5, 9.0});
  for (const ClockMode& mode : all_modes()) {
    Clock<TypeParam> whole(this->ctx(), three_clients(), settings, bounds_of(epochs), mode);
    ScheduleBuffer<TypeParam> buffer(this->ctx(), bounds_of(epochs));
    test::fill(buffer, epochs[0]);
    whole.build(buffer, 1, 0);
    Clock<TypeParam> resumed(this->ctx(), three_clients(), settings, bounds_of(epochs), mode);
    resumed.set_state(whole.state());
    test::fill(buffer, epochs[1]);
    EXPECT_EQ(resumed.build(buffer, 1, 1).sha256(), whole.build(buffer, 1, 1).sha256());
    EXPECT_EQ(resumed.now_ns(), whole.now_ns());
    if (mode.kind == ClockKind::kRunAhead) {
      ClockState wrong = whole.state();
      wrong.client_ready_ns.pop_back();
      EXPECT_THROW(resumed.set_state(wrong), InputError);
    }
  }
}

// ---- invariances ----

struct RandomCase {
  Profile profile;
  EpochCase epoch;
};

RandomCase any_case() {
  const auto draw = rc::gen::exec([] {
    RandomCase c;
    const auto clients = *rc::gen::inRange<std::int32_t>(1, 8);
    c.profile = zero_profile(clients);
    for (auto* values : {&c.profile.delay_ns, &c.profile.forward_ns, &c.profile.backward_ns, &c.profile.up_ns,
                         &c.profile.down_ns, &c.profile.model_up_ns, &c.profile.model_down_ns}) {
      for (auto& value : *values) value = *rc::gen::inRange(0, 50);
    }
    c.profile.server_fixed_ns = *rc::gen::inRange(0, 20);
    c.epoch.resize(*rc::gen::inRange<std::size_t>(1, 8));
    for (test::StepCase& step : c.epoch) {
      for (std::int32_t k = 0; k < clients; ++k) {
        if (*rc::gen::arbitrary<bool>()) step.visits.push_back({k, *rc::gen::inRange(1, 6)});
      }
      if (step.visits.empty()) step.visits.push_back({0, 1});
    }
    return c;
  });
  return *rc::gen::resize(rc::kNominalSize, draw);
}

TYPED_TEST(ClockTest, TwoBarriersAreNeverFasterThanOne) {
  int equal = 0, unequal = 0;
  const bool holds = rc::check([&] {
    const RandomCase c = any_case();
    const Timeline two = this->build(c.epoch, c.profile, clock_settings("two"));
    const Timeline one = this->build(c.epoch, c.profile, clock_settings("one"));
    for (std::size_t t = 0; t < c.epoch.size(); ++t) {
      const std::int64_t two_ns = two.end_ns[t] - two.start_ns[t], one_ns = one.end_ns[t] - one.start_ns[t];
      // Does one client attain both maxima?
      std::int64_t max_forward = 0, max_backward = 0;
      const auto forward = [&](const auto& visit) {
        const auto k = static_cast<std::size_t>(visit.first);
        return c.profile.delay_ns[k] + visit.second * (c.profile.forward_ns[k] + c.profile.up_ns[k]);
      };
      const auto backward = [&](const auto& visit) {
        const auto k = static_cast<std::size_t>(visit.first);
        return visit.second * (c.profile.backward_ns[k] + c.profile.down_ns[k]);
      };
      for (const auto& visit : c.epoch[t].visits) {
        max_forward = std::max(max_forward, forward(visit));
        max_backward = std::max(max_backward, backward(visit));
      }
      const bool both = std::any_of(c.epoch[t].visits.begin(), c.epoch[t].visits.end(), [&](const auto& visit) {
        return forward(visit) == max_forward && backward(visit) == max_backward;
      });
      RC_ASSERT(two_ns >= one_ns);
      RC_ASSERT((two_ns == one_ns) == both);
      ++(both ? equal : unequal);
    }
  });
  EXPECT_TRUE(holds);
  EXPECT_GT(equal, 20);
  EXPECT_GT(unequal, 20);
}

TYPED_TEST(ClockTest, SlowerClientsNeverFinishTheEpochEarlier) {
  EXPECT_TRUE(rc::check([&] {
    const RandomCase c = any_case();
    Profile slower = c.profile;
    auto& values = **rc::gen::element(&slower.delay_ns, &slower.forward_ns, &slower.backward_ns, &slower.up_ns,
                                      &slower.down_ns, &slower.model_up_ns, &slower.model_down_ns);
    values[*rc::gen::inRange<std::size_t>(0, values.size())] += *rc::gen::inRange(1, 100);
    const std::string sync = *rc::gen::element(std::string("none"), std::string("step"), std::string("round"));
    for (ClockMode mode : all_modes()) {
      mode.round_steps = 2;
      for (const char* barrier : {"two", "one"}) {
        const auto settings = clock_settings(barrier, mode.kind == ClockKind::kRelay ? "none" : sync);
        const Timeline before = this->build(c.epoch, c.profile, settings, mode);
        const Timeline after = this->build(c.epoch, slower, settings, mode);
        for (std::size_t t = 0; t < c.epoch.size(); ++t) RC_ASSERT(after.end_ns[t] >= before.end_ns[t]);
      }
    }
  }));
}

TYPED_TEST(ClockTest, RelabellingTheClientsChangesNoTime) {
  // Where nobody is served before anybody else: both barriers and run-ahead.
  EXPECT_TRUE(rc::check([&] {
    const RandomCase c = any_case();
    std::vector<std::int32_t> label(c.profile.delay_ns.size());
    std::iota(label.begin(), label.end(), 0);
    for (std::size_t i = label.size(); i > 1; --i) std::swap(label[i - 1], label[*rc::gen::inRange<std::size_t>(0, i)]);
    Profile renamed = c.profile;
    const auto rename = [&](const Times& from, Times& to) {
      for (std::size_t k = 0; k < from.size(); ++k) to[static_cast<std::size_t>(label[k])] = from[k];
    };
    rename(c.profile.delay_ns, renamed.delay_ns);
    rename(c.profile.forward_ns, renamed.forward_ns);
    rename(c.profile.backward_ns, renamed.backward_ns);
    rename(c.profile.up_ns, renamed.up_ns);
    rename(c.profile.down_ns, renamed.down_ns);
    rename(c.profile.model_up_ns, renamed.model_up_ns);
    rename(c.profile.model_down_ns, renamed.model_down_ns);
    EpochCase epoch = c.epoch;
    for (test::StepCase& step : epoch) {
      for (auto& [client, samples] : step.visits) client = label[static_cast<std::size_t>(client)];
      std::sort(step.visits.begin(), step.visits.end());
    }
    for (const ClockKind kind : {ClockKind::kBarrier, ClockKind::kRunAhead}) {
      ClockMode mode;
      mode.kind = kind;
      for (const char* sync : {"none", "step", "round"}) {
        const Timeline before = this->build(c.epoch, c.profile, clock_settings("two", sync), mode);
        const Timeline after = this->build(epoch, renamed, clock_settings("two", sync), mode);
        RC_ASSERT(before.start_ns == after.start_ns);
        RC_ASSERT(before.end_ns == after.end_ns);
      }
    }
  }));
}

TYPED_TEST(ClockTest, RunAheadIsNeverSlowerThanTwoBarriers) {
  EXPECT_TRUE(rc::check([&] {
    const RandomCase c = any_case();
    ClockMode ahead;
    ahead.kind = ClockKind::kRunAhead;
    const Timeline barriers = this->build(c.epoch, c.profile, clock_settings("two"));
    const Timeline free = this->build(c.epoch, c.profile, clock_settings("two"), ahead);
    for (std::size_t t = 0; t < c.epoch.size(); ++t) RC_ASSERT(free.end_ns[t] <= barriers.end_ns[t]);
  }));
}

// ---- edges ----

TEST(Nanoseconds, StopAtForever) {
  static_assert(add_ns(kForever - 1, 0) == kForever - 1);
  static_assert(add_ns(kForever, kForever) == kForever);
  static_assert(times_ns(3, 7) == 21);
  static_assert(times_ns(0, kForever) == 0 && times_ns(7, 0) == 0);
  static_assert(times_ns(1, kForever) == kForever);
  static_assert(times_ns(2, kForever / 2) == kForever - 1);
  static_assert(times_ns(3, kForever / 2) == kForever);
  static_assert(times_ns(std::int64_t{1} << 31, std::int64_t{1} << 53) == kForever);
  EXPECT_EQ(scale_ns(0.5, 3), 2);  // 1.5 to even
  EXPECT_EQ(scale_ns(0.5, 5), 2);  // 2.5 to even
  EXPECT_EQ(scale_ns(1.0, (std::int64_t{1} << 53) + 1), (std::int64_t{1} << 53) + 1);
  EXPECT_EQ(scale_ns(HUGE_VAL, 1), kForever);
  EXPECT_EQ(scale_ns(HUGE_VAL, 0), 0);
  EXPECT_EQ(scale_ns(1e300, 1), kForever);
}

TYPED_TEST(ClockTest, OverflowIsAnErrorInEveryKind) {
  Profile profile = zero_profile(1);
  profile.delay_ns = {kMaxProfileNs};
  profile.up_ns = {kMaxProfileNs};
  const EpochCase few = {{{{0, 3}}}, {{{0, 3}}}};  // 8 x 2^53 in all
  EpochCase many(200, few[0]);                     // 800 x 2^53 > 2^62
  for (const ClockMode& mode : all_modes()) {
    const Timeline timeline = this->build(few, profile, clock_settings(), mode);
    EXPECT_EQ(timeline.end_ns.back(), 8 * kMaxProfileNs);
    EXPECT_THROW(this->build(many, profile, clock_settings(), mode), InputError);
    EXPECT_THROW(this->build(few, profile, clock_settings("two", "none", {kConstant, 1e300}), mode), InputError);
  }
}

// clock.model_sync = mode: the learning mode says when models take time, and the settings can say otherwise.
TYPED_TEST(ClockTest, ModelsTakeTimeWhenTheModeMovesThem) {
  const EpochCase steps = {{{{0, 3}, {1, 1}}}, {{{0, 2}}}, {{{1, 4}}}};
  Profile profile = large_profile();
  ClockMode mode;
  mode.round_steps = 2;
  for (const auto& [sync, name] : {std::pair{ModelSync::kNone, "none"}, {ModelSync::kStep, "step"}, {ModelSync::kRound, "round"}}) {
    mode.model_sync = sync;
    const Timeline by_mode = this->build(steps, profile, clock_settings("two", "mode"), mode);
    EXPECT_EQ(by_mode.sha256(), this->build(steps, profile, clock_settings("two", name), mode).sha256()) << name;
    mode.model_sync = ModelSync::kNone;
    EXPECT_EQ(by_mode.sha256(), this->build(steps, profile, clock_settings("two", name), mode).sha256()) << name;
    if (sync != ModelSync::kNone) {
      EXPECT_NE(by_mode.sha256(), this->build(steps, profile, clock_settings("two", "none"), mode).sha256()) << name;
    }
  }
}

TYPED_TEST(ClockTest, BadSettingsAreNamed) {
  EXPECT_TRUE(this->error_of(clock_settings("two", "none", {kConstant, 0.0})).starts_with("clock.jitter.value = 0"));
  EXPECT_TRUE(this->error_of(clock_settings("two", "none", {kUniform, 1.0, NAN})).starts_with("clock.jitter.high"));
  EXPECT_TRUE(this->error_of(clock_settings("two", "none", {kTrace})).starts_with("clock.jitter.kind = \"trace\""));
  ClockMode mode;
  mode.kind = ClockKind::kRelay;
  EXPECT_TRUE(this->error_of(clock_settings("two", "step"), mode).starts_with("clock.model_sync = \"step\""));
  mode.round_steps = -1;
  EXPECT_TRUE(this->error_of(clock_settings(), mode).starts_with("round length = -1"));
}

}  // namespace
}  // namespace splitsim
