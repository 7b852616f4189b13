// What a run leaves beside its curves: every test's matrix, waiting times, rates, the averaged model; validation sets
// and weights from files.
#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <set>

#include "base/error.hpp"
#include "base/npy.hpp"
#include "base/safetensors.hpp"
#include "kernels/device/context.hpp"
#include "runtime/data/validation.hpp"
#include "runtime/record/records.hpp"
#include "runtime/run/experiment.hpp"
#include "tests/runtime/small_data.hpp"

namespace splitsim {
namespace {

using test::expect_input_error;
using test::SmallData;
using test::TempDir;

class RunRecords : public ::testing::Test {
 protected:
  Summary run(const Config& config, const std::string& dir) {
    CpuContext ctx(1);
    return Experiment<CpuContext>(ctx, config).run({.out_dir = dir});
  }
  SmallData data_;
};

TEST_F(RunRecords, EveryTestHasItsConfusionMatrix) {
  const TempDir out;
  const Summary summary = run(data_.config({"eval.every_steps=20", "eval.step_images=50"}), out.path());
  const std::vector<TestRecord> tests = read_tests(out / "tests.jsonl");
  ASSERT_EQ(tests.size(), 2u + 3u);  // 45 steps, 3 epochs
  for (const TestRecord& test : tests) {
    ASSERT_EQ(test.confusion.size(), 16u);
    std::int64_t right = 0;
    for (std::size_t c = 0; c < 4; ++c) {
      right += test.confusion[5 * c];
      const auto row = test.confusion.begin() + static_cast<std::ptrdiff_t>(4 * c);
      const double labels = static_cast<double>(std::accumulate(row, row + 4, std::int64_t{0}));
      EXPECT_EQ(test.recall[c], static_cast<double>(test.confusion[5 * c]) / labels);
    }
    EXPECT_EQ(std::accumulate(test.confusion.begin(), test.confusion.end(), std::int64_t{0}), test.images);
    EXPECT_EQ(test.accuracy, static_cast<double>(right) / static_cast<double>(test.images));
  }
  EXPECT_EQ(tests.back().recall, summary.test_recall);
  EXPECT_EQ(tests.back().accuracy, summary.test.accuracy);
  EXPECT_GE(summary.best.value().test.accuracy.value(), summary.test.accuracy.value());
}

TEST_F(RunRecords, WaitingAddsUpToTheClientsAndFillsTheTimeline) {
  const TempDir out;
  const Config config = data_.config({"record.waiting=true"});
  const Summary summary = run(config, out.path());
  const std::vector<StepRecord> steps = read_csv<StepRecord>(out / "steps.csv");
  std::map<std::int32_t, std::int64_t> waiting, active;
  std::map<std::pair<std::int32_t, std::int32_t>, std::int32_t> rows;
  for (const WaitingRecord& wait : read_csv<WaitingRecord>(out / "waiting.csv")) {
    const StepRecord& step = steps.at(static_cast<std::size_t>(wait.epoch * 15 + wait.step));
    EXPECT_EQ(wait.active_ns, step.end_ns - step.start_ns);
    EXPECT_GE(wait.waiting_ns, 0);
    waiting[wait.client] += wait.waiting_ns;
    active[wait.client] += wait.active_ns;
    ++rows[{wait.epoch, wait.step}];
  }
  for (const StepRecord& step : steps) {
    const int row_count = rows[std::pair(step.epoch, step.step)];
    EXPECT_EQ(row_count, step.active_clients);
    EXPECT_GT(step.client_lr, 0.0f);
  }
  double largest = 0.0;
  for (const ClientRecord& client : read_csv<ClientRecord>(out / "clients.csv")) {
    EXPECT_EQ(client.waiting_ns, waiting[client.client]);
    EXPECT_EQ(client.active_ns, active[client.client]);
    largest = std::max(largest, static_cast<double>(client.waiting_ns) / static_cast<double>(client.active_ns));
  }
  EXPECT_EQ(summary.waiting_share_max.value(), largest);
  EXPECT_FLOAT_EQ(static_cast<float>(summary.settings.client_lr_last.value()), steps.back().client_lr);
}

TEST_F(RunRecords, EachClientsOwnTest) {
  const TempDir out;
  const Summary summary = run(data_.config({"train.mode=psl_local", "eval.replicas=each"}), out.path());
  double sum = 0.0;
  int last = 0;
  for (const ClientTest& test : read_csv<ClientTest>(out / "client_tests.csv")) {
    if (test.epoch != 2) continue;
    sum += test.test_accuracy;
    ++last;
  }
  EXPECT_EQ(last, 6);
  EXPECT_NEAR(sum / last, summary.test.accuracy.value(), 1e-12);
}

// Loaded again with a rate of 0, the averaged model tests as the run that wrote it; so does a model of another cut.
TEST_F(RunRecords, ModelsComeBackFromTheirFiles) {
  const TempDir out, again, other;
  const Summary summary = run(data_.config({"train.mode=sflv1", "train.epochs=2"}), out.path());
  EXPECT_NE(summary.model_average_sha256, summary.model_sha256);
  const std::vector<std::string> frozen = {"model.init=file", "train.epochs=1", "train.client_optimizer.lr=0.0",
                                           "train.server_optimizer.lr=0.0"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), frozen.begin(), frozen.end());
    return data_.config(more);
  };
  const std::string average = "model.file=\"" + (out / "model_average.safetensors") + "\"";
  const Summary loaded = run(with({"train.mode=psl", average}), again.path());
  EXPECT_EQ(loaded.model_sha256, summary.model_average_sha256);
  EXPECT_EQ(loaded.test.accuracy, summary.test.accuracy);
  EXPECT_EQ(loaded.test.loss, summary.test.loss);
  const Summary recut = run(with({"train.mode=psl", average, "model.cut=pool2"}), other.path());
  EXPECT_EQ(recut.test.accuracy, summary.test.accuracy);
  const TempDir replicas;
  const Summary own =
      run(with({"train.mode=sflv1", "model.file=\"" + (out / "model.safetensors") + "\""}), replicas.path());
  EXPECT_EQ(own.model_sha256, summary.model_sha256);

