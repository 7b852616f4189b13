// Records as text: round trips to the bit, damage, and a run directory's files across a kill and a resume.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/npy.hpp"
#include "runtime/record/records.hpp"
#include "runtime/run/run_writer.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using test::expect_input_error;
using test::slurp;
using test::spill;
using test::TempDir;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();

StepRecord step(std::int32_t epoch, std::int32_t index) {
  return {epoch, index, 0.1 * index + 2.0 / 3.0, 128, 17, 0.2, 99, 1e-5f, 0.02f, 1000 * index, 1000 * index + 999, 3, -1};
}
EpochRecord epoch(std::int32_t index) {
  EpochRecord record;
  record.epoch = index;
  record.steps = 2;
  record.train_loss = 1.0 / 3.0;
  record.train_accuracy = 0.875;
  if (index % 2 == 1) {
    record.test.loss = 0.5;
    record.test.accuracy = 0.9;
    record.test.macro_accuracy = 0.8999;
    record.test.macro_f1 = 0.1 + 0.2;
    record.test_recall = {0.5, 1.0 / 3.0};
  }
  record.batch_deviation_mean = 0.21155;
  record.virtual_time_s = 12.5 * (index + 1);
  record.wall_time_s = 3.25;
  record.schedule_wall_s = 0.001;
  record.train_samples_per_s = 20000.0 / 3.0;
  record.schedule_sha256 = std::string(64, 'a');
  record.timeline_sha256 = std::string(64, 'b');
  return record;
}
Summary summary() {
  Summary s;
  s.version = "0.1.0";
  s.git = "c0bf2d2";
  s.device = "a \"device\"";
  s.backend = "cpu";
  s.seed = std::numeric_limits<std::uint64_t>::max();
  s.config_sha256 = "c";
  s.partition_sha256 = "p";
  s.schedule_sha256 = "s";
  s.timeline_sha256 = "t";
  s.model_sha256 = "m";
  s.epochs = 5;
  s.steps_per_epoch = 157;
  s.batch_deviation_mean = 0.1 + 0.2;
  s.virtual_time_s = 1e-9;
  s.wall_time_s = 17.0;
  s.train_samples_per_s = 1e5 / 3;
  s.test.accuracy = 0.89775;
  s.test.macro_f1 = 2.0 / 3.0;
  s.test.loss = 0.25;
  s.test.macro_accuracy = 0.75;
  s.test_recall = {1.0, 0.5};
  s.validation.accuracy = 0.875;
  s.best = BestEpoch{2, {0.125, 0.9, 0.8, 0.7}, {0.6, 0.5, 0.4, 0.3}};
  s.waiting_share_mean = 0.25;
  s.waiting_share_max = 0.5;
  s.model_average_sha256 = "a";
  s.settings = {"glyphs", "iid", "ugs", "lenet", "pool1", "psl", 32, 128, 5, "sgd", "adam", 0.02, 1e-5, 0.01, std::nullopt,
                {0.25}, {0.5}};
  s.time_to_accuracy = {{0.8, 12.5}, {0.99, std::nullopt}};
  s.peak_memory_bytes = std::uint64_t{1} << 40;
  s.bytes_up = 123456789012;
  s.bytes_down = 98765432101;
  s.model_bytes_up = 1234567;
  s.model_bytes_down = 7654321;
  s.participation_min = 1;
  s.participation_max = 99;
  s.participation_mean = 41.5;
  return s;
}

// ---- text ----

TEST(StepsCsv, ColumnsAndValues) {
  EXPECT_EQ(steps_csv_header(),
            "epoch,step,train_loss,samples,active_clients,batch_deviation,train_correct,client_lr,server_lr,start_ns,end_ns,"
            "critical_forward,critical_backward,bytes_up,bytes_down,model_bytes_up,model_bytes_down\n");
  EXPECT_EQ(
      to_csv(std::vector<StepRecord>{{1, 2, 0.1, 128, 17, 0.25, 99, 1e-5f, 0.02f, 5, 9000000000000000001, 3, -1, 40, 30, 20, 10}}),
      "2,3,0.1,128,17,0.25,99,1e-05,0.02,5,9000000000000000001,3,-1,40,30,20,10\n");
}

