// A run directory's files: what is written, and what a kill and a resume leave of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/npy.hpp"
#include "runtime/run/run_writer.hpp"
#include "tests/runtime/record/sample_records.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using test::expect_input_error;
using test::slurp;
using test::spill;
using test::TempDir;
using namespace test::sample_records;

TEST(RunWriter, WritesTheFilesOfARun) {
  TempDir dir;
  RunWriter writer(dir.path());
  writer.write_text("config.toml", "seed = 1\n");
  writer.write_partition(make_population({0, 2, 1}, {1, 0, 1}, 3, 2));
  writer.append_steps({step(0, 0), step(0, 1)});
  writer.append_steps({step(1, 0)});
  const std::vector<float> values = {1, 2};
  writer.write_model("model.safetensors", {{"w", {2}, {values.data(), 2}}}, "hash");
  EXPECT_EQ(slurp(dir / "config.toml"), "seed = 1\n");
  const NpyArray<std::int32_t> partition = read_npy<std::int32_t>(dir / "partition.npy");
  EXPECT_EQ(partition.shape, (std::vector<std::int64_t>{3}));
  EXPECT_EQ(partition.values, (std::vector<std::int32_t>{0, 2, 1}));
  EXPECT_EQ(read_csv<StepRecord>(dir / "steps.csv"), (std::vector<StepRecord>{step(0, 0), step(0, 1), step(1, 0)}));
  EXPECT_EQ(slurp(dir / "class_counts.csv"), "client,class_0,class_1\n0,0,1\n1,0,1\n2,1,0\n");
  EXPECT_EQ(read_safetensors(dir / "model.safetensors").metadata.at("model_sha256"), "hash");
}

TEST(RunWriter, ClassCountsHaveEveryClass) {
  TempDir dir;
  RunWriter(dir.path()).write_partition(make_population({0, 1, 1, 1, 0}, {11, 0, 11, 11, 10}, 2, 12));
  EXPECT_EQ(slurp(dir / "class_counts.csv"),
            "client,class_0,class_1,class_2,class_3,class_4,class_5,class_6,class_7,class_8,class_9,class_10,class_11\n"
            "0,0,0,0,0,0,0,0,0,0,0,1,1\n"
            "1,1,0,0,0,0,0,0,0,0,0,0,2\n");
}

/// Three epochs of two steps, and what a kill in the midst of writing the fourth leaves of it: `tail` bytes.
void write_run(const TempDir& dir, std::size_t tail) {
  std::string steps = csv_header<StepRecord>(), epochs;
  for (int e = 0; e < 3; ++e) {
    steps += to_csv(std::vector<StepRecord>{step(e, 0), step(e, 1)});
    epochs += to_json_line(epoch(e));
  }
  spill(dir / "steps.csv", steps + to_csv(std::vector<StepRecord>{step(3, 0), step(3, 1)}).substr(0, tail));
  spill(dir / "epochs.jsonl", epochs + to_json_line(epoch(3)).substr(0, tail));
}

TEST(RunWriter, TruncatesToTheCheckpointWhereverTheKillCame) {
  const std::size_t row = to_csv(std::vector<StepRecord>{step(3, 0)}).size();
  const std::size_t line = to_json_line(epoch(3)).size();
  TempDir dir;
  for (const std::size_t tail : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{9}, std::size_t{10},
                                 std::size_t{11}, row - 1, row, row + 1, 2 * row, line - 1, line}) {
    write_run(dir, std::min(tail, line));
    RunWriter writer(dir.path());
    writer.truncate(3);
    EXPECT_EQ(read_csv<StepRecord>(dir / "steps.csv").size(), 6u);
    EXPECT_EQ(read_epochs(dir / "epochs.jsonl").size(), 3u);
    EXPECT_EQ(slurp(dir / "epochs.jsonl"), to_json_line(epoch(0)) + to_json_line(epoch(1)) + to_json_line(epoch(2)));
  }
}