  expect_input_error(
      [&] {
        run(with({"model.name=mlp", "model.cut=fc1", average}), again.path());
      },
      "model_average.safetensors", "fc1.weight", "[120, 64]");
  expect_input_error([&] { run(with({"model.file=\"" + (out / "model.safetensors") + "\""}), again.path()); }, "shape",
                     "[6, 6, 1, 5, 5]");
}

TEST_F(RunRecords, TorchvisionsNames) {
  const TempDir dir, out, again;
  const std::vector<std::string> net = {"model.name=resnet18",     "model.cut=layer1",        "model.width=8",
                                        "model.client_norm=batch", "model.server_norm=batch", "train.epochs=1"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), net.begin(), net.end());
    return data_.config(more);
  };
  const Summary summary = run(with({}), out.path());
  TensorFile file = read_safetensors(out / "model.safetensors");
  std::vector<TensorView> tensors;
  const std::vector<float> count = {1.0f};
  for (Tensor& tensor : file.tensors) {
    std::string name = tensor.name.substr(tensor.name.find('.') + 1);
    const auto replace = [&name](const std::string& from, const std::string& to) {
      if (const std::size_t at = name.find(from); at != std::string::npos) name.replace(at, from.size(), to);
    };
    replace("norm", "bn");
    replace("down.bn", "downsample.1");
    replace("down.conv", "downsample.0");
    tensors.push_back({name, tensor.shape, tensor.values});
  }
  tensors.push_back({"bn1.num_batches_tracked", {1}, {count.data(), 1}});
  write_safetensors(dir / "torchvision.safetensors", tensors);
  const Summary loaded =
      run(with({"model.init=file", "model.file=\"" + (dir / "torchvision.safetensors") + "\"",
                "train.client_optimizer.lr=0.0", "train.server_optimizer.lr=0.0", "train.on_nonfinite=continue"}),
          again.path());
  // Rates of 0 keep the weights; running statistics go on.
  const TensorFile after = read_safetensors(again / "model.safetensors");
  for (const Tensor& tensor : file.tensors) {
    if (tensor.name.find("running") != std::string::npos) continue;
    EXPECT_EQ(after.at(tensor.name, tensor.shape).values, tensor.values) << tensor.name;
  }
  EXPECT_EQ(loaded.status, summary.status);
  tensors.push_back({"aux.weight", {1}, {count.data(), 1}});
  write_safetensors(dir / "more.safetensors", tensors);
  expect_input_error(
      [&] {
        run(with({"model.init=file", "model.file=\"" + (dir / "more.safetensors") + "\""}), again.path());
      },
      "more.safetensors", "'aux.weight'");
}

