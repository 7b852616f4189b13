// The communication ledger against sums done by hand and against a naive recount.
#include "runtime/mode/ledger.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/contexts.hpp"
#include "tests/runtime/modes.hpp"
#include "tests/runtime/train/engine_rig.hpp"

namespace splitsim {
namespace {

// Sizes that cannot be mixed up: activation 1000, its gradient 900, label 7, model 100000 bytes.
const CutCosts kSizes{1000, 900, 7, 100000};

using test::with_active_lists;

// Steps: {0 x 2, 1}, {1 x 3}, {0, 2}, {2 x 2}.
Schedule small_schedule() {
  Schedule schedule;
  schedule.sample = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  schedule.client = {0, 0, 1, 1, 1, 1, 0, 2, 2, 2};
  schedule.step_first = {0, 3, 6, 8, 10};
  return with_active_lists(schedule);
}

DealtSchedule dealt_for(const ModeMap& mode, const Schedule& schedule, ServiceOrder order = ServiceOrder::kCyclic) {
  Groups groups{{}, 6};
  for (std::int32_t k = 0; k < 12; ++k) groups.of.push_back(k / 2);
  const auto rules = turn_rules(mode, order, 1, groups);
  return rules ? deal(schedule, *rules, 0) : DealtSchedule{schedule};
}

/// Client models that cross, by step.
std::vector<std::int64_t> models_by_step(const std::string& name, std::int64_t round,
                                         ServiceOrder order = ServiceOrder::kCyclic) {
  const ModeMap mode = test::map_of(name);
  const Schedule schedule = small_schedule();
  Participation total(3);
  const std::vector<Traffic> traffic =
      Ledger(kSizes, mode, round).add(dealt_for(mode, schedule, order), 4, true, total);
  std::vector<std::int64_t> models;
  Traffic sum;
  for (std::size_t t = 0; t < 4; ++t) {
    const std::int64_t batch = schedule.step_first[t + 1] - schedule.step_first[t];
    const bool cut = name != "central";
    EXPECT_EQ(traffic[t].model_up, traffic[t].model_down);
    EXPECT_EQ(traffic[t].model_up % kSizes.client_model, 0);
    EXPECT_EQ(traffic[t].up, traffic[t].model_up + (cut ? batch * 1007 : 0)) << name;
    EXPECT_EQ(traffic[t].down, traffic[t].model_down + (cut ? batch * 900 : 0)) << name;
    models.push_back(traffic[t].model_up / kSizes.client_model);
    sum += traffic[t];
  }
  Traffic of_clients;
  for (std::size_t k = 0; k < 3; ++k) of_clients += Ledger(kSizes, mode, round).of_client(total, k);
  EXPECT_EQ(sum, of_clients) << name;
  EXPECT_EQ(total.samples, (std::vector<std::int64_t>{3, 4, 3}));
  EXPECT_EQ(total.steps, (std::vector<std::int64_t>{2, 2, 2}));
  return models;
}

// Empty steps move nothing, but rounds count them.
TEST(Ledger, EmptyStepsMoveNothing) {
  const Schedule schedule = with_active_lists(test::with_empty_steps(small_schedule(), {1, 0, 1, 0, 2}));
  ASSERT_EQ(schedule.steps(), 8);  // -, {0 x 2, 1}, {1 x 3}, -, {0, 2}, {2 x 2}, -, -
  const auto models = [&](const char* name, std::int64_t round) {
    const ModeMap mode = test::map_of(name);
    Participation total(3);
    std::vector<std::int64_t> crossed;
    for (const Traffic& step : Ledger(kSizes, mode, round).add(dealt_for(mode, schedule), 8, true, total)) {
      crossed.push_back(step.model_up / kSizes.client_model);
    }
    EXPECT_EQ(total.samples, (std::vector<std::int64_t>{3, 4, 3})) << name;
    return crossed;
  };
  using Models = std::vector<std::int64_t>;
  EXPECT_EQ(models("psl", 0), (Models{0, 2, 1, 0, 2, 1, 0, 0}));
  for (const char* mode : {"sflv1", "sflv2"}) {
    EXPECT_EQ(models(mode, 0), (Models{0, 0, 0, 0, 0, 0, 0, 3})) << mode;
    EXPECT_EQ(models(mode, 2), (Models{0, 2, 0, 1, 0, 2, 0, 0})) << mode;
    EXPECT_EQ(models(mode, 1), (Models{0, 2, 1, 0, 2, 1, 0, 0})) << mode;
  }
}

TEST(Ledger, ModelsCrossAsTheModeSays) {
  using Models = std::vector<std::int64_t>;
  EXPECT_EQ(models_by_step("psl", 0), (Models{2, 1, 2, 1}));  // once per participation
  EXPECT_EQ(models_by_step("psl_local", 0), (Models{0, 0, 0, 0}));
  EXPECT_EQ(models_by_step("sflv3", 2), (Models{0, 0, 0, 0}));
  EXPECT_EQ(models_by_step("central", 0), (Models{0, 0, 0, 0}));
  for (const char* mode : {"sflv1", "sflv2"}) {
    EXPECT_EQ(models_by_step(mode, 0), (Models{0, 0, 0, 3})) << mode;  // an epoch: all three
    EXPECT_EQ(models_by_step(mode, 1), (Models{2, 1, 2, 1})) << mode;
    EXPECT_EQ(models_by_step(mode, 2), (Models{0, 2, 0, 2})) << mode;  // {0, 1}, {0, 2}
    EXPECT_EQ(models_by_step(mode, 3), (Models{0, 0, 3, 1})) << mode;  // the last round is short
  }
  EXPECT_EQ(models_by_step("sl", 0), (Models{2, 0, 2, 0}));  // 0 1 | 1 | 0 2 | 2: four take over
  EXPECT_EQ(models_by_step("sl", 0, ServiceOrder::kReverse), (Models{2, 1, 2, 1}));  // 1 0 | 1 | 2 0 | 2
}

TEST(Ledger, AStoppedEpochCountsWhatRanAndEndsNoRound) {
  for (const char* name : {"sflv1", "sflv2"}) {
    const ModeMap mode = test::map_of(name);
    const DealtSchedule epoch = dealt_for(mode, small_schedule());
    Participation total(3);
    const std::vector<Traffic> traffic = Ledger(kSizes, mode, 0).add(epoch, 2, false, total);
    ASSERT_EQ(traffic.size(), 2u);
    EXPECT_EQ(total.samples, (std::vector<std::int64_t>{2, 4, 0}));
    EXPECT_EQ(total.models, (std::vector<std::int64_t>{0, 0, 0}));
    EXPECT_EQ(traffic[0].up, 3 * 1007);
  }
}

TEST(Ledger, NobodyMovesAnythingUnderTheCentralSampler) {
  Schedule schedule = small_schedule();
  schedule.active_first.assign(5, 0);
  schedule.active_client.clear();
  schedule.active_slot.clear();
  Participation total(3);
  const auto traffic = Ledger(kSizes, test::map_of("psl"), 0).add({schedule, {}}, 4, true, total);
  for (const Traffic& step : traffic) EXPECT_EQ(step, Traffic{});
  EXPECT_EQ(total, Participation(3));
}

// Steps {0 x 2, 1}, {1 x 3}, {0, 2}, {2 x 2}: the second and the fourth send.
TEST(Ledger, SmashedDataCrossWhenTheyAreSent) {
  TrainSettings settings;
  settings.mode = "cse_fsl";
  settings.upload_every = 2;
  CutCosts sizes = kSizes;
  sizes.gradient = 0;
  const Ledger ledger(sizes, mode_map(settings), 0);
  Participation total(3);
  const auto traffic = ledger.add({small_schedule(), {}}, 4, true, total);
  const std::int64_t models = 3 * sizes.client_model;
  EXPECT_EQ(traffic[0], Traffic{});
  EXPECT_EQ(traffic[1], (Traffic{3 * 1007, 0, 0, 0}));
  EXPECT_EQ(traffic[2], Traffic{});
  EXPECT_EQ(traffic[3], (Traffic{2 * 1007 + models, models, models, models}));
  EXPECT_EQ(total.samples, (std::vector<std::int64_t>{3, 4, 3}));
  EXPECT_EQ(total.sent, (std::vector<std::int64_t>{0, 3, 2}));
  EXPECT_EQ(ledger.of_client(total, 1).up, 3 * 1007 + sizes.client_model);
}

// Against sets and maps over a random schedule.
TEST(Ledger, EqualsANaiveRecount) {
  const Schedule schedule = with_active_lists(test::random_input(12, 9, 20, 71).schedule);
  for (const std::string& name : test::mode_names()) {
    const ModeMap mode = test::map_of(name);
    for (const std::int64_t round : {0, 1, 4}) {
      const DealtSchedule epoch = dealt_for(mode, schedule, ServiceOrder::kRandom);
      Participation total(12);
      const auto traffic = Ledger(kSizes, mode, round).add(epoch, 9, true, total);
      std::map<int, std::int64_t> models;
      std::vector<std::int64_t> by_step(9);
      int before = -1;
      std::set<int> stepped;
      for (int t = 0; t < 9; ++t) {
        std::vector<int> turns;
        for (std::size_t m = 0; m < static_cast<std::size_t>(epoch.schedule.steps()); ++m) {
          if (epoch.parent_of(m) != t) continue;
          for (int i = epoch.schedule.step_first[m]; i < epoch.schedule.step_first[m + 1]; ++i) {
            const int client = epoch.schedule.client[static_cast<std::size_t>(i)];
            if (turns.empty() || turns.back() != client) turns.push_back(client);
          }
        }
        std::vector<int> moved;
        if (mode.model_traffic == ModelTraffic::kStep) moved = turns;
        if (mode.model_traffic == ModelTraffic::kTurn) {
          for (const int client : turns) {
            if (client != before) moved.push_back(client);
            before = client;
          }
        }
        if (mode.model_traffic == ModelTraffic::kRound) {
          stepped.insert(turns.begin(), turns.end());
          if (t == 8 || (round > 0 && (t + 1) % round == 0)) {
            moved.assign(stepped.begin(), stepped.end());
            stepped.clear();
          }
        }
        for (const int client : moved) ++models[client];
        by_step[static_cast<std::size_t>(t)] = static_cast<std::int64_t>(moved.size());
      }
      for (int k = 0; k < 12; ++k) EXPECT_EQ(total.models[static_cast<std::size_t>(k)], models[k]) << name;
      for (std::size_t t = 0; t < 9; ++t) {
        EXPECT_EQ(traffic[t].model_down, by_step[t] * kSizes.client_model)
            << name << " round " << round << " step " << t;
      }
    }
  }
}

}  // namespace
}  // namespace splitsim
