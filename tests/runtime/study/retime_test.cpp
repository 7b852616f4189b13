// Runs retimed without training: the recorded latencies give the recorded bits, other ones what a run with them gives.
#include "runtime/study/retime.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/npy.hpp"
#include "runtime/run/experiment.hpp"
#include "runtime/run/run_writer.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/where_read.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

/// 240 + 60 images of 6x6 in three classes and a small net.
class TinyData {
 public:
  TinyData() {
    write("", 240);
    write("_test", 60);
  }
  Config config(std::vector<std::string> overrides = {}) const {
    overrides.insert(overrides.begin(),
                     {"data.name=npy", "data.dir=\"" + dir_.path() + "\"", "model.name=layers", "model.cut=linear1",
                      "model.layers=[{kind='linear', out=16}, {kind='relu'}, {kind='linear'}]",
                      "partition.kind=dirichlet", "partition.clients=6", "sampler.batch=24", "train.epochs=3",
                      "train.checkpoint_epochs=0", "clock.jitter={kind=\"exponential\",mean=1.0}"});
    return parse_config("", "test", overrides);
  }

 private:
  void write(const std::string& suffix, std::int64_t count) {
    NpyArray<std::uint8_t> x{{count, 6, 6}, {}};
    NpyArray<std::int32_t> y{{count}, {}};
    for (std::int64_t i = 0; i < count; ++i) {
      y.values.push_back(static_cast<std::int32_t>(i % 3));
      for (int j = 0; j < 36; ++j) x.values.push_back(static_cast<std::uint8_t>(j % 3 == i % 3 ? 200 : (i * j) % 60));
    }
    write_npy(dir_ / ("x" + suffix + ".npy"), x);
    write_npy(dir_ / ("y" + suffix + ".npy"), y);
  }
  test::TempDir dir_;
};

template <class Context>
class RetimeTest : public test::OnContext<Context> {
 protected:
  RecordedRun recorded(const Config& config) {
    Experiment<Context>(this->ctx(), config).run({.out_dir = out_.path()});
    return load_run(out_.path(), {});
  }
  std::string latency_file(const std::string& text) {
    test::spill(out_ / "latency.toml", text);
    return out_ / "latency.toml";
  }
  const TinyData data_;
  const test::TempDir out_;
};
TYPED_TEST_SUITE(RetimeTest, test::Contexts);

TYPED_TEST(RetimeTest, RecordedLatencyGivesTheRecordedTimelines) {
  for (const char* sampler : {"ugs", "urn", "fls"}) {
    const test::TempDir again;
    const Config config = this->data_.config(test::where_read(
        {"sampler.delta=1.5"}, {std::string("sampler.kind=") + sampler, "eval.every_steps=4", "eval.step_images=20"}));
    Experiment<TypeParam>(this->ctx(), config).run({.out_dir = again.path()});
    const RecordedRun run = load_run(again.path(), {});
    test::spill(again / "same.toml", "[clock]\n");
    const LatencySettings latency = load_latency(again / "same.toml", run);
    const std::vector<EpochRecord> epochs = retime(this->ctx(), run, latency, config.seed);
    ASSERT_EQ(epochs.size(), 3u);
    EXPECT_FALSE(run.epochs[0].step_evaluations.empty());
    for (std::size_t i = 0; i < epochs.size(); ++i) {
      EXPECT_FALSE(epochs[i].timeline_sha256.empty());
      EXPECT_EQ(epochs[i], run.epochs[i]) << sampler << ", epoch " << i;  // hashes, times, everything
    }
  }
}

TYPED_TEST(RetimeTest, ATraceOfOtherContentIsRefused) {
  const test::TempDir dir;
  const auto write = [&](const char* delay) {
    std::string text = "client,compute_ms_per_sample,up_mbps,down_mbps,delay_ms\n";
    for (int k = 0; k < 6; ++k) text += std::to_string(k) + ",0.1,10,20," + delay + "\n";
    test::spill(dir / "trace.csv", text);
  };
  write("5");
  const Config config = this->data_.config(
      {"clock.delay_ms={kind=\"trace\"}", "clock.trace_file=\"" + (dir / "trace.csv") + "\"", "train.epochs=1"});
  std::filesystem::create_directory(dir / "run");
  Experiment<TypeParam>(this->ctx(), config).run({.out_dir = dir / "run"});
  const RecordedRun run = load_run(dir / "run", {});
  EXPECT_EQ(retime(this->ctx(), run, run.scene.config.clock, run.scene.config.seed)[0].timeline_sha256,
            run.epochs[0].timeline_sha256);
  write("50");
  test::expect_input_error([&] { load_run(dir / "run", {}); }, "clock.trace_file", "other content");
}