TEST(Validation, TakesTheSameShareOfEveryClassAndLosesNothing) {
  const Dataset whole = [] {
    Dataset set;
    set.name = "x";
    set.channels = set.height = set.width = 1;
    set.classes = 3;
    for (int i = 0; i < 200; ++i) {
      set.train_labels.push_back(i % 10 == 0 ? 2 : i % 2);
      set.train_features.push_back(static_cast<std::uint8_t>(i));
    }
    return set;
  }();
  Dataset split = whole;
  split_validation(split, 0.25, 7);
  std::map<std::int32_t, int> held;
  for (const std::int32_t label : split.validation_labels) ++held[label];
  EXPECT_EQ(held, (std::map<std::int32_t, int>{{0, 20}, {1, 25}, {2, 5}}));
  std::multiset<std::uint8_t> images(split.train_features.begin(), split.train_features.end());
  images.insert(split.validation_features.begin(), split.validation_features.end());
  EXPECT_EQ(images, std::multiset<std::uint8_t>(whole.train_features.begin(), whole.train_features.end()));
  for (std::size_t i = 0; i < split.train_features.size(); ++i) {
    EXPECT_EQ(split.train_labels[i], whole.train_labels[split.train_features[i]]);
    if (i > 0) {
      EXPECT_LT(split.train_features[i - 1], split.train_features[i]);
    }
  }
  Dataset rounded = whole;  // 22.4, 28 and 5.6 to the nearest
  split_validation(rounded, 0.28, 7);
  held.clear();
  for (const std::int32_t label : rounded.validation_labels) ++held[label];
  EXPECT_EQ(held, (std::map<std::int32_t, int>{{0, 22}, {1, 28}, {2, 6}}));
  Dataset other = whole, off = whole, none = whole;
  split_validation(other, 0.25, 8);
  EXPECT_NE(other.validation_features, split.validation_features);
  split_validation(off, 0.0, 7);
  EXPECT_EQ(off.train_features, whole.train_features);
  expect_input_error([&] { split_validation(none, 0.001, 7); }, "data.validation = 0.001", "200");
}

TEST_F(RunRecords, ValidationChoosesTheBestEpochAndStops) {
  const TempDir out, stopped;
  const Summary summary = run(data_.config({"data.validation=0.2"}), out.path());
  EXPECT_EQ(read_npy<std::int32_t>(out / "partition.npy").values.size(), 480u);
  double best = -1.0;
  for (const EpochRecord& epoch : read_epochs(out / "epochs.jsonl"))
    best = std::max(best, epoch.validation.accuracy.value());
  EXPECT_EQ(summary.best.value().validation.accuracy, best);
  const Summary early =
      run(data_.config({"data.validation=0.2", "eval.stop_at_accuracy=0.01", "eval.every_steps=1"}), stopped.path());
  EXPECT_EQ(read_csv<StepRecord>(stopped / "steps.csv").size(), 1u);
  EXPECT_EQ(early.status, "completed");
  expect_input_error(
      [&] {
        const TempDir fails;
        run(data_.config({"partition.kind=file", "partition.file=\"" + (out / "partition.npy") + "\""}), fails.path());
      },
      "480");
}

}  // namespace
}  // namespace splitsim
