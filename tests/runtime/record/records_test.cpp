// Records as text: round trips to the bit, and damage.
#include "runtime/record/records.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
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

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();

// ---- text ----

TEST(StepsCsv, ColumnsAndValues) {
  EXPECT_EQ(csv_header<StepRecord>(),
            "epoch,step,train_loss,samples,active_clients,batch_deviation,batch_drift,train_correct,client_lr,server_"
            "lr,start_ns,"
            "end_ns,critical_forward,critical_backward,missed_samples,deferred_samples,absent_clients,late_clients,"
            "bytes_up,bytes_"
            "down,model_bytes_up,model_bytes_down\n");
  EXPECT_EQ(to_csv(std::vector<StepRecord>{{1, 2,  0.1, 128, 17, 0.25, 0.75, 99, 1e-5f, 0.02f, 5, 9000000000000000001,
                                            3, -1, 4,   5,   6,  7,    40,   30, 20,    10}}),
            "2,3,0.1,128,17,0.25,0.75,99,1e-05,0.02,5,9000000000000000001,3,-1,4,5,6,7,40,30,20,10\n");
}

RC_GTEST_PROP(StepsCsv, DoublesComeBackToTheBit, (std::uint64_t loss_bits, std::uint64_t deviation_bits)) {
  StepRecord record = step(0, 0);
  std::memcpy(&record.train_loss, &loss_bits, sizeof loss_bits);
  std::memcpy(&record.batch_deviation, &deviation_bits, sizeof deviation_bits);
  RC_PRE(record.train_loss == record.train_loss && record.batch_deviation == record.batch_deviation);
  TempDir dir;
  spill(dir / "s", csv_header<StepRecord>() + to_csv(std::vector<StepRecord>{record}));
  const std::vector<StepRecord> back = read_csv<StepRecord>(dir / "s");
  RC_ASSERT(back.size() == 1u);
  RC_ASSERT(std::memcmp(&back[0].train_loss, &record.train_loss, sizeof(double)) == 0);
  RC_ASSERT(std::memcmp(&back[0].batch_deviation, &record.batch_deviation, sizeof(double)) == 0);
}

TEST(StepsCsv, ReadsBackAndDropsAnUnfinishedLine) {
  TempDir dir;
  StepRecord bad = step(1, 1);
  bad.train_loss = kNan;
  bad.batch_deviation = -kInf;
  const std::string text = csv_header<StepRecord>() + to_csv(std::vector<StepRecord>{step(0, 0), bad});
  spill(dir / "s", text + "2,0,0.5,12");
  const std::vector<StepRecord> back = read_csv<StepRecord>(dir / "s");
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back[0], step(0, 0));
  EXPECT_NE(back[1].train_loss, back[1].train_loss);
  EXPECT_EQ(back[1].batch_deviation, -kInf);
  spill(dir / "s", text.substr(0, text.size() - 1));  // even if only the line end is missing
  EXPECT_EQ(read_csv<StepRecord>(dir / "s").size(), 1u);
}

TEST(StepsCsv, DamageNamesTheLine) {
  TempDir dir;
  const std::string good = csv_header<StepRecord>() + to_csv(std::vector<StepRecord>{step(0, 0)});
  const auto expect_bad = [&](const std::string& text, const auto&... parts) {
    spill(dir / "s", text);
    expect_input_error([&] { read_csv<StepRecord>(dir / "s"); }, dir / "s", parts...);
  };
  expect_bad("", "line 1", "epoch,step,train_loss");
  expect_bad("epoch,step\n", "line 1");
  expect_bad(good + "1,2\n", "line 3", "'1,2'");
  expect_bad(good + "\n", "line 3");
  expect_bad(good + "1,1,x,1,1,0,0,1,0,0,0,1,0,0,0,0,0,0,1,1,0,0\n", "line 3");
  expect_bad(good + "1,1,0.5,1,1,0,0,1,0,0,0,1,0,0,0,0,0,0,1,1,0,0,7\n", "line 3");
  expect_bad(good + "1,1,0.5,1,1,0,0,1,0,0,0,1,0,0,0,0,0,0,1,1,0,0,\n", "line 3");
  expect_bad(good + "1,1,0.5,1.5,1,0,0,1,0,0,0,1,0,0,0,0,0,0,1,1,0,0\n", "line 3");
  expect_bad(good + "1,2147483649,0.5,1,1,0,0,1,0,0,0,1,0,0,0,0,0,0,1,1,0,0\n", "line 3");
  expect_bad(good + "0,1,0.5,1,1,0,0,1,0,0,0,1,0,0,0,0,0,0,1,1,0,0\n", "line 3");  // epochs and steps count from 1
  expect_bad(good + "1,0,0.5,1,1,0,0,1,0,0,0,1,0,0,0,0,0,0,1,1,0,0\n", "line 3");
  expect_input_error([&] { read_csv<StepRecord>(dir / "none"); }, dir / "none");
}