RC_GTEST_PROP(StepsCsv, DoublesComeBackToTheBit, (std::uint64_t loss_bits, std::uint64_t deviation_bits)) {
  StepRecord record = step(0, 0);
  std::memcpy(&record.train_loss, &loss_bits, sizeof loss_bits);
  std::memcpy(&record.batch_deviation, &deviation_bits, sizeof deviation_bits);
  RC_PRE(record.train_loss == record.train_loss && record.batch_deviation == record.batch_deviation);
  TempDir dir;
  spill(dir / "s", steps_csv_header() + to_csv(std::vector<StepRecord>{record}));
  const std::vector<StepRecord> back = read_steps(dir / "s");
  RC_ASSERT(back.size() == 1u);
  RC_ASSERT(std::memcmp(&back[0].train_loss, &record.train_loss, sizeof(double)) == 0);
  RC_ASSERT(std::memcmp(&back[0].batch_deviation, &record.batch_deviation, sizeof(double)) == 0);
}

TEST(StepsCsv, ReadsBackAndDropsAnUnfinishedLine) {
  TempDir dir;
  StepRecord bad = step(1, 1);
  bad.train_loss = kNan;
  bad.batch_deviation = -kInf;
  const std::string text = steps_csv_header() + to_csv(std::vector<StepRecord>{step(0, 0), bad});
  spill(dir / "s", text + "2,0,0.5,12");
  const std::vector<StepRecord> back = read_steps(dir / "s");
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back[0], step(0, 0));
  EXPECT_NE(back[1].train_loss, back[1].train_loss);
  EXPECT_EQ(back[1].batch_deviation, -kInf);
  spill(dir / "s", text.substr(0, text.size() - 1));  // even if only the line end is missing
  EXPECT_EQ(read_steps(dir / "s").size(), 1u);
}

TEST(StepsCsv, DamageNamesTheLine) {
  TempDir dir;
  const std::string good = steps_csv_header() + to_csv(std::vector<StepRecord>{step(0, 0)});
  const auto expect_bad = [&](const std::string& text, const auto&... parts) {
    spill(dir / "s", text);
    expect_input_error([&] { read_steps(dir / "s"); }, dir / "s", parts...);
  };
  expect_bad("", "line 1", "epoch,step,train_loss");
  expect_bad("epoch,step\n", "line 1");
  expect_bad(good + "1,2\n", "line 3", "'1,2'");
  expect_bad(good + "\n", "line 3");
  expect_bad(good + "1,1,x,1,1,0,1,0,0,0,1,0,0,1,1,0,0\n", "line 3");
  expect_bad(good + "1,1,0.5,1,1,0,1,0,0,0,1,0,0,1,1,0,0,7\n", "line 3");
  expect_bad(good + "1,1,0.5,1,1,0,1,0,0,0,1,0,0,1,1,0,0,\n", "line 3");
  expect_bad(good + "1,1,0.5,1.5,1,0,1,0,0,0,1,0,0,1,1,0,0\n", "line 3");
  expect_bad(good + "1,2147483649,0.5,1,1,0,1,0,0,0,1,0,0,1,1,0,0\n", "line 3");
  expect_bad(good + "0,1,0.5,1,1,0,1,0,0,0,1,0,0,1,1,0,0\n", "line 3");  // epochs and steps count from 1
  expect_bad(good + "1,0,0.5,1,1,0,1,0,0,0,1,0,0,1,1,0,0\n", "line 3");
  expect_input_error([&] { read_steps(dir / "none"); }, dir / "none");
}

TEST(ClientsCsv, RoundTrip) {
  TempDir dir;
  const std::vector<ClientRecord> clients = {{0, 500, 12, 7, 9, 1 << 20, 1 << 19, 4096, 2048}, {1, 0, 0, 0, 0, 0, 0, 0, 0}};
  RunWriter(dir.path()).write_clients(clients);
  EXPECT_EQ(
      slurp(dir / "clients.csv"),
      "client,samples,steps,waiting_ns,active_ns,bytes_up,bytes_down,model_bytes_up,model_bytes_down\n"
      "0,500,12,7,9,1048576,524288,4096,2048\n"
      "1,0,0,0,0,0,0,0,0\n");
  EXPECT_EQ(read_clients(dir / "clients.csv"), clients);
}

TEST(EpochsJsonl, OneObjectALineAndBack) {
  TempDir dir;
  RunWriter writer(dir.path());
  for (int e = 0; e < 3; ++e) writer.append_epoch(epoch(e));
  const std::string text = slurp(dir / "epochs.jsonl");
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  const auto first = nlohmann::json::parse(text.substr(0, text.find('\n')));
  EXPECT_EQ(first["epoch"], 1);
  EXPECT_TRUE(first["test_accuracy"].is_null());
  EXPECT_EQ(first["train_accuracy"], 0.875);
  EXPECT_EQ(read_epochs(dir / "epochs.jsonl"), (std::vector<EpochRecord>{epoch(0), epoch(1), epoch(2)}));
  spill(dir / "epochs.jsonl", text + "{\"epoch\":4,\"st");
  EXPECT_EQ(read_epochs(dir / "epochs.jsonl").size(), 3u);
}

