// Whole experiments on a small data set: what must be equal is equal bit for bit, and stops lose nothing.
#include "runtime/run/experiment.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <vector>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/npy.hpp"
#include "base/safetensors.hpp"
#include "runtime/config/config.hpp"
#include "runtime/train/conv_table.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/small_data.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using test::SmallData;

template <class Context>
class ExperimentTest : public test::OnContext<Context> {
 protected:
  Summary run(const Config& config, const RunOptions& options = {}) {
    return Experiment<Context>(this->ctx(), config).run(options);
  }
  static void expect_same_results(const Summary& a, const Summary& b) {
    EXPECT_EQ(a.schedule_sha256, b.schedule_sha256);
    EXPECT_EQ(a.timeline_sha256, b.timeline_sha256);
    EXPECT_EQ(a.model_sha256, b.model_sha256);
    EXPECT_EQ(a.test.accuracy, b.test.accuracy);
    EXPECT_EQ(a.batch_deviation_mean, b.batch_deviation_mean);
    EXPECT_EQ(a.batch_drift_mean, b.batch_drift_mean);
    EXPECT_EQ(a.disparity, b.disparity);
    EXPECT_EQ(a.virtual_time_s, b.virtual_time_s);
    EXPECT_EQ(a.participation_mean, b.participation_mean);
  }
  SmallData data_;
  const SmallData few_{180, 40};
};
TYPED_TEST_SUITE(ExperimentTest, test::Contexts);

TYPED_TEST(ExperimentTest, LearnsAndRecords) {
  const test::TempDir out;
  const Summary summary = this->run(this->data_.config(), {.out_dir = out.path()});
  EXPECT_EQ(summary.status, "completed");
  EXPECT_EQ(summary.epochs, 3);
  EXPECT_EQ(summary.steps_per_epoch, 15);
  EXPECT_GT(summary.test.accuracy.value(), 0.6);
  const std::vector<StepRecord> steps = read_csv<StepRecord>(out / "steps.csv");
  ASSERT_EQ(steps.size(), 45u);
  std::int64_t now = 0, samples = 0;
  for (const StepRecord& step : steps) {
    EXPECT_EQ(step.start_ns, now);
    now = step.end_ns;
    samples += step.samples;
  }
  EXPECT_EQ(samples, 3 * 600);
  EXPECT_DOUBLE_EQ(summary.virtual_time_s, static_cast<double>(now) * 1e-9);
  EXPECT_EQ(read_epochs(out / "epochs.jsonl").size(), 3u);
  const Summary reread = read_summary(out / "summary.json");
  EXPECT_EQ(reread.model_sha256, summary.model_sha256);
  EXPECT_EQ(read_npy<std::int32_t>(out / "partition.npy").values.size(), 600u);
  const TensorFile model = read_safetensors(out / "model.safetensors");
  EXPECT_NO_THROW(model.at("client.conv1.weight", {6, 1, 5, 5}));
  EXPECT_NO_THROW(model.at("server.fc3.bias", {4}));
  std::int64_t given = 0, models = 0, stepped = 0;
  for (const ClientRecord& client : read_csv<ClientRecord>(out / "clients.csv")) {
    given += client.bytes_up;
    models += client.model_bytes_up;
    stepped += client.steps;
  }
  EXPECT_EQ(models, stepped * 4 * (6 * 25 + 6));  // conv1, fp32, once per participation
  EXPECT_EQ(given, 1800 * (6 * 8 * 8 * 4 + 4) + models);
  EXPECT_EQ(given, summary.bytes_up);
  std::int64_t in_steps = 0;
  for (const StepRecord& step : steps) in_steps += step.bytes_up;
  EXPECT_EQ(in_steps, summary.bytes_up);
  EXPECT_EQ(to_toml(load_config(out / "config.toml", {})), to_toml(this->data_.config()));
}

