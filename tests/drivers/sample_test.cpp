// splitsim-sample from the outside: tables, files, exit codes, and what is left in the folder.
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/npy.hpp"
#include "tests/drivers/process.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;

class Sample : public test::CommandLine {
 protected:
  Result sample(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--device", "cpu", "--synthetic", "2000,10", "--set", "partition.clients=20"});
    return execute("splitsim-sample", arguments);
  }
  nlohmann::json reports(const std::string& dir) {
    return nlohmann::json::parse(test::slurp(in_folder(dir + "/samplers.json")));
  }
  void expect_refused(std::vector<std::string> arguments, const std::vector<std::string>& parts) {
    arguments.insert(arguments.end(), {"--out", in_folder("out_dir"), "--trace", in_folder("trace.json")});
    const Result result = sample(arguments);
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_EQ(result.error_lines(), 1) << result.err;
    EXPECT_EQ(result.err.find("splitsim-sample: "), 0u) << result.err;
    for (const std::string& part : parts)
      EXPECT_NE(result.err.find(part), std::string::npos) << part << ": " << result.err;
    EXPECT_FALSE(fs::exists(in_folder("out_dir"))) << result.err;
    EXPECT_FALSE(fs::exists(in_folder("trace.json"))) << result.err;
  }
};

TEST_F(Sample, HelpNamesEveryOption) {
  const Result help = execute("splitsim-sample", {"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* option : {"CONFIG.toml", "--set", "--samplers", "--epochs", "--out", "--synthetic", "--cut-bytes",
                             "--trace", "--trace-steps", "--trace-clients", "--front", "--save-schedule", "--device",
                             "--threads", "Examples:", "Exit codes:", "partition.clients"}) {
    EXPECT_NE(help.out.find(option), std::string::npos) << option;
  }
}

TEST_F(Sample, SamplersSideBySideAndTheSameForAnyThreads) {
  for (const char* threads : {"1", "3"}) {
    const Result result = sample({"--samplers", "ugs,fls,urn:delta=1.5:batch=64", "--epochs", "2", "--threads", threads,
                                  "--out", in_folder(threads), "--trace", in_folder("trace.json")});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    for (const char* text : {"ugs ", "fls ", "urn:delta=1.5:batch=64 ", "Serfling"}) {
      EXPECT_NE(result.out.find(text), std::string::npos) << text;
    }
  }
  const nlohmann::json one = reports("1"), three = reports("3");
  ASSERT_EQ(one.size(), 3u);
  EXPECT_EQ(one[0]["steps_per_epoch"], 16.0);
  EXPECT_EQ(one[2]["steps_per_epoch"], 32.0);
  for (std::size_t i = 0; i < 3; ++i) {
    for (const char* key : {"schedule_sha256", "timeline_sha256", "batch_deviation_mean", "waiting_share_max"}) {
      EXPECT_EQ(one[i][key], three[i][key]) << i << " " << key;
    }
  }
  const std::string csv = test::slurp(in_folder("1/samplers.csv"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 4);
  const nlohmann::json trace = nlohmann::json::parse(test::slurp(in_folder("trace.json")));
  int processes = 0;
  for (const auto& event : trace["traceEvents"]) processes += event["name"] == "process_name";
  EXPECT_EQ(processes, 3);
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(in_folder("1"))) names.insert(entry.path().filename().string());
  EXPECT_EQ(names, (std::set<std::string>{"samplers.csv", "samplers.json"}));
}

