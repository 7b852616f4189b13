// Experiments that are trained together leave behind what each leaves behind alone: bit for bit on the CPU, and on a GPU, where
// one replica and many are multiplied by different routines, up to rounding.
#include "runtime/run/experiment_group.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "base/files.hpp"
#include "base/safetensors.hpp"
#include "runtime/config/together.hpp"
#include "runtime/run/experiment.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/modes.hpp"
#include "tests/runtime/small_data.hpp"
#include "tests/runtime/where_read.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using Overrides = std::vector<std::string>;

template <class Context>
class GroupTest : public test::OnContext<Context> {
 protected:
  // A device, which may be emulated, gets smaller batches of smaller images for a smaller net.
  static constexpr bool kSmall = Context::kIsDevice;
  Config config(Overrides overrides, const Overrides& more = {}) const {
    overrides.insert(overrides.end(), more.begin(), more.end());
    if (kSmall) {
      overrides.insert(overrides.begin(), "sampler.batch=8");
      overrides = test::small_net(overrides);
    }
    return data_.config(overrides);
  }

  /// Trains each alone and all of them together, and compares all that they leave behind.
  void expect_same(const std::vector<Config>& configs) {
    std::vector<test::TempDir> alone(configs.size()), together(configs.size());
    std::vector<Summary> expected;
    for (std::size_t e = 0; e < configs.size(); ++e) {
      expected.push_back(Experiment<Context>(this->ctx(), configs[e]).run({.out_dir = alone[e].path()}));
    }
    const std::vector<Summary> found = run_group(configs, together);
    for (std::size_t e = 0; e < configs.size(); ++e) {
      SCOPED_TRACE("experiment " + std::to_string(e));
      expect_same_run(expected[e], alone[e], found[e], together[e]);
    }
  }
  std::vector<Summary> run_group(const std::vector<Config>& configs, const std::vector<test::TempDir>& dirs,
                                 RunOptions options = {}) {
    std::vector<RunOptions> each;
    for (const test::TempDir& dir : dirs) {
      options.out_dir = dir.path();
      each.push_back(options);
    }
    return ExperimentGroup<Context>(this->ctx(), configs).run(each);
  }
  static void expect_same_run(const Summary& a, const test::TempDir& a_dir, const Summary& b,
                              const test::TempDir& b_dir) {
    EXPECT_EQ(a.status, b.status);
    EXPECT_EQ(a.config_sha256, b.config_sha256);
    EXPECT_EQ(a.schedule_sha256, b.schedule_sha256);
    EXPECT_EQ(a.timeline_sha256, b.timeline_sha256);
    EXPECT_EQ(a.batch_deviation_mean, b.batch_deviation_mean);
    EXPECT_EQ(a.virtual_time_s, b.virtual_time_s);
    EXPECT_EQ(a.bytes_up, b.bytes_up);
    if (Context::kIsDevice) {
      expect_near_steps(a_dir, b_dir);
      return;
    }
    if (a.status != "diverged") {
      EXPECT_EQ(a.model_sha256, b.model_sha256);
    }
    for (const char* name : {"model.safetensors", "model_average.safetensors"}) expect_same_values(a_dir, b_dir, name);
    for (const char* name :
         {"steps.csv", "tests.jsonl", "clients.csv", "client_tests.csv", "class_counts.csv", "partition.npy"}) {
      EXPECT_EQ(first_difference(content(a_dir / name), content(b_dir / name)), "") << name;
    }
    if (a.status == "diverged") return;
    for (const char* name : {"epochs.jsonl", "summary.json"}) {
      EXPECT_EQ(first_difference(without_wall_times(a_dir / name), without_wall_times(b_dir / name)), "") << name;
    }
  }
  /// The first epoch's losses: roundings of a step are 2^-24 of numbers near 1, some thousand of them to a sum, and
  /// learning at small rates does not amplify them much within it.
  static void expect_near_steps(const test::TempDir& a, const test::TempDir& b) {
    const auto x = read_csv<StepRecord>(a / "steps.csv"), y = read_csv<StepRecord>(b / "steps.csv");
    ASSERT_EQ(x.size(), y.size());
    for (std::size_t t = 0; t < x.size(); ++t) {
      EXPECT_EQ(x[t].samples, y[t].samples);
      EXPECT_EQ(x[t].end_ns, y[t].end_ns);
      if (x[t].epoch == 0) {
        EXPECT_NEAR(x[t].train_loss, y[t].train_loss, 1e-3 * (1.0 + std::abs(x[t].train_loss))) << t;
      }
    }
  }
  /// Equal but for the bits of what is no number: sign and payload of a NaN are nobody's.
  static void expect_same_values(const test::TempDir& a_dir, const test::TempDir& b_dir, const char* name) {
    ASSERT_EQ(std::filesystem::exists(a_dir / name), std::filesystem::exists(b_dir / name));
    if (!std::filesystem::exists(a_dir / name)) return;
    const TensorFile a = read_safetensors(a_dir / name), b = read_safetensors(b_dir / name);
    ASSERT_EQ(a.tensors.size(), b.tensors.size());
    for (std::size_t t = 0; t < a.tensors.size(); ++t) {
      const std::vector<float>& x = a.tensors[t].values;
      const std::vector<float>& y = b.tensors[t].values;
      ASSERT_EQ(x.size(), y.size());
      for (std::size_t i = 0; i < x.size(); ++i) {
        ASSERT_TRUE(x[i] == y[i] || (x[i] != x[i] && y[i] != y[i])) << name << " " << t << " " << i;
      }
    }
  }
  /// What differs first, by its line; empty: nothing.
  static std::string first_difference(const std::string& a, const std::string& b) {
    const auto at = static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
    if (at == a.size() && at == b.size()) return "";
    const auto line = std::count(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    const std::size_t from = at < 40 ? 0 : at - 40;
    return "line " + std::to_string(line + 1) + ": " + a.substr(from, 60) + " against " + b.substr(from, 60);
  }
  static std::string content(const std::string& path) {
    return std::filesystem::exists(path) ? read_text_file(path) : "absent";
  }
  static std::string without_wall_times(const std::string& path) {
    std::istringstream lines(path.ends_with(".jsonl") ? read_text_file(path)
                                                      : nlohmann::json::parse(read_text_file(path)).dump());
    std::string text;
    for (std::string line; std::getline(lines, line);) {
      nlohmann::json values = nlohmann::json::parse(line);
      for (const char* key : {"wall_time_s", "schedule_wall_s", "train_wall_s", "train_samples_per_s",
                              "peak_memory_bytes", "trained_together"}) {
        values.erase(key);
      }
      text += values.dump() + "\n";
    }
    return text;
  }

  test::SmallData data_ = kSmall ? test::SmallData(96, 12, 8) : test::SmallData();
  /// They differ in all that they may: fls has more steps than ugs, and one is short of epochs.
  const std::vector<Overrides> different_ = {
      {"seed=3", "sampler.kind=ugs"},
      {"seed=4", "sampler.kind=fls", "partition.kind=dirichlet", "partition.alpha=0.3"},
      {"seed=5", "sampler.kind=lds", "sampler.delta=1.0", kSmall ? "sampler.batch=5" : "sampler.batch=25", "train.client_optimizer.lr=0.01",
       "train.client_optimizer.schedule=constant", "clock.barrier=one", "train.epochs=2"}};
};
TYPED_TEST_SUITE(GroupTest, test::Contexts);

TYPED_TEST(GroupTest, EveryModeTrainsTogetherAsAlone) {
  for (const std::string& mode : test::mode_names()) {
    SCOPED_TRACE(mode);
    std::vector<Config> configs;
    for (const Overrides& overrides : this->different_) {
      Overrides common = {"train.mode=" + mode,      "train.round=4",           "model.client_norm=batch",
                          "clients.groups=3",        "model.server_norm=batch", "data.augment.crop_pad=1",
                          "train.service_order=random"};
      if (TypeParam::kIsDevice) {
        common.insert(common.end(), {"sampler.batch=24", "model.name=layers", "model.cut=relu1",
                                     "model.layers=[{kind='conv', out=3, kernel=3, padding=1}, {kind='norm'}, "
                                     "{kind='relu'}, {kind='norm'}, {kind='linear'}]"});
      } else {
        common.insert(common.end(), {"model.name=cnn", "model.width=4"});
      }
      common.insert(common.end(), overrides.begin(), overrides.end());
      common.push_back(TypeParam::kIsDevice ? "train.epochs=1" : "train.epochs=2");
      configs.push_back(this->data_.config(test::where_read(common, {})));
    }
    this->expect_same(configs);
    if (this->HasFailure()) return;
  }
}

TYPED_TEST(GroupTest, AnyNumberOfThem) {
  for (const std::size_t count : {1, 3, 8}) {
    SCOPED_TRACE(count);
    std::vector<Config> configs;
    for (std::size_t e = 0; e < count; ++e) {
      configs.push_back(this->config(this->different_[e % 3], {"seed=" + std::to_string(e), "train.epochs=1"}));
    }
    this->expect_same(configs);
  }
}

/// One loss is not finite: that run ends as it does alone, and nothing of the others changes.
TYPED_TEST(GroupTest, OneDivergesAndTheOthersGoOn) {
  for (const char* mode : {"psl", "psl_local", "sflv2"}) {
    SCOPED_TRACE(mode);
    const Overrides common = {std::string("train.mode=") + mode, "train.epochs=2"};
    std::vector<Config> configs = {
        this->config(common, {"seed=1"}),
        this->config(common, {"seed=2", "train.client_optimizer.lr=1e20", "train.server_optimizer.lr=1e20"}),
        this->config(common, {"seed=3", "sampler.kind=fls"})};
    std::vector<test::TempDir> alone(3), together(3);
    const std::vector<Summary> found = this->run_group(configs, together);
    EXPECT_EQ(found[0].status, "completed");
    EXPECT_EQ(found[1].status, "diverged");
    EXPECT_EQ(found[2].status, "completed");
    for (std::size_t e = 0; e < 3; ++e) {
      SCOPED_TRACE(e);
      const Summary expected = Experiment<TypeParam>(this->ctx(), configs[e]).run({.out_dir = alone[e].path()});
      if (!TypeParam::kIsDevice || e != 1) this->expect_same_run(expected, alone[e], found[e], together[e]);
    }
    EXPECT_LT(read_csv<StepRecord>(together[1] / "steps.csv").size(), TypeParam::kIsDevice ? 12u : 15u);
  }
}

TYPED_TEST(GroupTest, GoesOnInTheMiddleEachFromWhereItIs) {
  std::vector<Config> configs;
  for (const Overrides& overrides : this->different_) {
    configs.push_back(this->config({"train.mode=sflv1", "train.round=4", "train.epochs=3"}, overrides));
  }
  std::vector<test::TempDir> alone(3), together(3);
  std::vector<Summary> expected;
  for (std::size_t e = 0; e < 3; ++e) {
    expected.push_back(Experiment<TypeParam>(this->ctx(), configs[e]).run({.out_dir = alone[e].path()}));
  }
  // The first has finished two epochs by itself before the three are interrupted in the first epoch of the others.
  std::atomic<bool> stop = false;
  RunOptions options{.out_dir = together[0].path(), .interrupt = &stop};
  options.on_progress = [&](const ProgressState& at) { stop = at.epoch == 2 && at.step >= 5; };
  EXPECT_EQ(Experiment<TypeParam>(this->ctx(), configs[0]).run(options).status, "interrupted");
  stop = false;
  options.resume = true;
  options.on_progress = [&](const ProgressState& at) { stop = stop || (at.epoch == 1 && at.step >= 3); };
  const std::vector<Summary> half = this->run_group(configs, together, options);
  EXPECT_EQ(half[0].status, "completed");  // its third epoch was the others' first
  EXPECT_EQ(half[1].status, "interrupted");
  EXPECT_EQ(half[1].epochs, 1);
  options = {.resume = true};
  const std::vector<Summary> found = this->run_group(configs, together, options);
  for (std::size_t e = 0; e < 3; ++e) {
    SCOPED_TRACE(e);
    this->expect_same_run(expected[e], alone[e], found[e], together[e]);
  }
}

/// A run that ends at a test within an epoch trains no further there.
TYPED_TEST(GroupTest, OneReachesItsAccuracyWithinAnEpoch) {
  const Overrides common = {"eval.every_steps=4", "train.epochs=2"};
  this->expect_same({this->config(common, {"seed=1", "eval.stop_at_accuracy=0.3"}), this->config(common, {"seed=2"})});
}

TEST(Together, WhatShapesDependOnKeepsApart) {
  const test::SmallData data(60, 10);
  const std::string key = together_key(data.config());
  for (const char* same :
       {"seed=7", "seeds.model=3", "sampler.kind=fls", "sampler.batch=20", "partition.alpha=0.1", "clock.barrier=one",
        "clients.participation=0.5", "train.client_optimizer.lr=0.5", "train.epochs=9", "eval.every_steps=3"}) {
    const std::string text = std::string(same) == "seeds.model=3" ? "model.seed=3" : same;
    EXPECT_EQ(together_key(data.config({text})), key) << same;
  }
  for (const char* other :
       {"train.mode=psl_local", "partition.clients=7", "model.name=cnn", "train.loss=focal",
        "train.client_optimizer.momentum=0.5", "data.augment.flip=true", "train.on_nonfinite=continue"}) {
    EXPECT_NE(together_key(data.config({other})), key) << other;
  }
  const Overrides remembers = {"cut.up=top_k", "cut.error_feedback=true"};
  Overrides other = remembers;
  other.push_back("seed=2");
  EXPECT_NE(together_key(data.config(remembers)), together_key(data.config(other)));
  CpuContext ctx(1);
  const std::vector<Config> apart = {data.config(), data.config({"model.name=cnn"})};
  test::expect_input_error([&] { ExperimentGroup<CpuContext>(ctx, apart); }, "experiments 1 and 2");
}

}  // namespace
}  // namespace splitsim
