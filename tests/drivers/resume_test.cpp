// --resume from the outside: to the same bits, from nothing, further than before, and never with other inputs.
#include "tests/drivers/resumable_run.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;
using test::slurp;

class Resume : public test::ResumableRun {};

TEST_F(Resume, AFinishedRunIsLeftAlone) {
  const std::string dir = in_folder("run");
  ASSERT_EQ(execute("splitsim-run", tiny({"--out", dir})).exit_code, 0);
  const auto before = state_of(dir);
  EXPECT_GT(summary_of(dir)["train_samples_per_s"].get<double>(), 0.0);
  const Result again = execute("splitsim-run", resume(dir));
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_NE(again.out.find("finished"), std::string::npos) << again.out;
  EXPECT_EQ(state_of(dir), before);
  // Killed between its last checkpoint and its summary: what is missing is written, and nothing is trained.
  fs::remove(dir + "/summary.json");
  fs::remove(dir + "/model.safetensors");
  ASSERT_EQ(execute("splitsim-run", resume(dir)).exit_code, 0);
  EXPECT_EQ(slurp(dir + "/model.safetensors"), before.at(dir + "/model.safetensors").first);
  EXPECT_EQ(nlohmann::json::parse(before.at(dir + "/summary.json").first)["train_samples_per_s"],
            summary_of(dir)["train_samples_per_s"]);
}

TEST_F(Resume, FromNothingStartsOver) {
  const std::string whole = in_folder("whole"), dir = in_folder("run");
  ASSERT_EQ(execute("splitsim-run", tiny({"--out", whole})).exit_code, 0);
  ASSERT_EQ(execute("splitsim-run", tiny({"--out", dir})).exit_code, 0);
  fs::remove_all(dir + "/checkpoint");  // as a run leaves it that ended in its first epoch
  fs::remove(dir + "/summary.json");
  std::ofstream(dir + "/steps.csv", std::ios::app) << "1,2";
  const Result resumed = execute("splitsim-run", resume(dir));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  expect_same_results(whole, dir);

  const Result stopped_early =
      stopped(tiny({"--set", "train.epochs=100000", "--set", "train.checkpoint_epochs=100000", "--out", in_folder("b")}),
              SIGINT, has_lines(in_folder("b/epochs.jsonl"), 1));
  EXPECT_EQ(stopped_early.exit_code, 130) << stopped_early.err;
  const pid_t pid = start("splitsim-run", resume(in_folder("b")), in_folder("out"));
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  kill(pid, SIGINT);
  EXPECT_EQ(finish(pid).exit_code, 130);
}

TEST_F(Resume, AFinishedRunCanBeExtended) {
  const std::string dir = in_folder("run"), whole = in_folder("whole");
  ASSERT_EQ(execute("splitsim-run", joined(tiny({"--out", dir}), constant_rates())).exit_code, 0);
  ASSERT_EQ(execute("splitsim-run",
                    joined(tiny({"--out", whole}), joined(constant_rates(), {"--set", "train.epochs=5"})))
                .exit_code,
            0);
  const Result longer = execute("splitsim-run", resume(dir, {"--set", "train.epochs=5"}));
  EXPECT_EQ(longer.exit_code, 0) << longer.err;
  expect_same_results(dir, whole);
  EXPECT_EQ(slurp(dir + "/config.toml"), slurp(whole + "/config.toml"));

  const auto before = state_of(dir);
  const Result shorter = execute("splitsim-run", resume(dir, {"--set", "train.epochs=4"}));
  EXPECT_EQ(shorter.exit_code, 2);
  EXPECT_NE(shorter.err.find("at least the 5 epochs"), std::string::npos) << shorter.err;
  EXPECT_EQ(state_of(dir), before);
}

TEST_F(Resume, RatesThatDependOnTheLengthForbidExtending) {
  const std::string dir = in_folder("run");
  ASSERT_EQ(execute("splitsim-run", tiny({"--out", dir})).exit_code, 0);
  const auto before = state_of(dir);
  const Result longer = execute("splitsim-run", resume(dir, {"--set", "train.epochs=5"}));
  EXPECT_EQ(longer.exit_code, 2);
  EXPECT_EQ(longer.error_lines(), 1);
  EXPECT_NE(longer.err.find("train.client_optimizer.schedule = \"cosine\""), std::string::npos) << longer.err;
  EXPECT_EQ(state_of(dir), before);
}

TEST_F(Resume, ATargetReachedWithinAnEpochClaimsNoWholeEpoch) {
  const std::string dir = in_folder("run");
  const auto arguments = tiny({"--set", "eval.every_steps=1", "--set", "eval.stop_at_accuracy=0.5", "--set",
                               "train.epochs=50", "--set", "sampler.batch=4", "--out", dir});
  ASSERT_EQ(execute("splitsim-run", arguments).exit_code, 0);
  const nlohmann::json summary = summary_of(dir);
  EXPECT_EQ(summary["epochs"], 0);
  EXPECT_EQ(summary["status"], "completed");
  EXPECT_FALSE(fs::exists(dir + "/checkpoint/state.safetensors"));
  const auto before = state_of(dir);
  EXPECT_EQ(execute("splitsim-run", resume(dir)).exit_code, 0);
  EXPECT_EQ(state_of(dir), before);
  fs::remove(dir + "/summary.json");  // killed before it was written: the same epoch is trained again, to the same test
  EXPECT_EQ(execute("splitsim-run", resume(dir)).exit_code, 0);
  EXPECT_EQ(summary_of(dir)["model_sha256"], summary["model_sha256"]);
}

