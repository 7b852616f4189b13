// Schedule transforms: whatever is taken away, every sample that was scheduled is trained, deferred or missed exactly
// once.
#include "samplers/schedule/absences.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "samplers/registry.hpp"
#include "tests/contexts.hpp"
#include "tests/reference/populations.hpp"
#include "tests/runtime/train/engine_rig.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using test::with_active_lists;

ClientSettings bernoulli(double available, OnAbsence rule = OnAbsence::kDrop) {
  ClientSettings settings;
  settings.availability = Availability::kBernoulli;
  settings.available = available;
  settings.on_absence = rule;
  return settings;
}
ClientSettings chain(double on, double off) {
  ClientSettings settings;
  settings.availability = Availability::kChain;
  settings.mean_on = on;
  settings.mean_off = off;
  return settings;
}

// (sample, step that trains it).
std::map<std::int32_t, std::vector<std::int64_t>> trained_in(const Schedule& schedule) {
  std::map<std::int32_t, std::vector<std::int64_t>> steps;
  for (std::int64_t t = 0; t < schedule.steps(); ++t) {
    for (std::int32_t i = schedule.step_first[t]; i < schedule.step_first[t + 1]; ++i) {
      steps[schedule.sample[static_cast<std::size_t>(i)]].push_back(t);
    }
  }
  return steps;
}

// What was scheduled is what is trained and what is missed, step by step and client by client.
void expect_nothing_lost(const Schedule& before, const Schedule& after, const Losses& losses, std::int64_t room) {
  ASSERT_EQ(after.steps(), before.steps());
  check_schedule(after, {before.slots(), before.steps(), room, before.slots()});
  const Schedule lists = with_active_lists(after);
  EXPECT_EQ(lists.active_first, after.active_first);
  EXPECT_EQ(lists.active_client, after.active_client);
  EXPECT_EQ(lists.active_slot, after.active_slot);
  const auto was = trained_in(before), is = trained_in(after);
  std::vector<std::int32_t> missed(losses.missed.size()), deferred(missed);
  for (const auto& [sample, steps] : was) {
    const auto found = is.find(sample);
    std::vector<std::int64_t> now = found == is.end() ? std::vector<std::int64_t>() : found->second;
    ASSERT_LE(now.size(), steps.size()) << "sample " << sample << " is trained too often";
    if (steps.size() != 1) continue;  // relay trains it several times: counted by the sums below
    if (now.empty()) {
      ++missed[static_cast<std::size_t>(steps[0])];
    } else if (now[0] != steps[0]) {
      EXPECT_GT(now[0], steps[0]);
      ++deferred[static_cast<std::size_t>(steps[0])];
    }
  }
  const std::int64_t all_missed = std::accumulate(losses.missed.begin(), losses.missed.end(), std::int64_t{0});
  EXPECT_EQ(after.slots() + all_missed, before.slots());
  std::int64_t of_clients = 0;
  for (const Loss& loss : losses.misses) of_clients += loss.samples;
  EXPECT_EQ(of_clients, all_missed);
  if (was.size() == static_cast<std::size_t>(before.slots())) {
    EXPECT_EQ(missed, losses.missed);
    EXPECT_EQ(deferred, losses.deferred);
  }
}

template <class Context>
class AbsencesTest : public test::OnContext<Context> {};
TYPED_TEST_SUITE(AbsencesTest, test::Contexts);

