// splitsim-retime from the outside, on a run of splitsim-run.
#include <nlohmann/json.hpp>

#include "tests/drivers/process.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;

class Retime : public test::CommandLine {
 protected:
  void SetUp() override {
    test::CommandLine::SetUp();
    std::ofstream(in_folder("same.toml")) << "[clock]\n";
    std::ofstream(in_folder("slow.toml")) << "[clock]\nuplink_mbps = { kind = \"constant\", value = 1.0 }\n";
  }
  // Of the embedded images: one epoch of a mlp.
  std::string make_run(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"--device", "cpu", "--out", in_folder("run")};
    for (const char* text : {"model.name=mlp", "model.cut=fc1", "train.epochs=1", "sampler.batch=2000"}) {
      arguments.insert(arguments.end(), {"--set", text});
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Result result = execute("splitsim-run", arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return in_folder("run");
  }
  Result retime(const std::string& run, const std::string& latency, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {run, "--latency", in_folder(latency), "--device", "cpu"});
    return execute("splitsim-retime", more);
  }
  nlohmann::json report() { return nlohmann::json::parse(test::slurp(in_folder("out_dir/retime.json"))); }
};

TEST_F(Retime, HelpNamesEveryOption) {
  const Result help = execute("splitsim-retime", {"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* option : {"RUN", "--latency", "--resample", "--seed", "--out", "--set", "--device", "--threads"}) {
    EXPECT_NE(help.out.find(option), std::string::npos) << option;
  }
}

TEST_F(Retime, TheSameLatencyIsTheSameTimeAndSlowLinksAreNot) {
  const std::string run = make_run({"--set", "sampler.kind=urn", "--set", "sampler.delta=1.0"});
  const nlohmann::json summary = nlohmann::json::parse(test::slurp(run + "/summary.json"));
  const Result same = retime(run, "same.toml", {"--out", in_folder("out_dir")});
  ASSERT_EQ(same.exit_code, 0) << same.err;
  EXPECT_NE(same.out.find("note: sampler urn sees delays"), std::string::npos);
  EXPECT_EQ(report()["timeline_sha256"], summary["timeline_sha256"]);
  EXPECT_EQ(report()["epochs"][0]["virtual_time_s"], summary["virtual_time_s"]);
  EXPECT_EQ(report()["time_to_accuracy"][0]["virtual_time_s"],
            report()["time_to_accuracy"][0]["recorded_virtual_time_s"]);

  ASSERT_EQ(retime(run, "slow.toml", {"--out", in_folder("out_dir")}).exit_code, 0);
  EXPECT_GT(report()["epochs"][0]["virtual_time_s"], summary["virtual_time_s"]);
  EXPECT_EQ(report()["epochs"][0]["recorded_virtual_time_s"], summary["virtual_time_s"]);
  const std::string csv = test::slurp(in_folder("out_dir/retime.csv"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 2);
  EXPECT_EQ(csv.find("1,"), csv.find('\n') + 1) << "epochs count from 1: " << csv;
  EXPECT_NE(summary["test_accuracy"], summary["test_macro_f1"]);
  EXPECT_EQ(report()["epochs"][0]["test_accuracy"], summary["test_accuracy"]);

  ASSERT_EQ(retime(run, "same.toml", {"--resample", "--seed", "9", "--out", in_folder("out_dir")}).exit_code, 0);
  EXPECT_NE(report()["timeline_sha256"], summary["timeline_sha256"]);
  EXPECT_EQ(report()["seed"], 9);

  // A changed config is noticed by the schedule it gives.
  const std::string config = test::slurp(run + "/config.toml");
  std::ofstream(run + "/config.toml") << "seed = 3\n" << config.substr(config.find('\n') + 1);
  const Result changed = retime(run, "same.toml", {"--out", in_folder("other")});
  EXPECT_EQ(changed.exit_code, 2);
  EXPECT_EQ(changed.error_lines(), 1) << changed.err;
  EXPECT_FALSE(fs::exists(in_folder("other")));
}

// A held-out part of the images changes who owns what; weights from a file change no time, and need not be there again.
TEST_F(Retime, ValidationImagesAndWeightsFromAFile) {
  const std::string first = make_run({"--set", "data.validation=0.1"}), weights = in_folder("weights");
  fs::copy(first + "/model.safetensors", weights);
  const std::string run = make_run({"--set", "data.validation=0.1", "--set", "model.init=file", "--set",
                                    "model.file=" + weights, "--force"});
  fs::remove(weights);
  const nlohmann::json summary = nlohmann::json::parse(test::slurp(run + "/summary.json"));
  const Result same = retime(run, "same.toml", {"--out", in_folder("out_dir")});
  ASSERT_EQ(same.exit_code, 0) << same.err;
  EXPECT_EQ(report()["timeline_sha256"], summary["timeline_sha256"]);
  EXPECT_EQ(report()["epochs"][0]["virtual_time_s"], summary["virtual_time_s"]);
}

TEST_F(Retime, EveryMistakeIsOneLineAndLeavesNothing) {
  const auto refused = [&](const Result& result, const std::string& part) {
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_EQ(result.error_lines(), 1) << result.err;
    EXPECT_EQ(result.err.find("splitsim-retime: "), 0u) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
    EXPECT_FALSE(fs::exists(in_folder("out_dir")));
  };
  const std::vector<std::string> out = {"--out", in_folder("out_dir")};
  refused(execute("splitsim-retime", {}), "required");
  refused(retime(in_folder("none"), "same.toml", out), "none/config.toml");
  refused(retime(in_folder("none"), "same.toml", {"--seed", "1"}), "--resample");
  fs::create_directory(in_folder("unfinished"));
  std::ofstream(in_folder("unfinished/config.toml")) << "seed = 1\n";
  refused(retime(in_folder("unfinished"), "same.toml", out), "summary.json");
}

}  // namespace
}  // namespace splitsim