// ugs does not see delays: its run under other latencies has the same schedule and exactly the retimed timeline.
TYPED_TEST(RetimeTest, OtherLatenciesGiveWhatARunWithThemGives) {
  const RecordedRun run = this->recorded(this->data_.config({"eval.every_steps=4"}));
  const std::string file =
      this->latency_file("[clock]\nbarrier = \"one\"\ndelay_ms = { kind = \"uniform\", low = 1.0, high = 30.0 }\n");
  const LatencySettings latency = load_latency(file, run);
  EXPECT_EQ(latency.jitter.kind, DistributionKind::kExponential);  // left out: as recorded
  const std::vector<EpochRecord> epochs = retime(this->ctx(), run, latency, run.scene.config.seed);

  const test::TempDir other;
  const Config config = this->data_.config(
      {"eval.every_steps=4", "clock.barrier=one", "clock.delay_ms={kind=\"uniform\",low=1.0,high=30.0}"});
  Experiment<TypeParam>(this->ctx(), config).run({.out_dir = other.path()});
  const std::vector<EpochRecord> expected = read_epochs(other / "epochs.jsonl");
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    EXPECT_NE(epochs[i].timeline_sha256, run.epochs[i].timeline_sha256);
    EXPECT_EQ(epochs[i].timeline_sha256, expected[i].timeline_sha256);
    EXPECT_EQ(epochs[i].virtual_time_s, expected[i].virtual_time_s);
    EXPECT_EQ(epochs[i].step_evaluations, expected[i].step_evaluations);  // the same model, at other times
    EXPECT_NE(epochs[i].step_evaluations, run.epochs[i].step_evaluations);
  }
}

// The point of retiming: delays that the sampler did not see.
TYPED_TEST(RetimeTest, DelayAwareSamplersKeepTheirSchedules) {
  const RecordedRun run = this->recorded(this->data_.config({"sampler.kind=urn", "sampler.delta=2.0"}));
  const std::string file = this->latency_file("[clock.delay_ms]\nkind = \"exponential\"\nmean = 5.0\n");
  const std::vector<EpochRecord> epochs = retime(this->ctx(), run, load_latency(file, run), run.scene.config.seed);
  EXPECT_EQ(epochs[0].schedule_sha256, run.epochs[0].schedule_sha256);
  EXPECT_NE(epochs[0].timeline_sha256, run.epochs[0].timeline_sha256);
}

TYPED_TEST(RetimeTest, AnotherSeedDrawsOtherLatencies) {
  const RecordedRun run = this->recorded(this->data_.config());
  const std::vector<EpochRecord> epochs = retime(this->ctx(), run, run.scene.config.clock, run.scene.config.seed + 1);
  EXPECT_NE(epochs[0].timeline_sha256, run.epochs[0].timeline_sha256);
  EXPECT_EQ(epochs, retime(this->ctx(), run, run.scene.config.clock, run.scene.config.seed + 1));
}

TYPED_TEST(RetimeTest, ARunThatStoppedEarlyEndsWhereItStopped) {
  const RecordedRun run =
      this->recorded(this->data_.config({"eval.every_steps=3", "eval.stop_at_accuracy=0.34", "train.epochs=2"}));
  ASSERT_LT(run.epochs.back().steps, 10);
  const std::vector<EpochRecord> epochs = retime(this->ctx(), run, run.scene.config.clock, run.scene.config.seed);
  EXPECT_EQ(epochs.back().virtual_time_s, run.epochs.back().virtual_time_s);
  EXPECT_EQ(epochs.back().step_evaluations, run.epochs.back().step_evaluations);
}

TYPED_TEST(RetimeTest, RefusesWhatIsNotTheRecordedRun) {
  RecordedRun run = this->recorded(this->data_.config());
  const std::string dir = this->out_.path();
  test::expect_input_error([&] { load_run(dir, {"sampler.batch=7"}); }, "--set", "data.dir");
  test::expect_input_error([&] { load_latency(this->latency_file("[sampler]\nbatch = 3\n"), run); }, "latency.toml",
                           "sampler.batch = 3", "[clock]");
  test::expect_input_error([&] { load_latency(this->latency_file("[clock]\nbarier = \"one\"\n"), run); }, "barier",
                           "did you mean");
  const LatencySettings run_ahead = load_latency(this->latency_file("[clock]\nbarrier = \"run_ahead\"\n"), run);
  test::expect_input_error([&] { retime(this->ctx(), run, run_ahead, 1); }, "run_ahead", "psl");
  RecordedRun tampered = run;
  tampered.epochs[1].schedule_sha256[0] ^= 1;
  test::expect_input_error([&] { retime(this->ctx(), tampered, run.scene.config.clock, 1); }, "epochs.jsonl", "epoch 2",
                           "schedule");
  RunWriter writer(dir);
  run.scene.population.owner[0] = (run.scene.population.owner[0] + 1) % 6;
  writer.write_partition(run.scene.population);
  test::expect_input_error([&] { load_run(dir, {}); }, "partition.npy", "changed");
  std::filesystem::remove(dir + "/summary.json");
  test::expect_input_error([&] { load_run(dir, {}); }, "summary.json");
  test::expect_input_error([&] { load_run(dir + "/none", {}); }, "none/config.toml");
}

}  // namespace
}  // namespace splitsim