TYPED_TEST(AbsencesTest, EverySampleIsTrainedMissedOrDeferredOnceForEverySampler) {
  const Population population = reference::population_of({60, 37, 0, 100, 5, 18, 44}, 3);
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  const Profile profile = reference::profile_of({1000000, 2000000, 3000000, 4000000, 5000000, 6000000, 7000000});
  ClientSettings half = bernoulli(0.8, OnAbsence::kDefer);
  half.participation = 0.5;
  for (const SamplerInfo& info : sampler_infos()) {
    if (info.name == "file" || info.name == "callable") continue;
    SamplerSettings settings;
    settings.kind = info.name;
    settings.batch = 32;
    settings.local_epochs = info.name == "relay" ? 2 : 1;
    const auto sampler = make_sampler(this->ctx(), population, device, profile, settings);
    ScheduleBuffer<TypeParam> buffer(this->ctx(), sampler->bounds());
    for (const ClientSettings& clients : {bernoulli(0.7), bernoulli(0.7, OnAbsence::kDefer), chain(4, 2), half,
                                          bernoulli(0.0, OnAbsence::kDefer), bernoulli(1.0)}) {
      SCOPED_TRACE(info.name + " " + name_of(clients.availability) + " " + name_of(clients.on_absence));
      sampler->build(3, 1, buffer);
      const Schedule before = download(buffer);
      const Presence presence(clients, population.clients, {sampler->bounds().steps, {3}}, 11);
      Losses losses(before.steps());
      const std::int64_t room = sampler->bounds().batch;
      const Schedule present = without_absent(before, presence, clients.on_absence, room, 1, losses);
      expect_nothing_lost(before, present, losses, room);
      for (std::int64_t t = 0; t < present.steps(); ++t) {  // nobody trains who is not there
        const std::vector<bool> round = presence.participants(1, t);
        for (std::int32_t e = present.active_first[t]; e < present.active_first[t + 1]; ++e) {
          const std::int32_t k = present.active_client[static_cast<std::size_t>(e)];
          EXPECT_TRUE(round[static_cast<std::size_t>(k)] && presence.available(1, t, k));
        }
      }
      std::vector<bool> late(present.active_client.size());
      for (std::size_t e = 0; e < late.size(); ++e) late[e] = e % 3 == 0;
      Losses more(present.steps());
      expect_nothing_lost(present, without_late(present, late, more), more, room);
      EXPECT_EQ(more.late.size(), (late.size() + 2) / 3);
      if (clients.available == 1.0) {
        EXPECT_EQ(present.sha256(), before.sha256());
      } else if (clients.available == 0.0) {
        EXPECT_EQ(present.slots(), 0);
      }
    }
  }
}

TEST(Absences, DeferredSamplesReturnAsSoonAsTheirClientIsThereAndThereIsRoom) {
  // Two clients of three samples a step; client 1 is away in the first step.
  Schedule schedule;
  for (std::int32_t s = 0; s < 18; ++s) {
    schedule.sample.push_back(s);
    schedule.client.push_back(s % 6 / 3);
  }
  schedule.step_first = {0, 6, 12, 18};
  schedule = with_active_lists(schedule);
  const test::TempDir dir;
  ClientSettings settings;
  settings.availability = Availability::kTrace;
  settings.availability_file = dir / "a.csv";
  test::spill(settings.availability_file, "client,step,available\n1,1,0\n1,2,1\n");
  const Presence presence(settings, 2, {3, {}}, 1);
  for (const std::int64_t room : {6, 8, 20}) {
    Losses losses(3);
    const Schedule now = without_absent(schedule, presence, OnAbsence::kDefer, room, 0, losses);
    const auto back = static_cast<std::int32_t>(std::min<std::int64_t>(3, 2 * std::max<std::int64_t>(0, room - 6)));
    EXPECT_EQ(losses.deferred, (std::vector<std::int32_t>{back, 0, 0})) << room;
    EXPECT_EQ(losses.missed, (std::vector<std::int32_t>{3 - back, 0, 0})) << room;
    EXPECT_EQ(losses.absent, (std::vector<std::int32_t>{1, 0, 0}));
    if (room == 8) {  // two of them in step 2, behind the client's own, and the last one in step 3
      EXPECT_EQ(now.sample, (std::vector<std::int32_t>{0, 1, 2, 6, 7, 8, 9, 10, 11, 3, 4, 12, 13, 14, 15, 16, 17, 5}));
      EXPECT_EQ(now.step_first, (std::vector<std::int32_t>{0, 3, 11, 18}));
    }
  }
}

