// Whole experiments in every learning mode: records, traffic and drift, and stops that lose nothing.
#include <gtest/gtest.h>

#include <atomic>

#include "base/error.hpp"
#include "base/safetensors.hpp"
#include "runtime/record/records.hpp"
#include "runtime/run/experiment.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/modes.hpp"
#include "tests/runtime/small_data.hpp"
#include "tests/runtime/where_read.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

template <class Context>
class ModeExperiment : public test::OnContext<Context> {
 protected:
  Summary run(const Config& config, const RunOptions& options = {}) {
    return Experiment<Context>(this->ctx(), config).run(options);
  }
  /// cnn with BatchNorm on both sides, rounds of four steps of 15 an epoch.
  Config config(const std::string& mode, std::vector<std::string> more = {}) const {
    std::vector<std::string> overrides = {"train.mode=" + mode,
                                          "model.name=cnn",
                                          "model.width=4",
                                          "model.client_norm=batch",
                                          "model.server_norm=batch",
                                          "train.round=4",
                                          "train.service_order=random",
                                          "train.client_optimizer.kind=adam",
                                          "train.client_optimizer.lr=0.01",
                                          "sampler.batch=12"};
    return data_.config(test::where_read(std::move(overrides), more));
  }
  static constexpr std::int64_t kSamples = 180;
  const test::SmallData data_{kSamples, 40, 8};
};
TYPED_TEST_SUITE(ModeExperiment, test::Contexts);

TYPED_TEST(ModeExperiment, EveryModeLearnsAndRecords) {
  for (const std::string& name : test::mode_names()) {
    SCOPED_TRACE(name);
    const ModeMap mode = test::map_of(name);
    const test::TempDir out;
    const Config config = this->config(
        name, mode.needs_groups() ? std::vector<std::string>{"clients.groups=3", "clients.grouping=round_robin"}
                                  : std::vector<std::string>{});
    const Summary summary = this->run(config, {.out_dir = out.path()});
    EXPECT_EQ(summary.status, "completed");
    EXPECT_GT(summary.test.accuracy.value(), 0.5);  // four classes
    const std::vector<StepRecord> steps = read_csv<StepRecord>(out / "steps.csv");
    ASSERT_EQ(steps.size(), 45u);  // steps of the schedule, whatever the turns
    std::int64_t samples = 0, up = 0, model_up = 0, now = 0;
    for (const StepRecord& step : steps) {
      samples += step.samples;
      up += step.bytes_up;
      model_up += step.model_bytes_up;
      if (!overlaps(mode.clock)) {
        EXPECT_EQ(step.start_ns, now);
      }
      EXPECT_GT(step.end_ns, step.start_ns);
      EXPECT_GT(step.active_clients, 0);
      now = step.end_ns;
    }
    EXPECT_EQ(samples, 3 * this->kSamples);
    EXPECT_EQ(up, summary.bytes_up);
    EXPECT_EQ(model_up, summary.model_bytes_up);
    std::int64_t of_clients = 0;
    for (const ClientRecord& client : read_csv<ClientRecord>(out / "clients.csv")) of_clients += client.bytes_up;
    EXPECT_EQ(of_clients, summary.bytes_up);
    const std::int64_t cut = 4 * 4 * 4 * 4 + 4;
    EXPECT_EQ(summary.bytes_up - summary.model_bytes_up, mode.cut_traffic ? 3 * this->kSamples * cut : 0);
    EXPECT_EQ(summary.model_bytes_up > 0, mode.model_traffic != ModelTraffic::kNever);
    for (const EpochRecord& epoch : read_epochs(out / "epochs.jsonl")) {
      EXPECT_EQ(epoch.client_drift.has_value(), mode.part[kClientSide].many());
      EXPECT_EQ(epoch.server_drift.has_value(), mode.part[kServerSide].many());
      EXPECT_GT(epoch.client_drift.value_or(1.0), 0.0);
    }
    // Named tensors, with running statistics, and a leading dimension where clients have replicas.
    const TensorFile model = read_safetensors(out / "model.safetensors");
    const auto shape = [&](int side, std::vector<std::int64_t> one) {
      const Sharing sharing = mode.part[side].replicas;
      if (sharing != Sharing::kAll) one.insert(one.begin(), sharing == Sharing::kGroup ? 3 : 6);
      return one;
    };
    EXPECT_NO_THROW(model.at("client.norm1.running_var", shape(kClientSide, {4})));
    EXPECT_NO_THROW(model.at("server.conv2.weight", shape(kServerSide, {8, 4, 3, 3})));
  }
}

