// Whole experiments whose clients come and go: every mode with every sampler, what was lost in all records, and stops
// that lose nothing.
#include <gtest/gtest.h>

#include <atomic>

#include "runtime/record/records.hpp"
#include "runtime/run/experiment.hpp"
#include "samplers/registry.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/modes.hpp"
#include "tests/runtime/small_data.hpp"
#include "tests/runtime/where_read.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

template <class Context>
class AbsenceExperiment : public test::OnContext<Context> {
 protected:
  Summary run(const Config& config, const RunOptions& options = {}) {
    return Experiment<Context>(this->ctx(), config).run(options);
  }
};
TYPED_TEST_SUITE(AbsenceExperiment, test::Contexts);

// A device, which may be emulated, sees every mode and every sampler with every absence, and every mode with every sampler;
// a CPU all that there is.
TYPED_TEST(AbsenceExperiment, EveryModeWithEverySampler) {
  const test::SmallData data(48, 8, 4);
  int row = 0;
  for (const std::string& mode : test::mode_names()) {
    int column = row++;
    for (const SamplerInfo& sampler : sampler_infos()) {
      if (sampler.name == "file" || sampler.name == "callable") continue;
      int diagonal = column++;
      for (const std::vector<std::string>& absence : std::vector<std::vector<std::string>>{
               {}, {"clients.availability=bernoulli", "clients.available=0.7"}, {"clock.deadline_ms=3"}}) {
        if (TypeParam::kIsDevice && diagonal++ % 3 != 0) continue;
        SCOPED_TRACE(mode + " " + sampler.name + (absence.empty() ? "" : " " + absence.back()));
        std::vector<std::string> settings = {"clients.groups=3", "train.round=1", "clients.on_absence=defer"};
        settings.insert(settings.end(), absence.begin(), absence.end());
        const Config config = data.config(test::where_read(
            settings, test::small_net({"train.mode=" + mode, "sampler.kind=" + sampler.name, "sampler.batch=24",
                                       "train.epochs=1", "partition.kind=iid", "eval.every_epochs=0"})));
        EpochRecord epoch;
        RunOptions options;
        options.on_epoch = [&epoch](const EpochRecord& record) { epoch = record; };
        EXPECT_EQ(this->run(config, options).status, "completed");
        EXPECT_GE(epoch.steps, 2);
        EXPECT_EQ(epoch.samples + epoch.missed_samples, 48 * config.sampler.local_epochs);
        if (absence.empty()) {
          EXPECT_EQ(epoch.missed_samples + epoch.absent_clients + epoch.late_clients, 0);
        }
      }
    }
  }
}