TEST(RunWriter, AResumedRunsFilesEqualAnUninterruptedOnes) {
  TempDir straight, resumed;
  write_run(straight, 0);
  write_run(resumed, 30);
  for (const std::int32_t from : {2, 1, 0}) {
    RunWriter writer(resumed.path());
    writer.truncate(from);
    EXPECT_EQ(std::filesystem::exists(resumed / "steps.csv"), from > 0);
    for (int e = from; e < 3; ++e) {
      writer.append_steps({step(e, 0), step(e, 1)});
      writer.append_epoch(epoch(e));
    }
    EXPECT_EQ(slurp(resumed / "steps.csv"), slurp(straight / "steps.csv"));
    EXPECT_EQ(slurp(resumed / "epochs.jsonl"), slurp(straight / "epochs.jsonl"));
  }
}

TEST(RunWriter, TruncateRefusesRecordsThatDoNotReachTheCheckpoint) {
  TempDir dir;
  write_run(dir, 0);
  RunWriter writer(dir.path());
  expect_input_error([&] { writer.truncate(4); }, dir / "steps.csv", "epoch 3", "epoch 4");
  const std::string header = csv_header<StepRecord>();
  spill(dir / "steps.csv", header + to_csv(std::vector<StepRecord>{step(0, 0), step(2, 0)}));
  expect_input_error([&] { writer.truncate(3); }, dir / "steps.csv", "line 3");
  spill(dir / "steps.csv", header + to_csv(std::vector<StepRecord>{step(0, 0)}) + "garbage\n");
  expect_input_error([&] { writer.truncate(2); }, dir / "steps.csv", "line 3");
  writer.truncate(1);  // behind what is kept, garbage is only dropped
  EXPECT_EQ(read_csv<StepRecord>(dir / "steps.csv").size(), 1u);
  std::filesystem::remove(dir / "steps.csv");
  expect_input_error([&] { writer.truncate(1); }, dir / "steps.csv");
}

TEST(RunWriter, TruncatesFilesThatLackSomeEpochs) {
  TempDir dir;
  RunWriter writer(dir.path());
  const std::vector<WaitingRecord> waits = {{0, 0, 3, 5, 9}, {2, 1, 4, 0, 7}, {3, 0, 1, 1, 1}};
  for (int e = 0; e < 4; ++e) {
    writer.append_steps({step(e, 0)});
    writer.append_epoch(epoch(e));
  }
  writer.append_waiting(waits);
  writer.append_tests({test_of(0, "test"), test_of(3, "test")});
  writer.append_client_tests({{1, 5, 0.5, 0.25, 0.75}, {1, 6, 0.5, 0.25, {}}, {3, 5, 0.5, 0.5, 0.5}});
  spill(dir / "waiting.csv", slurp(dir / "waiting.csv") + "4,1");  // a kill while it was written
  EXPECT_EQ(slurp(dir / "waiting.csv"), "epoch,step,client,waiting_ns,active_ns\n1,1,3,5,9\n3,2,4,0,7\n4,1,1,1,1\n4,1");
  writer.truncate(3);
  EXPECT_EQ(read_csv<WaitingRecord>(dir / "waiting.csv"), (std::vector<WaitingRecord>{waits[0], waits[1]}));
  EXPECT_EQ(read_tests(dir / "tests.jsonl"), (std::vector<TestRecord>{test_of(0, "test")}));
  EXPECT_EQ(slurp(dir / "client_tests.csv"),
            "epoch,client,test_loss,test_accuracy,personal_accuracy\n2,5,0.5,0.25,0.75\n2,6,0.5,0.25,nan\n");
  EXPECT_EQ(read_csv<ClientTest>(dir / "client_tests.csv"),
            (std::vector<ClientTest>{{1, 5, 0.5, 0.25, 0.75}, {1, 6, 0.5, 0.25, {}}}));
  writer.truncate(0);
  EXPECT_FALSE(std::filesystem::exists(dir / "waiting.csv"));
}

}  // namespace
}  // namespace splitsim