TYPED_TEST(ModeExperiment, InterruptedRunsGoOnToTheSameBits) {
  for (const char* mode :
       {"sflv1", "sflv2", "sflv3", "sl", "cpsl", "gcpsl", "fedavg", "fedprox", "cse_fsl", "fsl_an"}) {
    SCOPED_TRACE(mode);
    std::vector<std::string> settings = {"train.epochs=2", "sampler.batch=20"};
    if (std::string(mode) != "sl") settings.push_back("clock.model_sync=round");
    const Config config = this->config(mode, settings);
    const Summary whole = this->run(config);
    const test::TempDir out;
    std::atomic<bool> stop = false;
    RunOptions options{.out_dir = out.path(), .interrupt = &stop};
    options.on_progress = [&](const ProgressState& at) { stop = at.epoch == 1 && at.step >= 5; };
    EXPECT_EQ(this->run(config, options).status, "interrupted");
    const Summary resumed = this->run(config, {.out_dir = out.path(), .resume = true});
    EXPECT_EQ(whole.model_sha256, resumed.model_sha256);
    EXPECT_EQ(whole.timeline_sha256, resumed.timeline_sha256);
    EXPECT_EQ(whole.test.accuracy, resumed.test.accuracy);
    EXPECT_EQ(whole.bytes_up, resumed.bytes_up);
    EXPECT_EQ(whole.model_bytes_down, resumed.model_bytes_down);
    EXPECT_EQ(whole.participation_mean, resumed.participation_mean);
    EXPECT_EQ(read_csv<StepRecord>(out / "steps.csv").size(), 18u);
  }
}

TYPED_TEST(ModeExperiment, TestsOfEachReplicaAreTheMeanOfTestsOfOne) {
  for (const std::string mode : {"psl_local", "gcpsl"}) {
    const test::TempDir out;
    const auto accuracy = [&](std::vector<std::string> more, const std::string& dir = {}) {
      more.push_back("train.epochs=1");
      if (mode == "gcpsl")
        more.insert(more.end(), {"clients.groups=3", "clients.grouping=round_robin", "train.round=0"});
      return this->run(this->config(mode, more), {.out_dir = dir}).test.accuracy.value();
    };
    std::vector<double> of_one;
    for (int k = 0; k < 6; ++k) of_one.push_back(accuracy({"eval.replicas=one", "eval.client=" + std::to_string(k)}));
    EXPECT_NEAR(accuracy({"eval.replicas=each"}, out.path()), std::accumulate(of_one.begin(), of_one.end(), 0.0) / 6,
                1e-12);
    const auto tests = read_csv<ClientTest>(out / "client_tests.csv");
    ASSERT_EQ(tests.size(), 6u);
    for (const ClientTest& test : tests) EXPECT_EQ(test.test_accuracy, of_one[static_cast<std::size_t>(test.client)]);
    if (mode != "gcpsl") continue;
    for (int k = 0; k < 3; ++k) EXPECT_EQ(of_one[k], of_one[k + 3]) << "clients of a group have one half";
  }
}

// The clock runs the steps, learning their turns: virtual time is that of the whole schedule whatever the order of
// learning, and the turns show in it.
TYPED_TEST(ModeExperiment, TurnsTakeTheirTime) {
  const auto time = [&](const char* mode) { return this->run(this->config(mode, {"train.epochs=1"})).virtual_time_s; };
  const double together = time("psl"), chain = time("sflv2"), relay = time("sl");
  EXPECT_LT(together, chain);
  EXPECT_LT(chain, relay);
}

TYPED_TEST(ModeExperiment, SettingsThatDoNotFitAreRefused) {
  for (const char* mode : {"sflv1", "sflv2", "sl", "psl"}) {
    test::expect_input_error([&] { this->run(this->config(mode, {"clock.barrier=run_ahead"})); }, "run_ahead", mode);
  }
  test::expect_input_error([&] { this->run(this->config("sl", {"clock.model_sync=round"})); }, "clock.model_sync");
}

// Server halves of 1000 clients: known before the start.
TYPED_TEST(ModeExperiment, ServerReplicasThatDoNotFitAreRefusedByThePlan) {
  const test::SmallData many(1200, 8, 32);
  const Config config = many.config({"partition.kind=iid", "partition.clients=1000", "sampler.batch=1000",
                                     "model.name=resnet18", "model.cut=layer1", "train.mode=sflv1"});
  Experiment<TypeParam> experiment(this->ctx(), config);
  const ExperimentPlan& plan = experiment.plan();
  EXPECT_EQ(plan.server_replicas, 1000);
  EXPECT_GT(plan.memory_bytes, 1000ull * 11000000ull * 4ull);
  if (plan.memory_bytes <= plan.available_bytes) GTEST_SKIP() << "this machine has enough memory";
  EXPECT_THROW(experiment.run({}), OutOfMemory);
}

TYPED_TEST(ModeExperiment, PlanMatchesWhatIsUsed) {
  for (const char* mode : {"psl", "sflv1", "sflv2"}) {
    Experiment<TypeParam> experiment(this->ctx(), this->config(mode));
    const auto planned = static_cast<double>(experiment.plan().memory_bytes);
    EXPECT_NEAR(static_cast<double>(experiment.run({}).peak_memory_bytes), planned, 0.1 * planned) << mode;
  }
}

}  // namespace
}  // namespace splitsim