TEST(ClientsCsv, RoundTrip) {
  TempDir dir;
  const std::vector<ClientRecord> clients = {{0, 500, 12, 7, 9, 33, 5, 2, 1 << 20, 1 << 19, 4096, 2048, 0.5, 0.25},
                                             {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, {}}};
  RunWriter(dir.path()).write_clients(clients);
  EXPECT_EQ(slurp(dir / "clients.csv"),
            "client,samples,steps,waiting_ns,active_ns,missed_samples,absences,late,bytes_up,bytes_down,model_bytes_up,"
            "model_bytes_down,energy_j,personal_accuracy\n"
            "0,500,12,7,9,33,5,2,1048576,524288,4096,2048,0.5,0.25\n"
            "1,0,0,0,0,0,0,0,0,0,0,0,0,nan\n");
  EXPECT_EQ(read_csv<ClientRecord>(dir / "clients.csv"), clients);
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
  EXPECT_TRUE(first["forgetting"].is_null());
  EXPECT_EQ(first["train_accuracy"], 0.875);
  EXPECT_EQ(read_epochs(dir / "epochs.jsonl"), (std::vector<EpochRecord>{epoch(0), epoch(1), epoch(2)}));
  spill(dir / "epochs.jsonl", text + "{\"epoch\":4,\"st");
  EXPECT_EQ(read_epochs(dir / "epochs.jsonl").size(), 3u);
}

TEST(EpochsJsonl, EveryFieldHasItsName) {
  EXPECT_EQ(to_json_line(epoch(1)),
            "{\"epoch\":2,\"steps\":2,\"train_loss\":0.3333333333333333,\"train_accuracy\":0.875,\"test_loss\":0.5,"
            "\"test_accuracy\":0.9,\"test_macro_accuracy\":0.8999,\"test_macro_f1\":0.30000000000000004,"
            "\"test_recall\":[0.5,0.3333333333333333],\"personal_accuracy\":0.8125,"
            "\"personal_accuracy_worst\":0.3125,\"performance_gap\":0.4375,\"forgetting\":-0.0625,"
            "\"validation_loss\":0.25,\"validation_accuracy\":0.75,"
            "\"validation_macro_accuracy\":0.625,\"validation_macro_f1\":0.375,\"batch_deviation_mean\":0.21155,"
            "\"batch_drift_mean\":0.5625,"
            "\"virtual_time_s\":25.0,\"wall_time_s\":3.25,\"schedule_wall_s\":0.001,\"samples\":256,"
            "\"missed_samples\":11,\"deferred_samples\":12,\"absent_clients\":13,\"late_clients\":14,"
            "\"train_wall_s\":2.75,\"train_samples_per_s\":6666.666666666667,\"schedule_sha256\":\"" +
                std::string(64, 'a') + "\",\"timeline_sha256\":\"" + std::string(64, 'b') +
                "\",\"client_drift\":0.03125,\"server_drift\":0.0625,\"step_evaluations\":[{\"step\":1,"
                "\"virtual_time_s\":2.5,\"test_loss\":0.125,\"test_accuracy\":0.0,\"validation_loss\":null,"
                "\"validation_accuracy\":null},{\"step\":2,\"virtual_time_s\":3.5,\"test_loss\":1.5,"
                "\"test_accuracy\":0.875,\"validation_loss\":0.75,\"validation_accuracy\":1.0}]}\n");
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
                          "batch_drift_mean",
                          "personal_accuracy",
                          "personal_accuracy_worst",
                          "performance_gap",
                          "forgetting",
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
  never.disparity = {};
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

// ---- tests ----

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

}  // namespace
}  // namespace splitsim