TYPED_TEST(ExperimentTest, EqualRunsAreEqualAndSeedsMatter) {
  const Summary a = this->run(this->few_.config());
  this->expect_same_results(a, this->run(this->few_.config()));
  const Summary c = this->run(this->few_.config({"seed=2"}));
  EXPECT_NE(a.schedule_sha256, c.schedule_sha256);
  EXPECT_NE(a.model_sha256, c.model_sha256);
}

TYPED_TEST(ExperimentTest, CentralModeEqualsPslOnTheSameSchedule) {
  for (const char* sampler : {"ugs", "fls"}) {
    const std::string kind = std::string("sampler.kind=") + sampler;
    const Summary psl = this->run(this->few_.config({kind}));
    const Summary central = this->run(this->few_.config({kind, "train.mode=central"}));
    EXPECT_EQ(psl.schedule_sha256, central.schedule_sha256);
    EXPECT_EQ(psl.model_sha256, central.model_sha256);
    EXPECT_EQ(psl.test.accuracy, central.test.accuracy);
    EXPECT_LT(central.virtual_time_s, psl.virtual_time_s);
  }
}

TYPED_TEST(ExperimentTest, InterruptedRunsGoOnToTheSameBits) {
  for (std::vector<std::string> settings : std::vector<std::vector<std::string>>{
           {"train.mode=psl"}, {"train.mode=psl_local", "clock.barrier=run_ahead"}, {"train.weights=absgd"}}) {
    settings.push_back("sampler.batch=12");
    const Config config = this->few_.config(settings);
    const Summary whole = this->run(config);
    const test::TempDir out;
    std::atomic<bool> stop = false;
    RunOptions options{.out_dir = out.path(), .interrupt = &stop};
    options.on_progress = [&](const ProgressState& at) { stop = at.epoch == 1 && at.step >= 7; };
    const Summary half = this->run(config, options);
    EXPECT_EQ(half.status, "interrupted");
    EXPECT_EQ(half.epochs, 1);
    EXPECT_FALSE(std::filesystem::exists(out / "summary.json"));
    EXPECT_EQ(read_csv<StepRecord>(out / "steps.csv").size(), 15u);  // whole epochs only
    EXPECT_EQ(read_epochs(out / "epochs.jsonl").size(), 1u);
    const Summary resumed = this->run(config, {.out_dir = out.path(), .resume = true});
    this->expect_same_results(whole, resumed);
    EXPECT_EQ(read_csv<StepRecord>(out / "steps.csv").size(), 45u);
    EXPECT_EQ(read_epochs(out / "epochs.jsonl").size(), 3u);
  }
}

TYPED_TEST(ExperimentTest, CheckpointsOfOtherExperimentsAreRefused) {
  const test::TempDir out;
  this->run(this->data_.config(), {.out_dir = out.path()});
  std::filesystem::remove(out / "summary.json");  // else the run is finished, and nobody looks at its checkpoint
  test::expect_input_error(
      [&] { this->run(this->data_.config({"sampler.kind=fpls"}), {.out_dir = out.path(), .resume = true}); },
      "belongs to another experiment");
  const std::string file = out / "checkpoint/state.safetensors";
  std::string bytes = test::slurp(file);
  test::spill(file, bytes.substr(0, bytes.size() - 9));
  test::expect_input_error([&] { this->run(this->data_.config(), {.out_dir = out.path(), .resume = true}); },
                           "state.safetensors");
}