// Samplers lie on or above the bound, but for what steps that are not full make of it; pack lies on it.
TEST_F(Sample, TheFrontIsBelowAllSamplers) {
  std::vector<std::string> clock = {"--front", "--out", in_folder("out_dir")};
  for (const char* key : {"clock.compute_ms={kind=\"constant\",value=0.0}", "clock.model_sync=none",
                          "clock.uplink_mbps={kind=\"constant\",value=1000000.0}",
                          "clock.downlink_mbps={kind=\"constant\",value=1000000.0}"}) {
    clock.insert(clock.end(), {"--set", key});
  }
  const Result result = sample(clock);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("Front of time against deviation"), std::string::npos);
  EXPECT_NE(result.out.find("mean L1 (up) over time/ugs (right)"), std::string::npos);
  std::istringstream lines(test::slurp(in_folder("out_dir/front.csv")));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "name,time_over_ugs,deviation,bound");
  int bounds = 0, budgets = 0;
  double last_time = 0.0, last_bound = 2.0;
  std::map<std::string, std::vector<double>> found;
  while (std::getline(lines, line)) {
    std::istringstream cells(line);
    std::string name, cell;
    std::getline(cells, name, ',');
    std::vector<double> numbers;
    while (std::getline(cells, cell, ',')) numbers.push_back(std::stod(cell));
    ASSERT_EQ(numbers.size(), 3u) << line;
    EXPECT_GE(numbers[1], numbers[2] - 1e-6) << line;
    if (name == "bound") {
      EXPECT_GE(numbers[0], last_time);
      EXPECT_LE(numbers[2], last_bound + 1e-9);
      last_time = numbers[0];
      last_bound = numbers[2];
      bounds += 1;
    }
    budgets += name.find("pack:budget_time=") == 0;
    found[name] = numbers;
  }
  EXPECT_EQ(bounds, 17);
  EXPECT_EQ(budgets, 3);
  EXPECT_NEAR(last_bound, 0.0, 1e-6);
  EXPECT_EQ(found.at("ugs")[0], 1.0);
  EXPECT_LT(found.at("pack")[1], 0.3 * found.at("ugs")[1]);
  EXPECT_LT(found.at("pack")[0], 1.0);
  EXPECT_EQ(found.at("lbpack")[1], found.at("ugs")[1]);
  for (const auto& [name, numbers] : found) {
    if (name.find("pack:budget_time=") != 0) continue;
    EXPECT_LE(numbers[0], std::stod(name.substr(17)) * 1.1) << name;  // ugs is a draw, the budget's an expectation
    EXPECT_LT(numbers[1], numbers[2] + 0.06) << name;                 // rounding: 10 classes in steps of 125
  }
}

TEST_F(Sample, TheFrontWantsFullSteps) {
  expect_refused({"--front", "--set", "clock.quorum=0.9"}, {"--front", "clock.quorum", "slowest"});
  expect_refused({"--front", "--samplers", "ugs,pack:batch=64"}, {"--front", "sampler.batch = 128 and 64"});
  expect_refused({"--samplers", "pack:budget_time=0.001"}, {"sampler.budget_time = 0.001", "allowed are 0."});
  expect_refused({"--samplers", "pack:budget_time=0.5:budget_deviation=1"},
                 {"sampler.budget_deviation", "one of the two"});
  expect_refused({"--samplers", "ugs:levels=3"}, {"sampler.levels", "pack", "lbpack"});
}

TEST_F(Sample, ASavedScheduleComesBack) {
  const std::string file = in_folder("schedule.npy");
  ASSERT_EQ(sample({"--samplers", "fpls", "--save-schedule", file, "--out", in_folder("a")}).exit_code, 0);
  const Result again = sample({"--samplers", "file", "--set", "sampler.file=" + file, "--out", in_folder("b")});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(reports("a")[0]["schedule_sha256"], reports("b")[0]["schedule_sha256"]);
  EXPECT_EQ(reports("a")[0]["timeline_sha256"], reports("b")[0]["timeline_sha256"]);
}

// Of a config whose run holds images out and starts from weights, which a plan needs not.
TEST_F(Sample, PlansWhatTheRunDoes) {
  std::ofstream(in_folder("c.toml")) << "[data]\nvalidation = 0.1\n[model]\nname = \"mlp\"\ncut = \"fc1\"\n"
                                     << "[sampler]\nkind = \"urn\"\nbatch = 2000\n[train]\nepochs = 1\n";
  const std::string run = in_folder("run"), again = in_folder("again"), weights = in_folder("weights");
  ASSERT_EQ(execute("splitsim-run", {in_folder("c.toml"), "--device", "cpu", "--out", run}).exit_code, 0);
  fs::copy(run + "/model.safetensors", weights);
  const std::vector<std::string> same = {in_folder("c.toml"),    "--device", "cpu", "--set", "model.init=file", "--set",
                                         "model.file=" + weights};
  const auto with = [&same](std::vector<std::string> more) {
    more.insert(more.begin(), same.begin(), same.end());
    return more;
  };
  ASSERT_EQ(execute("splitsim-run", with({"--out", again})).exit_code, 0);
  fs::remove(weights);
  const Result planned =
      execute("splitsim-sample", with({"--samplers", "urn", "--epochs", "1", "--out", in_folder("a")}));
  ASSERT_EQ(planned.exit_code, 0) << planned.err;
  const nlohmann::json summary = nlohmann::json::parse(test::slurp(again + "/summary.json"));
  EXPECT_EQ(reports("a")[0]["schedule_sha256"], summary["schedule_sha256"]);
  EXPECT_EQ(reports("a")[0]["timeline_sha256"], summary["timeline_sha256"]);
}