TYPED_TEST(AbsenceExperiment, RecordsSayWhatWasLost) {
  const test::SmallData data(180, 20, 8);
  const std::vector<std::string> base = {"clients.availability=chain", "clients.mean_on=6", "clients.mean_off=3",
                                         "clients.participation=0.8",  "train.round=5",     "clock.quorum=0.7"};
  for (const char* rule : {"drop", "defer"}) {
    std::vector<std::string> overrides = base;
    overrides.push_back(std::string("clients.on_absence=") + rule);
    const Config config =
        data.config(test::where_read(overrides, test::small_net({"train.mode=sflv1", "sampler.batch=12"})));
    const test::TempDir out;
    const Summary summary = this->run(config, {.out_dir = out.path()});
    std::int64_t samples = 0, missed = 0, deferred = 0, absent = 0, late = 0, up = 0, up_of_clients = 0;
    for (const StepRecord& step : read_csv<StepRecord>(out / "steps.csv")) {
      samples += step.samples;
      missed += step.missed_samples;
      deferred += step.deferred_samples;
      absent += step.absent_clients;
      late += step.late_clients;
      up += step.bytes_up;
    }
    EXPECT_EQ(samples + missed, 3 * 180);
    EXPECT_TRUE(missed > 0 && absent > 0 && late > 0);
    EXPECT_EQ(deferred > 0, std::string(rule) == "defer");
    for (const EpochRecord& epoch : read_epochs(out / "epochs.jsonl")) {
      missed -= epoch.missed_samples;
      deferred -= epoch.deferred_samples;
      absent -= epoch.absent_clients;
      late -= epoch.late_clients;
    }
    EXPECT_EQ(missed + deferred + absent + late, 0) << "epochs are the sums of their steps";
    std::int64_t missed_by_clients = 0;
    for (const ClientRecord& client : read_csv<ClientRecord>(out / "clients.csv")) {
      missed_by_clients += client.missed_samples;
      up_of_clients += client.bytes_up;
    }
    EXPECT_EQ(missed_by_clients, 3 * 180 - samples);
    EXPECT_EQ(up_of_clients, summary.bytes_up);
    EXPECT_EQ(up, summary.bytes_up);

    // Stopped and resumed: the same.
    const test::TempDir again;
    std::atomic<bool> stop = false;
    RunOptions options{.out_dir = again.path(), .interrupt = &stop};
    options.on_progress = [&](const ProgressState& at) { stop = at.epoch == 1 && at.step >= 7; };
    EXPECT_EQ(this->run(config, options).status, "interrupted");
    const Summary resumed = this->run(config, {.out_dir = again.path(), .resume = true});
    EXPECT_EQ(resumed.model_sha256, summary.model_sha256);
    EXPECT_EQ(resumed.schedule_sha256, summary.schedule_sha256);
    EXPECT_EQ(resumed.timeline_sha256, summary.timeline_sha256);
    EXPECT_EQ(resumed.bytes_up, summary.bytes_up);
    EXPECT_EQ(read_csv<ClientRecord>(again / "clients.csv"), read_csv<ClientRecord>(out / "clients.csv"));
  }
}

// Nothing was averaged, and nothing has drifted.
TYPED_TEST(AbsenceExperiment, ARunOfNobodyEndsWhereItBegan) {
  const test::SmallData data(48, 8, 4);
  for (const std::string mode : {"sflv1", "gcpsl", "fedprox"}) {
    const Config config = data.config(test::where_read(
        {"clients.groups=3"}, {"train.mode=" + mode, "clients.availability=bernoulli", "clients.available=0",
                               "model.name=mlp", "model.cut=fc1", "partition.kind=iid", "sampler.batch=24"}));
    RunOptions options;
    options.on_epoch = [&mode](const EpochRecord& epoch) {
      EXPECT_EQ(epoch.samples, 0) << mode;
      EXPECT_EQ(epoch.missed_samples, 48) << mode;
      EXPECT_EQ(epoch.client_drift.value(), 0.0) << mode;
    };
    EXPECT_EQ(this->run(config, options).status, "completed") << mode;
  }
}

// Late clients have sent smashed data for nothing; they get no gradient.
TYPED_TEST(AbsenceExperiment, WhatCameTooLateWasSentInVain) {
  const test::SmallData data(48, 8, 4);
  const auto run = [&](const std::string& mode, std::vector<std::string> more) {
    more.insert(more.end(), {"train.mode=" + mode, "model.name=mlp", "model.cut=fc1", "partition.kind=iid",
                             "train.epochs=1", "sampler.batch=24"});
    return this->run(data.config(more));
  };
  for (const char* mode : {"psl", "psl_local"}) {
    const Summary all = run(mode, {}), late = run(mode, {"clock.quorum=0.5"});
    EXPECT_EQ(late.bytes_up - late.model_bytes_up, all.bytes_up - all.model_bytes_up) << "all have sent";
    EXPECT_LT(late.bytes_down, all.bytes_down);
    EXPECT_EQ(late.model_bytes_down, all.model_bytes_down) << "all have fetched";
    EXPECT_EQ(late.model_bytes_up < all.model_bytes_up, std::string(mode) == "psl");
    EXPECT_LT(late.virtual_time_s, all.virtual_time_s);
  }
}

}  // namespace
}  // namespace splitsim