// What a checkpoint does not reach is only dropped once the checkpoint is known to fit.
TYPED_TEST(ExperimentTest, WeightsOfAnotherSizeCostNoRecords) {
  const test::TempDir out;
  const Config config = this->data_.config({"train.epochs=1"});
  this->run(config, {.out_dir = out.path()});
  std::filesystem::remove(out / "summary.json");
  const std::string beyond = test::slurp(out / "steps.csv") + "2,1,0.5";  // of an epoch that a kill has cut short
  const std::string file = out / "checkpoint/state.safetensors", whole = test::slurp(file);
  for (const char* name : {"client.parameters", "server.first_moment"}) {
    test::spill(out / "steps.csv", beyond);
    test::spill(file, whole);
    const TensorFile state = read_safetensors(file);
    std::vector<TensorView> tensors;
    for (const Tensor& tensor : state.tensors) {
      const auto size = static_cast<std::int64_t>(tensor.values.size()) - (tensor.name == name);
      tensors.push_back({tensor.name, {size}, {tensor.values.data(), static_cast<std::size_t>(size)}});
    }
    write_safetensors(file, tensors, state.metadata);
    test::expect_input_error([&] { this->run(config, {.out_dir = out.path(), .resume = true}); },
                             "do not have the size of this experiment's");
    EXPECT_EQ(test::slurp(out / "steps.csv"), beyond) << name;
  }
  test::spill(file, whole);
  EXPECT_EQ(this->run(config, {.out_dir = out.path(), .resume = true}).epochs, 1);
  EXPECT_EQ(read_csv<StepRecord>(out / "steps.csv").size(), 15u);
}

TYPED_TEST(ExperimentTest, DivergedRunsSaySo) {
  const std::vector<std::string> wild = {"train.client_optimizer.lr=1e30", "train.server_optimizer.lr=1e30",
                                         "train.server_optimizer.schedule=constant"};
  const test::TempDir out;
  const Summary stopped = this->run(this->data_.config(wild), {.out_dir = out.path()});
  EXPECT_EQ(stopped.status, "diverged");
  EXPECT_LT(stopped.epochs, 3);
  EXPECT_EQ(read_summary(out / "summary.json").status, "diverged");
  std::vector<std::string> on = wild;
  on.push_back("train.on_nonfinite=continue");
  const Summary continued = this->run(this->data_.config(on));
  EXPECT_EQ(continued.status, "completed");
  EXPECT_EQ(continued.epochs, 3);
}

TYPED_TEST(ExperimentTest, TestsWithinEpochsAndStopsAtAnAccuracy) {
  const test::TempDir out;
  const Config config = this->data_.config({"eval.every_steps=10", "eval.step_images=40"});
  this->run(config, {.out_dir = out.path()});
  const std::vector<EpochRecord> epochs = read_epochs(out / "epochs.jsonl");
  ASSERT_EQ(epochs.size(), 3u);
  ASSERT_EQ(epochs[0].step_evaluations.size(), 1u);  // after 10 of 45 steps
  ASSERT_EQ(epochs[1].step_evaluations.size(), 2u);  // after 20 and 30
  EXPECT_EQ(epochs[1].step_evaluations[0].step, 5);
  EXPECT_EQ(epochs[1].step_evaluations[1].step, 15);
  const double share = epochs[0].step_evaluations[0].test_accuracy * 40;
  EXPECT_DOUBLE_EQ(share, std::round(share));
  const Summary plain = this->run(this->data_.config());
  EXPECT_EQ(read_summary(out / "summary.json").model_sha256, plain.model_sha256);  // testing changes nothing

  const Summary stopped = this->run(this->data_.config({"eval.every_steps=1", "eval.stop_at_accuracy=0.3"}));
  EXPECT_EQ(stopped.status, "completed");
  EXPECT_LT(stopped.virtual_time_s, plain.virtual_time_s);
}

