// A run's personal accuracies, gaps and forgetting against its matrices and class counts; and that a stop loses none.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <sstream>

#include "kernels/device/context.hpp"
#include "runtime/record/records.hpp"
#include "runtime/run/experiment.hpp"
#include "tests/runtime/small_data.hpp"

namespace splitsim {
namespace {

using test::slurp;
using test::SmallData;
using test::TempDir;

class RunDisparity : public ::testing::Test {
 protected:
  Summary run(const Config& config, const RunOptions& options) {
    CpuContext ctx(1);
    return Experiment<CpuContext>(ctx, config).run(options);
  }
  /// Few steps, so that classes and clients differ.
  Config config(std::vector<std::string> more) {
    more.insert(more.begin(), {"sampler.batch=100", "train.epochs=4", "partition.alpha=0.3", "partition.min_samples=1",
                               "train.lr=0.04"});
    return data_.config(more);
  }
  SmallData data_;
};

/// class_counts.csv without its header and the clients' ids.
std::vector<std::vector<double>> class_counts(const std::string& path) {
  std::istringstream lines(slurp(path));
  std::vector<std::vector<double>> rows;
  std::string line, cell;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::istringstream cells(line);
    std::getline(cells, cell, ',');
    rows.emplace_back();
    while (std::getline(cells, cell, ',')) rows.back().push_back(std::stod(cell));
  }
  return rows;
}

TEST_F(RunDisparity, FollowsFromMatricesAndClassCounts) {
  for (const std::string mode : {"psl", "psl_local", "sflv1"}) {
    SCOPED_TRACE(mode);
    const TempDir out;
    const Summary summary = run(config({"train.mode=" + mode, "eval.every_epochs=2"}), {.out_dir = out.path()});
    const auto counts = class_counts(out / "class_counts.csv");
    const std::vector<ClientRecord> clients = read_csv<ClientRecord>(out / "clients.csv");
    std::vector<double> best(4, -1.0);
    std::size_t tests = 0;
    for (const TestRecord& test : read_tests(out / "tests.jsonl")) {
      const EpochRecord epoch = read_epochs(out / "epochs.jsonl").at(static_cast<std::size_t>(test.epoch));
      std::vector<double> personal;
      for (std::size_t k = 0; k < counts.size(); ++k) {
        double right = 0.0, held = 0.0;
        for (std::size_t c = 0; c < 4; ++c) {
          right += counts[k][c] * static_cast<double>(test.confusion[5 * c]) / 25.0;  // test images of each class
          held += counts[k][c];
        }
        personal.push_back(right / held);
        if (test.epoch == 3) {
          EXPECT_NEAR(clients[k].personal_accuracy.value(), personal[k], 1e-14);
        }
      }
      double mean = 0.0, forgotten = 0.0;
      for (const double p : personal) mean += p / static_cast<double>(personal.size());
      for (std::size_t c = 0; c < 4; ++c) {
        const double recall = static_cast<double>(test.confusion[5 * c]) / 25.0;
        if (tests > 0) forgotten += (best[c] - recall) / 4.0;
        best[c] = std::max(best[c], recall);
      }
      EXPECT_NEAR(epoch.disparity.personal_accuracy.value(), mean, 1e-14);
      EXPECT_NEAR(epoch.disparity.personal_accuracy_worst.value(), *std::min_element(personal.begin(), personal.end()),
                  1e-14);  // one of six
      EXPECT_NEAR(epoch.disparity.forgetting.value(), forgotten, 1e-14);
      const auto [least, most] = std::minmax_element(test.recall.begin(), test.recall.end());
      EXPECT_EQ(epoch.disparity.performance_gap.value(), *most - *least);
      ++tests;
      if (test.epoch == 3) {
        EXPECT_EQ(summary.disparity, epoch.disparity);
      }
    }
    EXPECT_EQ(tests, 2u);
    EXPECT_EQ(read_epochs(out / "epochs.jsonl").at(2).disparity, TestDisparity());
    EXPECT_GT(summary.disparity.performance_gap.value(), 0.0) << "or nothing is seen here";
  }
}

// Tested by themselves, clients have the accuracies of runs that test one of them.
TEST_F(RunDisparity, OfEachClientIsThatOfItsReplica) {
  for (const std::string mode : {"psl_local", "gcpsl"}) {
    SCOPED_TRACE(mode);
    const auto with = [&](std::vector<std::string> more) {
      more.insert(more.begin(), {"train.mode=" + mode, "train.epochs=3", "eval.every_epochs=3", "train.lr=0.1"});
      if (mode == "gcpsl") more.insert(more.end(), {"clients.groups=3", "clients.grouping=round_robin"});
      return config(more);
    };
    const TempDir out;
    const Summary summary = run(with({"eval.replicas=each"}), {.out_dir = out.path()});
    const std::vector<ClientRecord> clients = read_csv<ClientRecord>(out / "clients.csv");
    const std::vector<ClientTest> tests = read_csv<ClientTest>(out / "client_tests.csv");
    ASSERT_EQ(tests.size(), 6u);
    double mean = 0.0, least = 1.0;
    bool differ = false;
    for (std::size_t k = 0; k < 6; ++k) {
      const TempDir alone;
      run(with({"eval.replicas=one", "eval.client=" + std::to_string(k)}), {.out_dir = alone.path()});
      const std::vector<ClientRecord> of_one = read_csv<ClientRecord>(alone / "clients.csv");
      EXPECT_EQ(clients[k].personal_accuracy, of_one[k].personal_accuracy);
      EXPECT_EQ(tests[k].personal_accuracy, of_one[k].personal_accuracy);
      for (std::size_t j = 0; j < 6; ++j) {
        differ = differ || of_one[j].personal_accuracy != clients[j].personal_accuracy;
      }
      mean += clients[k].personal_accuracy.value() / 6.0;
      least = std::min(least, clients[k].personal_accuracy.value());
    }
    EXPECT_EQ(differ, mode == "psl_local") << "groups have just averaged their halves";
    EXPECT_NEAR(summary.disparity.personal_accuracy.value(), mean, 1e-14);
    EXPECT_EQ(summary.disparity.personal_accuracy_worst, least);
  }
}

TEST_F(RunDisparity, OneClientOfTheTestSetsMixHasTheAccuracy) {
  const TempDir out;  // 150 samples of each class, 25 test images
  const Summary summary =
      run(data_.config({"partition.kind=iid", "partition.clients=1", "train.epochs=1"}), {.out_dir = out.path()});
  EXPECT_NEAR(summary.disparity.personal_accuracy.value(), summary.test.accuracy.value(), 1e-15);
  EXPECT_EQ(summary.disparity.personal_accuracy_worst, summary.disparity.personal_accuracy);
  EXPECT_EQ(summary.disparity.forgetting, 0.0);
}

TEST_F(RunDisparity, AClientWithoutSamplesHasNone) {
  const TempDir dir;
  std::vector<std::int32_t> owner;
  for (std::int32_t i = 0; i < 600; ++i) owner.push_back(i % 4 + i % 4 / 3);  // clients 0, 1, 2, 4 of 6: a class each
  write_npy<std::int32_t>(dir / "owner.npy", {{600}, owner});
  run(data_.config({"partition.kind=file", "partition.file=\"" + (dir / "owner.npy") + "\"", "train.epochs=1"}),
      {.out_dir = dir.path()});
  const std::vector<double> recall = read_tests(dir / "tests.jsonl").at(0).recall;
  const std::optional<double> wanted[] = {recall[0], recall[1], recall[2], std::nullopt, recall[3], std::nullopt};
  for (const ClientRecord& client : read_csv<ClientRecord>(dir / "clients.csv")) {
    EXPECT_EQ(client.personal_accuracy, wanted[client.client]) << client.client;
  }
}

// Stopped in the third epoch, and again behind its last checkpoint, before the results are written; the last test at an
// epoch's end is then one of an earlier process.
TEST_F(RunDisparity, AStopLosesNone) {
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{"train.mode=psl"},
        {"train.mode=psl_local", "eval.replicas=each", "eval.every_epochs=2"},
        {"train.mode=gcpsl", "eval.replicas=each", "clients.groups=3", "clients.grouping=round_robin"},
        {"train.mode=psl_local", "eval.replicas=one", "eval.client=2"}}) {
    SCOPED_TRACE(more[0] + (more.size() > 1 ? ", " + more[1] : ""));
    const TempDir whole, out;
    const Config config = this->config(more);
    const Summary wanted = run(config, {.out_dir = whole.path()});
    std::atomic<bool> stop = false;
    RunOptions options{.out_dir = out.path(), .interrupt = &stop};
    options.on_progress = [&](const ProgressState& at) { stop = at.epoch == 2 && at.step >= 3; };
    EXPECT_EQ(run(config, options).status, "interrupted");
    const auto expect_same = [&](const Summary& summary) {
      EXPECT_EQ(summary.disparity, wanted.disparity);
      EXPECT_EQ(summary.batch_drift_mean, wanted.batch_drift_mean);
      for (const char* name : {"steps.csv", "clients.csv", "tests.jsonl", "client_tests.csv"}) {
        ASSERT_EQ(std::filesystem::exists(whole / name), std::filesystem::exists(out / name)) << name;
        if (std::filesystem::exists(out / name)) {
          EXPECT_EQ(slurp(out / name), slurp(whole / name)) << name;
        }
      }
      const std::vector<EpochRecord> a = read_epochs(whole / "epochs.jsonl"), b = read_epochs(out / "epochs.jsonl");
      ASSERT_EQ(a.size(), b.size());
      for (std::size_t e = 0; e < a.size(); ++e) {
        EXPECT_EQ(a[e].disparity, b[e].disparity) << e;
        EXPECT_EQ(a[e].batch_drift_mean, b[e].batch_drift_mean) << e;
      }
    };
    expect_same(run(config, {.out_dir = out.path(), .resume = true}));
    for (const char* name : {"summary.json", "clients.csv"}) std::filesystem::remove(out / name);
    expect_same(run(config, {.out_dir = out.path(), .resume = true}));
  }
}

}  // namespace
}  // namespace splitsim
