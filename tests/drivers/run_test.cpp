// splitsim-run from the outside: exit codes, one line for every mistake, and what is left in the folder.
#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/npy.hpp"
#include "base/safetensors.hpp"
#include "kernels/device/context.hpp"
#include "runtime/config/config.hpp"
#include "runtime/config/keys/keys.hpp"
#include "tests/drivers/tiny_run.hpp"
#include "tests/runtime/modes.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;

class Run : public test::TinyRun {};

TEST_F(Run, HelpNamesEveryKeyAndOption) {
  const Result help = execute("splitsim-run", {"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_EQ(help.err, "");
  for (const char* option : {"CONFIG.toml", "--set", "--out", "--force", "--resume", "--device", "--threads",
                             "--dry-run", "--version", "Examples:", "Exit codes:"}) {
    EXPECT_NE(help.out.find(option), std::string::npos) << option;
  }
  const Result all = execute("splitsim-run", {"--help", "all"});
  for (const Key& key : config_keys()) EXPECT_NE(all.out.find("  " + key.path + " = "), std::string::npos) << key.path;
}

TEST_F(Run, MistakesOnTheCommandLine) {
  expect_refused({"--sett", "a=b"}, 2, {"--sett", "(see --help)"});
  expect_refused({"--device", "tpu"}, 2, {"--device", "tpu", "auto", "cpu", "cuda"});
  expect_refused({"--threads", "0"}, 2, {"--threads", "0", "1"});
  expect_refused({"--threads", "two"}, 2, {"--threads", "two"});
  expect_refused({"--resume", in_folder("a"), "--out", in_folder("new/run")}, 2, {"--resume", "--out"});
  expect_refused({"--resume", in_folder("nothing")}, 2, {in_folder("nothing"), "holds no run"});
  const Result force = execute("splitsim-run", {"--force"});
  EXPECT_EQ(force.exit_code, 2);
  EXPECT_NE(force.err.find("--out"), std::string::npos) << force.err;
}

TEST_F(Run, MistakesInTheConfig) {
  expect_refused({"--set", "sampler.bacth=3"}, 2, {"unknown key sampler.bacth; did you mean sampler.batch?"});
  expect_refused({"--set", "sampler.batch=0"}, 2, {"sampler.batch = 0: allowed: an integer in [1, "});
  expect_refused({"--set", "partition.alpha=nan"}, 2, {"partition.alpha = nan: allowed: a finite number > 0"});
  expect_refused({"--set", "sampler.kind"}, 2, {"key=value"});
  expect_refused({in_folder("none.toml")}, 2, {"none.toml", "No such file"});
  std::ofstream(in_folder("bad.toml")) << "seed = 1\n[sampler\n";
  expect_refused({in_folder("bad.toml")}, 2, {"bad.toml:2:"});
  std::ofstream(in_folder("key.toml")) << "[train]\nepoch = 2\n";
  expect_refused({in_folder("key.toml")}, 2, {"key.toml:2:1: unknown key train.epoch; did you mean train.epochs?"});
}

TEST_F(Run, MistakesThatOnlyTheDataShow) {
  expect_refused(tiny({"--set", "model.cut=pool9"}), 2, {"model.cut", "pool9", "fc1", "relu1"});
  expect_refused(tiny({"--set", "partition.clients=241"}), 2, {"partition.clients", "241", "240"});
  expect_refused(tiny({"--set", "sampler.batch=241"}), 2, {"sampler.batch", "241", "240"});
  expect_refused(tiny({"--set", "model.name=lenet"}), 2, {"conv2"});  // 6x6 is too small for it
  expect_refused(tiny({"--set", "data.dir=" + in_folder("nowhere")}), 2, {"nowhere"});
  const std::string cut_short = tiny_data("short");
  fs::resize_file(cut_short + "/x.npy", 1000);
  expect_refused(tiny({"--set", "data.dir=" + cut_short}), 2, {cut_short + "/x.npy"});
  const std::string wrong_label = tiny_data("label");
  write_npy(wrong_label + "/y_test.npy", NpyArray<std::int32_t>{{60}, std::vector<std::int32_t>(60, -1)});
  expect_refused(tiny({"--set", "data.dir=" + wrong_label}), 2, {wrong_label + "/y_test.npy", "-1"});
}

TEST_F(Run, WithoutAGpuCudaIsRefusedWithCode3) {
  std::string why_not;
  if (cuda_available(&why_not)) GTEST_SKIP() << "there is a GPU";
  expect_refused({"--device", "cuda"}, 3, {"--device cuda: " + why_not});
}

// 2^13 clients that each keep 2^14 * 2^8 weights and as many velocities: 256 GiB. The images are holes in a file.
TEST_F(Run, TooLittleMemoryIsSeenBeforeTheStart) {
  if (CpuContext().memory_bytes() > (std::uint64_t{250} << 30)) GTEST_SKIP() << "this machine has too much memory";
  const std::string dir = tiny_data("large");
  constexpr std::int64_t kCount = 1 << 13, kSide = 128;
  write_npy(dir + "/x.npy", NpyArray<std::uint8_t>{{0, kSide, kSide}, {}});
  std::string header = test::slurp(dir + "/x.npy");
  const std::size_t shape = header.find("(0, ");
  ASSERT_NE(shape, std::string::npos);
  header.replace(shape, 4, fmt::format("({}, ", kCount));
  header.erase(header.size() - 4, 3);  // the padding gives way to the longer number
  std::ofstream(dir + "/x.npy", std::ios::binary) << header;
  fs::resize_file(dir + "/x.npy", header.size() + kCount * kSide * kSide);
  NpyArray<std::int32_t> labels{{kCount}, {}};
  for (std::int32_t i = 0; i < kCount; ++i) labels.values.push_back(i % 3);
  write_npy(dir + "/y.npy", labels);
  write_npy(dir + "/x_test.npy",
            NpyArray<std::uint8_t>{{3, kSide, kSide}, std::vector<std::uint8_t>(3 * kSide * kSide)});
  write_npy(dir + "/y_test.npy", NpyArray<std::int32_t>{{3}, {0, 1, 2}});
  expect_refused(tiny({"--set", "data.dir=" + dir, "--set", "partition.clients=8192", "--set", "train.mode=psl_local"}),
                 2, {"needs ", " bytes of cpu memory", "available"});
}

TEST_F(Run, DryRunPrintsThePlanAndTouchesNothing) {
  const Result plan = execute("splitsim-run", tiny({"--dry-run", "--out", in_folder("new/run")}));
  EXPECT_EQ(plan.exit_code, 0);
  EXPECT_EQ(plan.err, "");
  for (const char* part :
       {"npy: 240 training and 60 test images, 3 classes", "iid: 6 clients with 40 to 40 samples",
        "ugs: B = 24, 10 steps per epoch", "mlp cut at fc1", "psl, 3 epochs", "planned", "parameters"}) {
    EXPECT_NE(plan.out.find(part), std::string::npos) << part << " is not in\n" << plan.out;
  }
  EXPECT_EQ(plan.out.find("status"), std::string::npos);
  EXPECT_FALSE(fs::exists(in_folder("new")));
}

TEST_F(Run, LeavesACompleteRunThatItsOwnConfigRepeats) {
  const std::string first = in_folder("deep/first"), second = in_folder("second");
  const Result run = execute("splitsim-run", tiny({"--out", first}));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.out.find("status           completed"), std::string::npos) << run.out;
  const std::set<std::string> files = files_in(first);
  for (const char* name :
       {"config.toml", "steps.csv", "epochs.jsonl", "summary.json", "partition.npy", "model.safetensors"}) {
    EXPECT_TRUE(files.contains(name)) << name;
  }
  for (const std::string& name : files) EXPECT_EQ(name.find(".part"), std::string::npos) << name;
  const nlohmann::json summary = summary_of(first);
  EXPECT_EQ(summary["status"], "completed");
  EXPECT_EQ(summary["steps_per_epoch"], 10);
  EXPECT_EQ(summary["splitsim"]["backend"], "cpu");
  EXPECT_EQ(summary["config_sha256"], config_sha256(load_config(first + "/config.toml", {})));

  // The data elsewhere, other threads: the same experiment.
  fs::rename(in_folder("data"), in_folder("moved"));
  const Result again = execute("splitsim-run", {first + "/config.toml", "--set", "data.dir=" + in_folder("moved"),
                                                "--out", second, "--device", "cpu", "--threads", "2"});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  const nlohmann::json repeated = summary_of(second);
  for (const char* hash : {"config_sha256", "partition_sha256", "schedule_sha256", "timeline_sha256"}) {
    EXPECT_EQ(summary[hash], repeated[hash]) << hash;
  }
}

TEST_F(Run, TheTableSaysWhatTheRecordsSay) {
  const std::string dir = in_folder("run");
  const Result result =
      execute("splitsim-run", {"--device", "cpu", "--set", "model.name=mlp", "--set", "model.cut=fc1", "--set",
                               "train.epochs=1", "--set", "sampler.batch=2000", "--out", dir});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const nlohmann::json summary = summary_of(dir), epoch = nlohmann::json::parse(test::slurp(dir + "/epochs.jsonl"));
  const auto percent = [](const nlohmann::json& share) { return fmt::format("{:.2f}%", 100.0 * share.get<double>()); };
  std::istringstream row(result.out.substr(result.out.find("\n", result.out.find("\nepoch ") + 1)));
  std::string number, steps, loss, train, test, f1;
  row >> number >> steps >> loss >> train >> test >> f1;
  EXPECT_EQ(number, "1") << result.out;
  EXPECT_EQ(steps, "10");
  EXPECT_EQ(loss, fmt::format("{:.5g}", epoch["train_loss"].get<double>()));
  EXPECT_EQ(train, percent(epoch["train_accuracy"]));
  EXPECT_EQ(test, percent(summary["test_accuracy"]));
  EXPECT_EQ(f1, percent(summary["test_macro_f1"]));
  EXPECT_NE(test, f1);
}

TEST_F(Run, AnExistingRunIsKeptUnlessForced) {
  const std::string dir = in_folder("run");
  ASSERT_EQ(execute("splitsim-run", tiny({"--out", dir})).exit_code, 0);
  std::ofstream(dir + "/notes.txt") << "mine";
  const std::string before = test::slurp(dir + "/summary.json");
  const std::vector<std::string> other = {"--set", "seed=2", "--out", dir};
  const Result refused = execute("splitsim-run", tiny(other));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_EQ(refused.error_lines(), 1);
  EXPECT_NE(refused.err.find("is not empty"), std::string::npos) << refused.err;
  EXPECT_EQ(test::slurp(dir + "/summary.json"), before);

  // A mistake does not cost the old run, even with --force.
  std::vector<std::string> mistaken = tiny(other);
  mistaken.insert(mistaken.end(), {"--force", "--set", "model.cut=pool9"});
  EXPECT_EQ(execute("splitsim-run", mistaken).exit_code, 2);
  EXPECT_EQ(test::slurp(dir + "/summary.json"), before);

  std::vector<std::string> forced = tiny(other);
  forced.push_back("--force");
  EXPECT_EQ(execute("splitsim-run", forced).exit_code, 0);
  EXPECT_EQ(summary_of(dir)["seed"], 2);
  EXPECT_EQ(test::slurp(dir + "/notes.txt"), "mine");
}

// A folder of the user's own, with names that a run would use, and a run whose own file is to be read.
TEST_F(Run, ForceTouchesNothingOfTheUsers) {
  const std::string dir = in_folder("mine");
  fs::create_directories(dir + "/checkpoint");
  std::ofstream(dir + "/config.toml") << "# tuned by hand, do not lose\nseed = 3\n";
  std::ofstream(dir + "/checkpoint/precious.bin") << "weights";
  std::ofstream(dir + "/report.html") << "mine";
  const std::set<std::string> before = files_in(dir);
  std::vector<std::string> arguments = tiny({"--out", dir, "--force"});
  arguments.insert(arguments.begin(), dir + "/config.toml");
  expect_refused(arguments, 2, {"no run of splitsim"});
  EXPECT_EQ(files_in(dir), before);
  EXPECT_EQ(test::slurp(dir + "/config.toml"), "# tuned by hand, do not lose\nseed = 3\n");
  EXPECT_EQ(test::slurp(dir + "/checkpoint/precious.bin"), "weights");

  const std::string run = in_folder("run");
  ASSERT_EQ(execute("splitsim-run", tiny({"--out", run})).exit_code, 0);
  const std::string config = test::slurp(run + "/config.toml");
  expect_refused({run + "/config.toml", "--out", run, "--force"}, 2, {"which this run reads"});
  expect_refused(tiny({"--set", "partition.kind=file", "--set", "partition.file=" + run + "/partition.npy", "--out", run,
                       "--force"}),
                 2, {"partition.npy", "which this run reads"});
  EXPECT_EQ(test::slurp(run + "/config.toml"), config);
  EXPECT_EQ(summary_of(run)["status"], "completed");
}

TEST_F(Run, InterruptedWithCode130AndResumed) {
  const std::string dir = in_folder("run");
  const auto interrupt = [&](const std::vector<std::string>& arguments) {
    const pid_t pid = start("splitsim-run", arguments, in_folder("out"));
    // Until three epochs are in the table, but not for ever.
    for (int i = 0; i < 2000 && test::slurp(in_folder("out")).find("\n    3 ") == std::string::npos; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    kill(pid, SIGINT);
    return finish(pid);
  };
  const Result stopped = interrupt(tiny({"--set", "train.epochs=100000", "--out", dir}));
  EXPECT_EQ(stopped.exit_code, 130);
  EXPECT_EQ(stopped.error_lines(), 1) << stopped.err;
  EXPECT_NE(stopped.err.find("--resume " + dir), std::string::npos) << stopped.err;

  expect_refused({"--resume", dir, "--set", "seed=5"}, 2, {"--set with --resume: allowed: paths"});

  // Goes on from its checkpoint: the next row of the table is not the first epoch's.
  const pid_t pid = start("splitsim-run", {"--resume", dir, "--device", "cpu"}, in_folder("out"));
  const auto rows = [&] {
    const std::string out = test::slurp(in_folder("out"));
    const std::size_t head = out.find("\nepoch ");
    return head == std::string::npos ? std::string() : out.substr(out.find('\n', head + 1) + 1);
  };
  for (int i = 0; i < 2000 && rows().find('\n') == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  kill(pid, SIGTERM);
  const Result resumed = finish(pid);
  EXPECT_EQ(resumed.exit_code, 130) << resumed.err;
  EXPECT_GT(std::atoi(rows().c_str()), 3) << resumed.out;
}

TEST_F(Run, DivergenceIsCode4WithASummary) {
  const std::string dir = in_folder("run");
  const Result result = execute("splitsim-run", tiny({"--set", "train.server_optimizer.lr=1e30", "--set",
                                                      "train.client_optimizer.lr=1e30", "--out", dir}));
  EXPECT_EQ(result.exit_code, 4) << result.err;
  EXPECT_EQ(result.error_lines(), 1) << result.err;
  EXPECT_EQ(summary_of(dir)["status"], "diverged");
}

TEST_F(Run, EveryModeRunsFromTheCommandLine) {
  for (const std::string& mode : test::mode_names()) {
    const std::string out = in_folder("mode-" + mode);
    std::vector<std::string> arguments = {"--set", "train.mode=" + mode, "--out", out};
    if (test::map_of(mode).averages()) arguments.insert(arguments.end(), {"--set", "train.round=3"});
    const Result run = execute("splitsim-run", tiny(arguments));
    EXPECT_EQ(run.exit_code, 0) << mode << run.err;
    const nlohmann::json summary = summary_of(out);
    EXPECT_EQ(summary.at("status"), "completed") << mode;
    EXPECT_GT(summary.at("test_accuracy").get<double>(), 0.9) << mode;
    EXPECT_NE(run.out.find("of these client models"), std::string::npos);
  }
}

// oneDNN's kernels use the stack pointer as an ordinary register: a handler that ran on their thread would write into the
// heap, and the run would crash about every second time.
TEST_F(Run, SignalsDoNotTouchRunningKernels) {
  for (int i = 0; i < 6; ++i) {
    const pid_t pid = start("splitsim-run",
                            tiny({"--set", "model.name=resnet18", "--set", "model.cut=layer1", "--set", "model.width=64",
                                  "--set", "train.epochs=1000", "--set", "sampler.batch=120"}),
                            in_folder("out"));
    std::this_thread::sleep_for(std::chrono::milliseconds(700 + 50 * i));
    kill(pid, SIGINT);
    const Result run = finish(pid);
    EXPECT_EQ(run.exit_code, 130) << run.err;
  }
}

TEST_F(Run, WeightsThatDoNotFitAreOneLine) {
  const std::string dir = in_folder("run"), weights = in_folder("weights");
  ASSERT_EQ(execute("splitsim-run", tiny({"--out", dir})).exit_code, 0);
  const TensorFile file = read_safetensors(dir + "/model.safetensors");
  std::vector<TensorView> tensors;
  for (const Tensor& tensor : file.tensors) {
    tensors.push_back({tensor.name, tensor.shape, tensor.values});
  }
  const auto refused = [&](const std::vector<std::string>& parts) {
    write_safetensors(weights, tensors);
    expect_refused(tiny({"--set", "model.init=file", "--set", "model.file=" + weights}), 2, parts);
  };
  const TensorView last = tensors.back();
  ASSERT_EQ(last.name, "server.fc3.bias");
  tensors.back().shape = {3, 1};
  refused({"model.file = '" + weights + "'", "'server.fc3.bias'", "[3, 1]", "[3]"});
  tensors.pop_back();
  refused({"'server.fc3.bias'", "[3]", "missing"});
  tensors.push_back(last);
  tensors.push_back({"fc4.bias", last.shape, last.values});
  refused({"'fc4.bias'", "[3]", "no layer"});
  expect_refused(tiny({"--set", "model.init=file"}), 2, {"model.file = ''", "safetensors"});
  expect_refused(tiny({"--set", "model.init=file", "--set", "model.file=" + in_folder("none")}), 2, {"none"});
}

TEST_F(Run, ServerHalvesThatDoNotFitAreRefusedWithTheirBytes) {
  const std::vector<std::string> arguments = {"--dry-run", "--set", "train.mode=sflv1", "--set", "model.name=resnet34",
                                              "--set", "model.cut=layer1", "--set", "partition.clients=5000",
                                              "--set", "partition.kind=iid", "--device", "cpu"};
  const Result run = execute("splitsim-run", arguments);
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.err.find("bytes of cpu memory and"), std::string::npos) << run.err;
  EXPECT_NE(run.out.find("5000 server"), std::string::npos) << run.out;
}

}  // namespace
}  // namespace splitsim