TEST_F(Resume, ATargetReachedAtAnEpochsEndIsNotTrainedBeyond) {
  const std::string dir = in_folder("run");
  const auto arguments = tiny({"--set", "eval.stop_at_accuracy=0.5", "--set", "train.epochs=50", "--out", dir});
  ASSERT_EQ(execute("splitsim-run", arguments).exit_code, 0);
  const nlohmann::json summary = summary_of(dir);
  ASSERT_LT(summary["epochs"], 50);
  fs::remove(dir + "/summary.json");  // killed before it was written
  EXPECT_EQ(execute("splitsim-run", resume(dir)).exit_code, 0);
  EXPECT_EQ(summary_of(dir)["epochs"], summary["epochs"]);
  EXPECT_EQ(summary_of(dir)["model_sha256"], summary["model_sha256"]);
}

TEST_F(Resume, RatesOfAResumedRunCountAllOfIt) {
  const std::string dir = in_folder("run");
  const auto arguments = joined(tiny({"--set", "train.epochs=300", "--out", dir}), constant_rates());
  EXPECT_EQ(stopped(arguments, SIGINT, has_lines(dir + "/epochs.jsonl", 3)).exit_code, 130);
  ASSERT_EQ(execute("splitsim-run", resume(dir)).exit_code, 0);
  double samples = 0.0, seconds = 0.0;
  std::istringstream lines(slurp(dir + "/epochs.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json epoch = nlohmann::json::parse(line);
    samples += epoch["samples"].get<double>();
    seconds += epoch["train_wall_s"].get<double>();
  }
  EXPECT_EQ(samples, 300.0 * 240);
  EXPECT_NEAR(summary_of(dir)["train_samples_per_s"].get<double>(), samples / seconds, 1e-6 * samples / seconds);
}

TEST_F(Resume, OtherContentIsRefusedAndEqualContentElsewhereIsNot) {
  const std::string dir = in_folder("run"), owners = in_folder("owners.npy"), trace = in_folder("trace.csv");
  const std::string data = tiny_data();
  NpyArray<std::int32_t> owner{{240}, {}};
  for (std::int32_t i = 0; i < 240; ++i) owner.values.push_back(i % 6);
  write_npy(owners, owner);
  const auto write_trace = [](const std::string& path, const char* delay) {
    std::ofstream file(path);
    file << "client,compute_ms_per_sample,up_mbps,down_mbps,delay_ms\n";
    for (int k = 0; k < 6; ++k) file << k << ",0.1,10,20," << (k == 0 ? delay : "5") << "\n";
  };
  write_trace(trace, "5");
  const auto arguments =
      tiny({"--set", "train.epochs=100000", "--set", "partition.kind=file", "--set", "partition.file=" + owners,
            "--set", "clock.delay_ms={kind=\"trace\"}", "--set", "clock.trace_file=" + trace, "--out", dir});
  ASSERT_EQ(stopped(arguments, SIGTERM, has_lines(dir + "/epochs.jsonl", 2)).exit_code, 130);
  const auto before = state_of(dir);
  const auto refused = [&](const std::string& name, const std::vector<std::string>& changes) {
    const Result result = execute("splitsim-run", resume(dir, changes));
    EXPECT_EQ(result.exit_code, 2) << name;
    EXPECT_EQ(result.error_lines(), 1) << result.err;
    EXPECT_NE(result.err.find("its " + name + " has other content"), std::string::npos) << result.err;
    EXPECT_EQ(state_of(dir), before) << name;
  };
  std::swap(owner.values[0], owner.values[1]);
  write_npy(in_folder("others.npy"), owner);
  refused("partition", {"--set", "partition.file=" + in_folder("others.npy")});
  write_trace(in_folder("slow.csv"), "500");
  refused("trace", {"--set", "clock.trace_file=" + in_folder("slow.csv")});
  for (const auto& [file, name] : {std::pair{"x.npy", "images"}, {"x_test.npy", "images"}, {"y.npy", "labels"}}) {
    const std::string other = in_folder(std::string("other-") + file);
    fs::copy(data, other);
    std::string bytes = slurp(other + "/" + file);
    const std::size_t at = bytes.size() - 8;  // a pixel, or the label before the last
    bytes[at] = bytes[at] == 1 ? 2 : 1;
    std::ofstream(other + "/" + file, std::ios::binary) << bytes;
    refused(name, {"--set", "data.dir=" + other});
  }
  // The same again, under other names: goes on from where it was, and says so in its config.
  fs::copy(data, in_folder("moved"));
  fs::copy(owners, in_folder("same.npy"));
  const int lines = static_cast<int>(std::count(before.at(dir + "/epochs.jsonl").first.begin(),
                                                before.at(dir + "/epochs.jsonl").first.end(), '\n'));
  EXPECT_EQ(stopped(resume(dir, {"--set", "data.dir=" + in_folder("moved"), "--set",
                                 "partition.file=" + in_folder("same.npy")}),
                    SIGTERM, has_lines(dir + "/epochs.jsonl", lines + 2))
                .exit_code,
            130);
  EXPECT_GE(slurp(dir + "/epochs.jsonl").size(), before.at(dir + "/epochs.jsonl").first.size());
  EXPECT_NE(slurp(dir + "/config.toml").find(in_folder("moved")), std::string::npos);
}

// nohup and jobs in the background of a script: signals that the parent ignores do not end a run, the others do, with
// everything saved.
TEST_F(Resume, HangUpsEndARunUnlessTheyAreIgnored) {
  const auto arguments = [&](const std::string& dir) {
    return tiny({"--set", "train.epochs=100000", "--out", in_folder(dir)});
  };
  const auto begun = [&](const std::string& dir) { return has_lines(in_folder(dir + "/epochs.jsonl"), 2); };
  EXPECT_EQ(stopped(arguments("hup"), SIGHUP, begun("hup")).exit_code, 130);
  signal(SIGHUP, SIG_IGN);
  signal(SIGINT, SIG_IGN);
  const pid_t pid = start("splitsim-run", arguments("ignored"), in_folder("out"));
  signal(SIGHUP, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  for (int i = 0; i < 4000 && !begun("ignored")(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  kill(pid, SIGHUP);
  kill(pid, SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(waitpid(pid, nullptr, WNOHANG), 0) << "the run has ended";
  kill(pid, SIGTERM);
  EXPECT_EQ(finish(pid).exit_code, 130);
}

TEST_F(Resume, ARunFromAFileOfWeightsGoesOnToTheSameBits) {
  const std::string first = in_folder("first"), whole = in_folder("whole"), dir = in_folder("run");
  ASSERT_EQ(execute("splitsim-run", tiny({"--out", first})).exit_code, 0);
  const auto arguments = [&](const std::string& out) {
    return tiny({"--set", "model.init=file", "--set", "model.file=" + first + "/model.safetensors", "--set",
                 "data.validation=0.2", "--set", "train.epochs=300", "--out", out});
  };
  ASSERT_EQ(execute("splitsim-run", arguments(whole)).exit_code, 0);
  ASSERT_EQ(stopped(arguments(dir), SIGTERM, has_lines(dir + "/epochs.jsonl", 2)).exit_code, 130);
  const Result resumed = execute("splitsim-run", resume(dir));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  expect_same_results(whole, dir);
}

TEST_F(Resume, OtherInitialWeightsAreRefused) {
  const std::string first = in_folder("first"), second = in_folder("second"), dir = in_folder("run");
  ASSERT_EQ(execute("splitsim-run", tiny({"--out", first})).exit_code, 0);
  ASSERT_EQ(execute("splitsim-run", tiny({"--set", "seed=2", "--out", second})).exit_code, 0);
  const auto weights = [](const std::string& of) { return "model.file=" + of + "/model.safetensors"; };
  const auto arguments = tiny({"--set", "model.init=file", "--set", weights(first), "--set", "train.epochs=100000",
                               "--out", dir});
  ASSERT_EQ(stopped(arguments, SIGTERM, has_lines(dir + "/epochs.jsonl", 2)).exit_code, 130);
  const auto before = state_of(dir);
  const Result refused = execute("splitsim-run", resume(dir, {"--set", weights(second)}));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("its initial_model has other content"), std::string::npos) << refused.err;
  EXPECT_EQ(state_of(dir), before);
}

TEST_F(Resume, ASecondProcessIsRefused) {
  const std::string dir = in_folder("run");
  const pid_t first = start("splitsim-run", tiny({"--set", "train.epochs=100000", "--out", dir}), in_folder("out1"));
  for (int i = 0; i < 4000 && !fs::exists(dir + "/epochs.jsonl"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  for (const std::vector<std::string>& second :
       {resume(dir), tiny({"--out", dir, "--force"}), resume(dir, {"--set", "no.such=1"})}) {
    const Result refused = execute("splitsim-run", second);
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_EQ(refused.error_lines(), 1);
    EXPECT_NE(refused.err.find("in use by process " + std::to_string(first)), std::string::npos) << refused.err;
    EXPECT_EQ(refused.out, "") << "not at its start";
  }
  kill(first, SIGKILL);
  int status = 0;
  waitpid(first, &status, 0);
  const pid_t next = start("splitsim-run", resume(dir), in_folder("out"));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  kill(next, SIGINT);
  EXPECT_EQ(finish(next).exit_code, 130);
}

}  // namespace
}  // namespace splitsim
