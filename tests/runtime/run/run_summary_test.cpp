// A run's files against one another, and its summary against what it read and did: every figure is the one that its
// name says.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/npy.hpp"
#include "kernels/device/context.hpp"
#include "runtime/config/seeds.hpp"
#include "runtime/record/records.hpp"
#include "runtime/run/checkpoint.hpp"
#include "runtime/run/experiment.hpp"
#include "tests/runtime/small_data.hpp"

namespace splitsim {
namespace {

using test::expect_input_error;
using test::SmallData;
using test::TempDir;

class RunSummary : public ::testing::Test {
 protected:
  Summary run(const Config& config, const RunOptions& options = {}) {
    CpuContext ctx(1);
    return Experiment<CpuContext>(ctx, config).run(options);
  }
  // Steps of 36, the last of an epoch of 12; the sides learn at different rates.
  Config uneven(std::vector<std::string> more = {}) {
    more.insert(more.begin(),
                {"data.validation=0.2", "sampler.batch=36", "sampler.chunks=last_short", "train.schedule=constant",
                 "train.client_optimizer.lr=0.01", "train.server_optimizer.lr=0.03"});
    return data_.config(more);
  }
  SmallData data_;
};

TEST_F(RunSummary, EpochsAreSumsAndMeansOfTheirSteps) {
  const TempDir out;
  const Summary summary = run(uneven(), {.out_dir = out.path()});
  const std::vector<StepRecord> steps = read_csv<StepRecord>(out / "steps.csv");
  double wall = 0.0, deviation = 0.0, drift = 0.0;
  std::int64_t samples_of_run = 0;
  for (const EpochRecord& epoch : read_epochs(out / "epochs.jsonl")) {
    double loss = 0.0, deviations = 0.0, drifts = 0.0;
    std::int64_t samples = 0, correct = 0, count = 0, end_ns = 0;
    for (const StepRecord& step : steps) {
      if (step.epoch != epoch.epoch) continue;
      EXPECT_EQ(step.client_lr, 0.01f);
      EXPECT_EQ(step.server_lr, 0.03f);
      EXPECT_EQ(step.samples, step.step < 13 ? 36 : 12);
      loss += step.train_loss * step.samples;
      deviations += step.batch_deviation;
      drifts += step.batch_drift;
      EXPECT_EQ(step.batch_drift > 0.0, step.step > 0);
      samples += step.samples;
      correct += step.train_correct;
      end_ns = step.end_ns;
      ++count;
    }
    EXPECT_EQ(epoch.steps, count);
    EXPECT_EQ(epoch.samples, samples);
    EXPECT_DOUBLE_EQ(epoch.train_loss, loss / static_cast<double>(samples));
    EXPECT_DOUBLE_EQ(epoch.train_accuracy, static_cast<double>(correct) / static_cast<double>(samples));
    EXPECT_DOUBLE_EQ(epoch.batch_deviation_mean, deviations / static_cast<double>(count));
    EXPECT_DOUBLE_EQ(epoch.batch_drift_mean, drifts / static_cast<double>(count - 1));
    EXPECT_DOUBLE_EQ(epoch.virtual_time_s, static_cast<double>(end_ns) * 1e-9);
    EXPECT_GT(epoch.schedule_wall_s, 0.0);
    EXPECT_LT(epoch.schedule_wall_s + epoch.train_wall_s, epoch.wall_time_s);
    wall += epoch.wall_time_s;
    deviation += deviations;
    drift += drifts;
    samples_of_run += samples;
  }
  EXPECT_EQ(samples_of_run, 3 * 480);
  EXPECT_DOUBLE_EQ(summary.wall_time_s, wall);
  EXPECT_DOUBLE_EQ(summary.batch_deviation_mean, deviation / static_cast<double>(steps.size()));
  EXPECT_DOUBLE_EQ(summary.batch_drift_mean, drift / static_cast<double>(steps.size() - 3));
  EXPECT_EQ(summary.settings.client_lr_last.value(), static_cast<double>(0.01f));
  EXPECT_EQ(summary.settings.server_lr_last.value(), static_cast<double>(0.03f));

  std::vector<std::int64_t> took_part;
  std::vector<std::int64_t> owned(6, 0);
  for (const std::int32_t client : read_npy<std::int32_t>(out / "partition.npy").values) {
    ++owned[static_cast<std::size_t>(client)];
  }
  for (const ClientRecord& client : read_csv<ClientRecord>(out / "clients.csv")) {
    EXPECT_EQ(client.samples, owned[static_cast<std::size_t>(client.client)]);  // not what it trained, thrice that
    took_part.push_back(client.steps);
  }
  EXPECT_EQ(summary.participation_min, *std::min_element(took_part.begin(), took_part.end()));
  EXPECT_EQ(summary.participation_max, *std::max_element(took_part.begin(), took_part.end()));
  EXPECT_LT(summary.participation_min, summary.participation_max);
}

TEST_F(RunSummary, TestsAreThoseOfTheirSet) {
  const TempDir out;
  const Config config = uneven({"eval.every_steps=10", "eval.step_images=50"});
  const Summary summary = run(config, {.out_dir = out.path()});
  // By epoch, step and set.
  std::map<std::tuple<std::int32_t, std::int64_t, std::string>, TestRecord> tests;
  for (const TestRecord& test : read_tests(out / "tests.jsonl")) {
    EXPECT_TRUE(tests.insert({{test.epoch, test.step, test.set}, test}).second) << "twice";
  }
  const std::vector<EpochRecord> epochs = read_epochs(out / "epochs.jsonl");
  std::size_t within = 0;
  for (const EpochRecord& epoch : epochs) {
    for (const StepEvaluation& evaluation : epoch.step_evaluations) {
      const TestRecord& test = tests.at({epoch.epoch, evaluation.step, "test"});
      const TestRecord& validation = tests.at({epoch.epoch, evaluation.step, "validation"});
      EXPECT_EQ(evaluation.test_loss, test.loss);
      EXPECT_EQ(evaluation.test_accuracy, test.accuracy);
      EXPECT_EQ(evaluation.validation_loss, validation.loss);
      EXPECT_EQ(evaluation.validation_accuracy, validation.accuracy);
      EXPECT_EQ(evaluation.virtual_time_s, validation.virtual_time_s);
      EXPECT_EQ(test.images, 50);
      EXPECT_EQ(validation.images, 50);
      EXPECT_NE(test.loss, validation.loss);
      ++within;
    }
    const TestRecord& test = tests.at({epoch.epoch, 14, "test"});
    const TestRecord& validation = tests.at({epoch.epoch, 14, "validation"});
    EXPECT_EQ(epoch.test, (TestFigures{test.loss, test.accuracy, test.macro_accuracy, test.macro_f1}));
    EXPECT_EQ(epoch.test_recall, test.recall);
    EXPECT_EQ(epoch.validation,
              (TestFigures{validation.loss, validation.accuracy, validation.macro_accuracy, validation.macro_f1}));
    EXPECT_EQ(test.images, 100);
    EXPECT_EQ(validation.images, 120);
  }
  EXPECT_EQ(within, 4u);  // of 42 steps
  EXPECT_EQ(summary.test, epochs.back().test);
  EXPECT_EQ(summary.test_recall, epochs.back().test_recall);
  EXPECT_EQ(summary.validation, epochs.back().validation);
  const Dataset data = load_dataset(config.data, seeds_of(config).data);
  EXPECT_EQ(summary.settings.pixel_mean, std::vector<double>{data.mean[0]});
  EXPECT_EQ(summary.settings.pixel_std, std::vector<double>{data.std[0]});
}

TEST_F(RunSummary, SettingsAreWhatWasAskedFor) {
  const TempDir out;
  const Summary summary =
      run(data_.config({"train.client_optimizer.kind=adam", "train.client_optimizer.lr=0.001",
                        "train.server_optimizer.lr=0.03", "train.epochs=9", "eval.stop_at_accuracy=0.01"}),
          {.out_dir = out.path()});
  const RunSettings& asked = summary.settings;
  EXPECT_EQ(summary.epochs, 1);
  EXPECT_EQ(asked.epochs, 9);
  EXPECT_EQ(asked.client_optimizer, "adam");
  EXPECT_EQ(asked.server_optimizer, "sgd");
  EXPECT_EQ(asked.client_lr, 0.001);
  EXPECT_EQ(asked.server_lr, 0.03);
  EXPECT_EQ(asked.clients, 6);
  EXPECT_EQ(asked.batch, 40);
  EXPECT_EQ(std::vector<std::string>({asked.data, asked.partition, asked.sampler, asked.model, asked.cut, asked.mode}),
            std::vector<std::string>({"npy", "dirichlet", "ugs", "lenet", "pool1", "psl"}));
}

TEST_F(RunSummary, TheModelsHashIsOfBothSides) {
  const auto model = [&](const char* client, const char* server) {
    return run(data_.config({"train.epochs=1", std::string("train.client_optimizer.lr=") + client,
                             std::string("train.server_optimizer.lr=") + server}))
        .model_sha256;
  };
  const std::set<std::string> hashes = {model("0.0", "0.0"), model("0.01", "0.0"), model("0.0", "0.01"),
                                        model("0.0", "0.02")};
  EXPECT_EQ(hashes.size(), 4u);
}

// Frozen halves answer the same whoever is served when.
TEST_F(RunSummary, AStepInTurnsCountsAllOfItsTurns) {
  const TempDir together, turns;
  const auto config = [&](const char* mode) {
    return data_.config({std::string("train.mode=") + mode, "train.lr=0.0", "train.epochs=1"});
  };
  run(config("psl"), {.out_dir = together.path()});
  run(config("sflv2"), {.out_dir = turns.path()});
  const std::vector<StepRecord> one = read_csv<StepRecord>(together / "steps.csv"),
                                two = read_csv<StepRecord>(turns / "steps.csv");
  ASSERT_EQ(one.size(), two.size());
  for (std::size_t t = 0; t < one.size(); ++t) {
    EXPECT_EQ(one[t].samples, two[t].samples);
    EXPECT_EQ(one[t].active_clients, two[t].active_clients);
    EXPECT_EQ(one[t].train_correct, two[t].train_correct);
    EXPECT_NEAR(one[t].train_loss, two[t].train_loss, 1e-5);
  }
}

TEST_F(RunSummary, DriftIsOfItsOwnSide) {
  const TempDir out;
  run(data_.config({"train.mode=sflv1", "train.epochs=1", "train.server_optimizer.lr=0.0"}), {.out_dir = out.path()});
  const EpochRecord epoch = read_epochs(out / "epochs.jsonl").at(0);
  EXPECT_GT(epoch.client_drift.value(), 0.0);
  EXPECT_EQ(epoch.server_drift.value(), 0.0);
}

TEST_F(RunSummary, ClientsThatHoldEachPhaseUp) {
  const TempDir dir;
  std::vector<std::int32_t> owner;
  for (std::int32_t i = 0; i < 600; ++i) owner.push_back(i % 2);
  write_npy<std::int32_t>(dir / "owner.npy", {{600}, owner});
  test::spill(dir / "trace.csv", "client,up_mbps,down_mbps\n0,1,1000\n1,1000,1\n");  // slow to send, slow to receive
  run(data_.config({"partition.kind=file", "partition.clients=2", "partition.file=\"" + (dir / "owner.npy") + "\"",
                    "clock.uplink_mbps={kind=\"trace\"}", "clock.downlink_mbps={kind=\"trace\"}",
                    "clock.trace_file=\"" + (dir / "trace.csv") + "\"", "train.epochs=1"}),
      {.out_dir = dir.path()});
  for (const StepRecord& step : read_csv<StepRecord>(dir / "steps.csv")) {
    ASSERT_EQ(step.active_clients, 2);
    EXPECT_EQ(step.critical_forward, 0);
    EXPECT_EQ(step.critical_backward, 1);
  }
}

TEST_F(RunSummary, ARunThatStopsWithinAnEpochWaitedInNoFurtherStep) {
  const TempDir out;
  run(data_.config({"record.waiting=true", "eval.every_steps=1", "eval.stop_at_accuracy=0.01"}),
      {.out_dir = out.path()});
  ASSERT_EQ(read_csv<StepRecord>(out / "steps.csv").size(), 1u);
  std::map<std::int32_t, std::int64_t> active;
  for (const WaitingRecord& wait : read_csv<WaitingRecord>(out / "waiting.csv")) {
    EXPECT_EQ(wait.step, 0);
    active[wait.client] += wait.active_ns;
  }
  for (const ClientRecord& client : read_csv<ClientRecord>(out / "clients.csv")) {
    EXPECT_EQ(client.active_ns, active[client.client]);
    EXPECT_LE(client.steps, 1);
  }
}

TEST_F(RunSummary, OnlyClientsThatTrainHaveTestsOfTheirOwn) {
  const TempDir dir;
  std::vector<std::int32_t> owner;
  for (std::int32_t i = 0; i < 600; ++i) owner.push_back(i % 4 + i % 4 / 3);  // clients 0, 1, 2, 4 of 6
  write_npy<std::int32_t>(dir / "owner.npy", {{600}, owner});
  run(data_.config({"partition.kind=file", "partition.file=\"" + (dir / "owner.npy") + "\"", "train.epochs=1",
                    "train.mode=psl_local", "eval.replicas=each"}),
      {.out_dir = dir.path()});
  std::vector<std::int32_t> tested;
  for (const ClientTest& test : read_csv<ClientTest>(dir / "client_tests.csv")) tested.push_back(test.client);
  EXPECT_EQ(tested, (std::vector<std::int32_t>{0, 1, 2, 4}));
}

// ---- inputs ----

TEST_F(RunSummary, EveryFileThatIsReadIsAnInput) {
  const TempDir dir, first, second;
  const Summary plain = run(data_.config({"train.epochs=1"}), {.out_dir = first.path()});
  const auto names = [](const Summary& summary) {
    std::set<std::string> set;
    for (const auto& [name, hash] : summary.inputs) {
      EXPECT_EQ(hash.size(), 64u) << name;
      set.insert(name);
    }
    return set;
  };
  EXPECT_EQ(names(plain), (std::set<std::string>{"images", "labels", "partition"}));
  const std::vector<std::int32_t> owner = read_npy<std::int32_t>(first / "partition.npy").values;
  NpyArray<std::int32_t> schedule{{600, 3}, {}};
  for (std::int32_t step = 0; step < 6; ++step) {
    for (std::int32_t client = 0; client < 6; ++client) {
      for (std::int32_t i = 100 * step; i < 100 * (step + 1); ++i) {
        if (owner[static_cast<std::size_t>(i)] != client) continue;
        schedule.values.insert(schedule.values.end(), {step, client, i});
      }
    }
  }
  write_npy(dir / "schedule.npy", schedule);
  test::spill(dir / "trace.csv", "client,delay_ms\n0,1\n1,2\n2,3\n3,4\n4,5\n5,6\n");
  const auto quoted = [](const std::string& key, const std::string& path) { return key + "=\"" + path + "\""; };
  const Summary all =
      run(data_.config({"train.epochs=1", "sampler.kind=file", quoted("sampler.file", dir / "schedule.npy"),
                        "model.init=file", quoted("model.file", first / "model.safetensors"),
                        "clock.delay_ms={kind=\"trace\"}", quoted("clock.trace_file", dir / "trace.csv"),
                        "partition.kind=file", quoted("partition.file", first / "partition.npy")}),
          {.out_dir = second.path()});
  EXPECT_EQ(names(all), (std::set<std::string>{"images", "initial_model", "labels", "model_file", "partition",
                                               "schedule", "trace"}));
  for (const char* name : {"images", "labels", "partition"}) EXPECT_EQ(all.inputs.at(name), plain.inputs.at(name));
}

TEST_F(RunSummary, InputsAreComparedByNameWhicheverThereAre) {
  using Inputs = std::map<std::string, std::string>;
  const Inputs recorded = {{"images", "aa"}, {"trace", "bb"}};
  EXPECT_NO_THROW(check_inputs("runs/a", recorded, recorded));
  expect_input_error(
      [&] {
        check_inputs("runs/a", recorded, Inputs{{"images", "aa"}, {"trace", "cc"}});
      },
      "--resume runs/a: its trace has other content", "sha256 cc, recorded is sha256 bb");
  expect_input_error([&] { check_inputs("runs/a", recorded, Inputs{{"images", "aa"}}); }, "its trace", "none");
  expect_input_error([&] { check_inputs("runs/a", Inputs{{"images", "aa"}}, recorded); }, "recorded is none");
  expect_input_error(
      [&] {
        check_inputs("runs/a", recorded, Inputs{{"images", "ab"}, {"trace", "cc"}});
      },
      "its images");
}

TEST_F(RunSummary, AFinishedRunIsNotThatOfOtherData) {
  const TempDir out;
  const Config config = data_.config({"train.epochs=1"});
  run(config, {.out_dir = out.path()});
  const SmallData longer(640);
  Config other = config;
  other.data.dir = longer.config().data.dir;
  expect_input_error([&] { run(other, {.out_dir = out.path(), .resume = true}); }, "its images has other content");
  EXPECT_EQ(run(config, {.out_dir = out.path(), .resume = true}).status, "completed");
}

}  // namespace
}  // namespace splitsim