TEST(EpochsJsonl, NotFiniteIsNull) {
  TempDir dir;
  EpochRecord record = epoch(0);
  record.train_loss = kNan;
  record.test.loss = kInf;
  spill(dir / "e", to_json_line(record));
  EXPECT_NE(slurp(dir / "e").find("\"train_loss\":null"), std::string::npos);
  const EpochRecord back = read_epochs(dir / "e").at(0);
  EXPECT_NE(back.train_loss, back.train_loss);
  EXPECT_FALSE(back.test.loss.has_value());
}

TEST(EpochsJsonl, DamageNamesTheLineAndTheField) {
  TempDir dir;
  const auto expect_bad = [&](const std::string& line, const auto&... parts) {
    spill(dir / "e", to_json_line(epoch(0)) + line + "\n");
    expect_input_error([&] { read_epochs(dir / "e"); }, dir / "e", "line 2", parts...);
  };
  const std::string good = to_json_line(epoch(1));
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string line = good.substr(0, good.size() - 1);
    EXPECT_NE(line.find(from), std::string::npos);
    return line.replace(line.find(from), from.size(), to);
  };
  expect_bad("{", "not a JSON object");
  expect_bad("3", "not a JSON object");
  expect_bad("{}", "'epoch' is missing");
  expect_bad(with("\"steps\":2", "\"steps\":2.5"), "'steps' = 2.5", "whole number");
  expect_bad(with("\"epoch\":2", "\"epoch\":0"), "'epoch' = 0", "from 1");
  expect_bad(with("\"train_loss\":", "\"train_loss\":\"x\",\"y\":"), "'train_loss' = \"x\"", "number");
  expect_bad(with("\"schedule_sha256\":", "\"schedule_sha256\":1,\"y\":"), "'schedule_sha256' = 1", "text");
}