TYPED_TEST(ExperimentTest, CentralIsTheServersTimeAlone) {
  const Summary central = this->run(this->data_.config({"train.mode=central"}));
  EXPECT_EQ(central.bytes_up, 0);
  // Only the server works: 15 steps of 40 samples, 3 epochs, 1 ms + 0.01 ms per sample.
  EXPECT_DOUBLE_EQ(central.virtual_time_s, 3 * (15 * 1e-3 + 600 * 1e-5));
  // Its old name as a sampler.
  const Config old = this->data_.config({"sampler.kind=central", "train.mode=psl_local"});
  ASSERT_EQ(old.notes.size(), 1u);
  EXPECT_NE(old.notes[0].find("sampler.kind = \"ugs\" with train.mode = \"central\""), std::string::npos);
  EXPECT_EQ(this->run(old).model_sha256, central.model_sha256);
  EXPECT_EQ(config_sha256(old), config_sha256(this->data_.config({"train.mode=central"})));
  test::expect_input_error([&] { this->run(this->data_.config({"clock.barrier=run_ahead"})); }, "run_ahead",
                           "two, one");
}

TYPED_TEST(ExperimentTest, MoreMemoryThanThereIsIsRefusedBeforeTheStart) {
  const test::TempDir out;
  // An evaluation batch of 65536 images of 128 x 128 in a cnn: hundreds of GB, whatever the machine.
  const SmallData large(24, 4, 128);
  const Config config = large.config({"model.name=cnn", "eval.batch=65536", "sampler.batch=12"});
  Experiment<TypeParam> experiment(this->ctx(), config);
  const ExperimentPlan& plan = experiment.plan();
  std::uint64_t sum = 0;
  for (const MemoryItem& item : plan.memory) sum += item.bytes;
  EXPECT_EQ(sum, plan.memory_bytes);
  if (plan.memory_bytes <= plan.available_bytes)
    GTEST_SKIP() << "this machine has enough memory for " << sum << " bytes";
  EXPECT_THROW(experiment.run({.out_dir = out.path()}), OutOfMemory);
  EXPECT_TRUE(std::filesystem::is_empty(out.path()));
}

TYPED_TEST(ExperimentTest, WhatIsAGpusIsRefusedElsewhere) {
  const test::TempDir dir;
  const std::string path = dir / "table.json";
  write_conv_table(path, {this->ctx().device_name(), {}});
  Config with_table = this->data_.config(), lower = this->data_.config();
  with_table.train.conv_table = path;
  lower.train.precision = Precision::kBf16;
  const auto make = [&](const Config& config) { Experiment<TypeParam>(this->ctx(), config); };
  if (TypeParam::kIsDevice) {
    EXPECT_NO_THROW(make(lower));
    EXPECT_NO_THROW(make(with_table));
    write_conv_table(path, {"another card", {}});
    test::expect_input_error([&] { make(with_table); }, "train.conv_table", "another card", this->ctx().device_name());
  } else {
    test::expect_input_error([&] { make(lower); }, "train.precision", "bf16", "--device cuda");
    test::expect_input_error([&] { make(with_table); }, "train.conv_table", "--device cuda");
  }
}

TYPED_TEST(ExperimentTest, PlanMatchesWhatIsUsed) {
  Experiment<TypeParam> experiment(this->ctx(), this->data_.config());
  const std::uint64_t planned = experiment.plan().memory_bytes;
  const Summary summary = experiment.run({});
  EXPECT_NEAR(static_cast<double>(summary.peak_memory_bytes), static_cast<double>(planned),
              0.1 * static_cast<double>(planned));
}

TEST(ExperimentThreads, ResultsDoNotDependOnTheNumberOfThreads) {
  const SmallData data;
  std::vector<Summary> results;
  for (const int threads : {1, 2, 7}) {
    CpuContext ctx(threads);
    results.push_back(Experiment<CpuContext>(ctx, data.config({"train.epochs=1"})).run({}));
  }
  for (const Summary& other : results) {
    EXPECT_EQ(results[0].partition_sha256, other.partition_sha256);
    EXPECT_EQ(results[0].schedule_sha256, other.schedule_sha256);
    EXPECT_EQ(results[0].timeline_sha256, other.timeline_sha256);
    EXPECT_EQ(results[0].model_sha256, other.model_sha256);
  }
}

}  // namespace
}  // namespace splitsim