TEST_F(Sample, AConfigFileAfterSet) {
  std::ofstream(in_folder("c.toml")) << "seed = 5\n";
  const Result result = sample({"--set", "sampler.batch=50", in_folder("c.toml")});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("B = 50"), std::string::npos);
  EXPECT_NE(result.out.find("seed 5"), std::string::npos);
}

TEST_F(Sample, EveryMistakeIsOneLineAndLeavesNothing) {
  expect_refused({"--samplers", "ugs,urx"}, {"--samplers urx", "did you mean urn"});
  expect_refused({"--samplers", "urn:dleta=2"}, {"--samplers urn:dleta=2", "sampler.dleta", "did you mean"});
  expect_refused({"--samplers", "urn:sede=2"}, {"sampler.sede"});
  expect_refused({"--samplers", ""}, {"--samplers"});
  expect_refused({"--set", "sampler.batch=2001"}, {"sampler.batch = 2001", "2000"});
  expect_refused({"--set", "partition.clients=2001"}, {"partition.clients", "2001"});
  expect_refused({"--set", "clock.barrier=run_ahead"}, {"run_ahead", "psl"});
  expect_refused({"--set", "model.cut=pool9"}, {"pool9"});
  expect_refused({"--epochs", "0"}, {"--epochs"});
  expect_refused({"--cut-bytes", "0"}, {"--cut-bytes"});
  expect_refused({"--trace-steps", "0"}, {"--trace-steps"});
  expect_refused({"--save-schedule", in_folder("s.npy")}, {"--save-schedule", "3 samplers"});
  expect_refused({in_folder("none.toml")}, {"none.toml"});
  EXPECT_FALSE(fs::exists(in_folder("s.npy")));
  const Result few = execute("splitsim-sample", {"--synthetic", "5,10"});
  EXPECT_EQ(few.exit_code, 2);
  EXPECT_NE(few.err.find("--synthetic 5,10"), std::string::npos) << few.err;
  std::ofstream(in_folder("file")) << "x";
  const Result taken = sample({"--out", in_folder("file")});
  EXPECT_EQ(taken.exit_code, 2);
  EXPECT_NE(taken.err.find("--out"), std::string::npos) << taken.err;
}

// What a program reads it does not write over, whatever name it is called by.
TEST_F(Sample, NeverReplacesWhatItReads) {
  const std::string config = in_folder("mine.toml"), link = in_folder("link.json");
  std::ofstream(config) << "seed = 3\n";
  fs::create_symlink(config, link);
  fs::create_directory(in_folder("data"));
  std::ofstream(in_folder("data/x.npy")) << "pixels";
  const auto refused = [&](const std::vector<std::string>& arguments) {
    const Result result = execute("splitsim-sample", arguments);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.error_lines(), 1) << result.err;
    EXPECT_NE(result.err.find("which this program reads"), std::string::npos) << result.err;
  };
  refused({config, "--samplers", "ugs", "--save-schedule", config});
  refused({config, "--trace", link});
  refused({"--set", "data.name=npy", "--set", "data.dir=" + in_folder("data"), "--samplers", "ugs", "--save-schedule",
           in_folder("data/x.npy")});
  EXPECT_EQ(test::slurp(config), "seed = 3\n");
  EXPECT_EQ(test::slurp(in_folder("data/x.npy")), "pixels");
}

}  // namespace
}  // namespace splitsim