TEST(SummaryJson, FieldsOfTheFormatAndBack) {
  TempDir dir;
  RunWriter(dir.path()).write_summary(summary());
  const auto json = nlohmann::json::parse(slurp(dir / "summary.json"));
  EXPECT_EQ(json["splitsim"],
            (nlohmann::json{{"version", "0.1.0"}, {"git", "c0bf2d2"}, {"device", "a \"device\""}, {"backend", "cpu"}}));
  for (const char* key : {"status",
                          "seed",
                          "config_sha256",
                          "partition_sha256",
                          "schedule_sha256",
                          "timeline_sha256",
                          "model_sha256",
                          "steps_per_epoch",
                          "batch_deviation_mean",
                          "virtual_time_s",
                          "wall_time_s",
                          "train_samples_per_s",
                          "test_accuracy",
                          "test_macro_f1",
                          "test_recall",
                          "settings",
                          "best",
                          "waiting_share_mean",
                          "model_average_sha256",
                          "peak_memory_bytes",
                          "bytes_up",
                          "bytes_down",
                          "model_bytes_up",
                          "model_bytes_down",
                          "participation",
                          "time_to_accuracy"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_EQ(json["seed"], 18446744073709551615ull);
  EXPECT_EQ(json["participation"]["steps_max"], 99);
  EXPECT_EQ(json["best"]["epoch"], 3);  // from 1
  EXPECT_EQ(json["settings"]["server_lr"], 1e-5);
  EXPECT_TRUE(json["settings"]["server_lr_last"].is_null());
  EXPECT_TRUE(json["time_to_accuracy"][1]["virtual_time_s"].is_null());
  EXPECT_EQ(read_summary(dir / "summary.json"), summary());

  Summary never = summary();
  never.status = "diverged";
  never.test.accuracy.reset();
  never.test.macro_f1.reset();
  never.best.reset();
  never.waiting_share_max.reset();
  RunWriter(dir.path()).write_summary(never);
  EXPECT_EQ(read_summary(dir / "summary.json"), never);
}

TEST(SummaryJson, Damage) {
  TempDir dir;
  const auto expect_bad = [&](const std::string& text, const auto&... parts) {
    spill(dir / "s", text);
    expect_input_error([&] { read_summary(dir / "s"); }, dir / "s", parts...);
  };
  const std::string good = to_json(summary());
  expect_bad(good.substr(0, good.size() / 2), "not a JSON object");
  auto json = nlohmann::json::parse(good);
  json.erase("participation");
  expect_bad(json.dump(), "'participation' is missing");
  json = nlohmann::json::parse(good);
  json["splitsim"].erase("git");
  expect_bad(json.dump(), "'git' is missing");
  json = nlohmann::json::parse(good);
  json["splitsim"] = 3;
  expect_bad(json.dump(), "'version' is missing");
  json = nlohmann::json::parse(good);
  json["seed"] = -1;
  expect_bad(json.dump(), "'seed' = -1");
  json["seed"] = 1;
  json["time_to_accuracy"] = {1};
  expect_bad(json.dump(), "'accuracy' is missing");
}

// ---- tests, waiting ----

TestRecord test_of(std::int32_t epoch, const std::string& set) {
  return {epoch, 7, set, 0.5, 10, 1.0 / 3.0, 0.7, 0.75, 0.6, {0.5, 1.0}, {3, 3, 0, 4}};
}

TEST(TestsJsonl, RecallAndConfusionMatrixAndBack) {
  TempDir dir;
  RunWriter writer(dir.path());
  const std::vector<TestRecord> tests = {test_of(0, "test"), test_of(0, "validation"), test_of(2, "test")};
  writer.append_tests(tests);
  const std::string text = slurp(dir / "tests.jsonl");
  const auto first = nlohmann::json::parse(text.substr(0, text.find('\n')));
  EXPECT_EQ(first["epoch"], 1);
  EXPECT_EQ(first["confusion"], nlohmann::json::parse("[[3,3],[0,4]]"));
  EXPECT_EQ(first["recall"], nlohmann::json::parse("[0.5,1.0]"));
  EXPECT_EQ(read_tests(dir / "tests.jsonl"), tests);
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
  writer.append_client_tests({{1, 5, 0.5, 0.25}, {3, 5, 0.5, 0.5}});
  spill(dir / "waiting.csv", slurp(dir / "waiting.csv") + "4,1");  // a kill while it was written
  EXPECT_EQ(slurp(dir / "waiting.csv"), "epoch,step,client,waiting_ns,active_ns\n1,1,3,5,9\n3,2,4,0,7\n4,1,1,1,1\n4,1");
  writer.truncate(3);
  EXPECT_EQ(read_waiting(dir / "waiting.csv"), (std::vector<WaitingRecord>{waits[0], waits[1]}));
  EXPECT_EQ(read_tests(dir / "tests.jsonl"), (std::vector<TestRecord>{test_of(0, "test")}));
  EXPECT_EQ(read_client_tests(dir / "client_tests.csv"), (std::vector<ClientTest>{{1, 5, 0.5, 0.25}}));
  writer.truncate(0);
  EXPECT_FALSE(std::filesystem::exists(dir / "waiting.csv"));
}

// ---- a run directory ----

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
  EXPECT_EQ(read_steps(dir / "steps.csv"), (std::vector<StepRecord>{step(0, 0), step(0, 1), step(1, 0)}));
  EXPECT_EQ(slurp(dir / "class_counts.csv"), "client,class_0,class_1\n0,0,1\n1,0,1\n2,1,0\n");
  EXPECT_EQ(read_safetensors(dir / "model.safetensors").metadata.at("model_sha256"), "hash");
}

/// Three epochs of two steps, and what a kill in the midst of writing the fourth leaves of it: `tail` bytes.
void write_run(const TempDir& dir, std::size_t tail) {
  std::string steps = steps_csv_header(), epochs;
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
    EXPECT_EQ(read_steps(dir / "steps.csv").size(), 6u);
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
  const std::string header = steps_csv_header();
  spill(dir / "steps.csv", header + to_csv(std::vector<StepRecord>{step(0, 0), step(2, 0)}));
  expect_input_error([&] { writer.truncate(3); }, dir / "steps.csv", "line 3");
  spill(dir / "steps.csv", header + to_csv(std::vector<StepRecord>{step(0, 0)}) + "garbage\n");
  expect_input_error([&] { writer.truncate(2); }, dir / "steps.csv", "line 3");
  writer.truncate(1);  // behind what is kept, garbage is only dropped
  EXPECT_EQ(read_steps(dir / "steps.csv").size(), 1u);
  std::filesystem::remove(dir / "steps.csv");
  expect_input_error([&] { writer.truncate(1); }, dir / "steps.csv");
}

}  // namespace
}  // namespace splitsim