TEST(Presence, SharesAndMeansAreWhatTheySay) {
  constexpr std::int32_t kClients = 40;
  constexpr std::int64_t kSteps = 5000;
  struct Case {
    ClientSettings settings;
    double share, changes;  // of being there; of a change from step to step
  };
  // A chain changes with probability 2 p q / (p + q), p = 1 / on, q = 1 / off.
  for (const Case& c : {Case{bernoulli(0.7), 0.7, 2 * 0.7 * 0.3}, Case{chain(20, 5), 0.8, 2 * 0.05 * 0.2 / 0.25},
                        Case{chain(1.25, 1.6), 1.25 / 2.85, 2 * 0.8 * 0.625 / 1.425}, Case{chain(1, 1), 0.5, 1.0}}) {
    const Presence presence(c.settings, kClients, {kSteps, {}}, 5);
    std::int64_t there = 0, changes = 0;
    for (std::int32_t k = 0; k < kClients; ++k) {
      bool before = false;
      for (std::int64_t t = 0; t < kSteps; ++t) {
        const bool now = presence.available(0, t, k);
        there += now ? 1 : 0;
        changes += t > 0 && now != before ? 1 : 0;
        before = now;
      }
    }
    const double n = kClients * kSteps;
    // Six standard errors; a chain's steps count as n / (2 x its correlation time), at most 12 steps here.
    EXPECT_NEAR(static_cast<double>(there) / n, c.share, 6 * std::sqrt(0.25 / (n / 12)));
    EXPECT_NEAR(static_cast<double>(changes) / n, c.changes, 6 * std::sqrt(0.25 / (n / 12)) + 1.0 / kSteps);
  }
}

// The state of a chain is that of the last draw which decides it, however it is asked for: in any order, from any
// epoch.
TEST(Presence, DoesNotDependOnWhoAsks) {
  const Presence presence(chain(7, 3), 5, {10, {}}, 3), wide(chain(7, 3), 5, {1000, {}}, 3);
  for (std::int64_t t = 99; t >= 0; --t) {
    for (std::int32_t k = 4; k >= 0; --k) {
      EXPECT_EQ(presence.available(static_cast<std::uint32_t>(t / 10), t % 10, k), wide.available(0, t, k));
    }
  }
}

TEST(Presence, AShareOfTheClientsTakesPartInARound) {
  ClientSettings settings;
  for (const double share : {0.01, 0.1, 0.5, 0.9, 1.0}) {
    settings.participation = share;
    const Presence presence(settings, 30, {100, {10}}, 2);
    std::set<std::vector<bool>> rounds;
    for (std::int64_t t = 0; t < 100; ++t) {
      const std::vector<bool> now = presence.participants(4, t);
      EXPECT_EQ(std::count(now.begin(), now.end(), true), std::max(1.0, std::nearbyint(share * 30)));
      EXPECT_EQ(now, presence.participants(4, t - t % 10));
      rounds.insert(now);
    }
    EXPECT_EQ(rounds.size() > 1, share < 1.0);
    EXPECT_EQ(presence.participants(5, 0) != presence.participants(4, 0), share < 1.0);
  }
}

TEST(Presence, TracesAreReadOrRefused) {
  const test::TempDir dir;
  ClientSettings settings;
  settings.availability = Availability::kTrace;
  settings.availability_file = dir / "a.csv";
  const auto read = [&](const std::string& text) {
    test::spill(settings.availability_file, text);
    return Presence(settings, 3, {4, {}}, 1);
  };
  const Presence presence = read(
      "\xEF\xBB\xBF"
      "available,client, step\r\n\"0\",2,3\r\n1,2,6\r\n# nobody\r\n0,0,1");
  const auto there = [&](std::int32_t k) {
    std::string text;
    for (std::int64_t t = 0; t < 8; ++t)
      text += presence.available(static_cast<std::uint32_t>(t / 4), t % 4, k) ? '1' : '0';
    return text;
  };
  EXPECT_EQ(there(2), "11000111");
  EXPECT_EQ(there(1), "11111111");
  EXPECT_EQ(there(0), "00000000");
  const std::string head = "client,step,available\n", path = settings.availability_file;
  test::expect_input_error([&] { read(head + "3,1,0\n"); }, path + ":2", "client", "0..2");
  test::expect_input_error([&] { read(head + "1,0,0\n"); }, path + ":2", "step");
  test::expect_input_error([&] { read(head + "1,1,2\n"); }, path + ":2", "available");
  test::expect_input_error([&] { read(head + "1,1,1\n1,1,0\n"); }, path + ":3", "second row");
  test::expect_input_error([&] { read("client,step\n1,1\n"); }, path, "client, step, available");
  test::expect_input_error([&] { read(""); }, path, "client, step, available");
  settings.availability_file = dir / "none.csv";
  test::expect_input_error([&] { Presence(settings, 3, {4, {}}, 1); }, "clients.availability_file", "none.csv");
}

}  // namespace
}  // namespace splitsim
