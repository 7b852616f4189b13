// splitsim-sweep as a whole: what it runs and skips, how it goes on after every kind of stop, what it refuses.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <random>

#include "tests/drivers/sweep_fixture.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;
using test::slurp;
using test::SweepRuns;

const std::vector<std::string> kRuns = {"ugs-seed=1", "ugs-seed=2", "fls-seed=1", "fls-seed=2"};

TEST_F(SweepRuns, RunsAllOnceAndWritesItsIndex) {
  const std::string file = sweep_file("x.sweep.toml", 3), out = in_folder("s");
  const Result first = sweep({file, "--out", out, "--jobs", "2"});
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_NE(first.out.find("2 sampler.kind x 2 seed = 4 runs"), std::string::npos) << first.out;
  const Table index = index_of(out);
  EXPECT_EQ(column(index, "run"), kRuns);
  EXPECT_EQ(column(index, "status"), std::vector<std::string>(4, "completed"));
  EXPECT_EQ(column(index, "sampler.kind"), (std::vector<std::string>{"ugs", "ugs", "fls", "fls"}));
  EXPECT_EQ(column(index, "seed"), (std::vector<std::string>{"1", "2", "1", "2"}));
  for (std::size_t i = 0; i < kRuns.size(); ++i) {
    const nlohmann::json summary = summary_of(out + "/runs/" + kRuns[i]);
    EXPECT_EQ(index[i].at("config_sha256"), summary.at("config_sha256"));
    EXPECT_EQ(index[i].at("model_sha256"), summary.at("model_sha256"));
    EXPECT_EQ(index[i].at("test_accuracy"), summary.at("test_accuracy").dump());
    EXPECT_EQ(index[i].at("settings.sampler"), summary.at("settings").at("sampler"));
  }
  const nlohmann::json axes = nlohmann::json::parse(slurp(out + "/axes.json"));
  EXPECT_EQ(axes, nlohmann::json::parse(R"([
    {"name": "sampler.kind", "keys": ["sampler.kind"], "values": ["ugs", "fls"], "seed": false},
    {"name": "seed", "keys": ["seed"], "values": ["1", "2"], "seed": true}])"));

  // A run alone is the same run; a second call changes nothing.
  const std::string alone = in_folder("alone");
  EXPECT_EQ(execute("splitsim-run", {in_folder("base.toml"), "--set", "train.epochs=3", "--set", "sampler.kind=fls",
                                     "--set", "seed=2", "--device", "cpu", "--out", alone})
                .exit_code,
            0);
  expect_same_results(alone, out + "/runs/fls-seed=2");
  const auto before = state_of(out + "/runs");
  EXPECT_EQ(sweep({file, "--out", out}).exit_code, 0);
  EXPECT_EQ(sweep({out}).exit_code, 0);
  EXPECT_EQ(state_of(out + "/runs"), before);
}

TEST_F(SweepRuns, TheCommandLineIsTheSameSweep) {
  const std::string file = sweep_file("x.sweep.toml", 2);
  EXPECT_EQ(sweep({file, "--out", in_folder("file"), "--jobs", "2"}).exit_code, 0);
  const Result result = sweep({"--config", in_folder("base.toml"), "--set", "train.epochs=2", "--grid",
                               "sampler.kind=ugs,fls", "--grid", "seed=1..2", "--out", in_folder("line")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(lasting(in_folder("file")), lasting(in_folder("line")));
  EXPECT_EQ(slurp(in_folder("file/axes.json")), slurp(in_folder("line/axes.json")));
}

TEST_F(SweepRuns, AddedValuesTrainOnlyWhatIsMissing) {
  const std::string file = sweep_file("x.sweep.toml", 2), out = in_folder("s");
  EXPECT_EQ(sweep({file, "--out", out}).exit_code, 0);
  const auto before = state_of(out + "/runs");
  std::string text = slurp(file);
  text.replace(text.find("1..2"), 4, "1..3");
  std::ofstream(file) << text;
  EXPECT_EQ(sweep({file, "--out", out}).exit_code, 0);
  EXPECT_EQ(index_of(out).size(), 6u);
  const auto after = state_of(out + "/runs");
  for (const auto& [path, content] : before) EXPECT_EQ(after.at(path), content) << path;

  // Runs whose values have left the file are named, and left alone.
  text.replace(text.find("1..3"), 4, "2..3");
  std::ofstream(file) << text;
  const Result fewer = sweep({file, "--out", out});
  EXPECT_EQ(fewer.exit_code, 0) << fewer.err;
  EXPECT_NE(fewer.out.find("others     2 folders in " + out +
                           "/runs of no run of this sweep, left alone: fls-seed=1, "
                           "ugs-seed=1\n"),
            std::string::npos)
      << fewer.out;
  EXPECT_EQ(index_of(out).size(), 4u);
  EXPECT_EQ(state_of(out + "/runs"), after);

  // More epochs extend the runs that are there, where no schedule depends on the length.
  const std::vector<std::string> constant = {"--set", "train.schedule=constant"};
  const std::string longer = in_folder("longer"), line = sweep_file("y.sweep.toml", 2);
  EXPECT_EQ(sweep(joined({line, "--out", longer}, constant)).exit_code, 0);
  sweep_file("y.sweep.toml", 5);
  EXPECT_EQ(sweep(joined({line, "--out", longer}, constant)).exit_code, 0);
  EXPECT_EQ(column(index_of(longer), "epochs"), std::vector<std::string>(4, "5"));
  EXPECT_EQ(epochs_trained(longer, "ugs-seed=1"), 5);
}

TEST_F(SweepRuns, FailuresAreIsolatedListedAndTriedAgainOnRequest) {
  const std::string file =
      sweep_file("x.sweep.toml", 2,
                 "[variants.weights]\nown = {}\nread = { model.init = \"file\", model.file = \"w.safetensors\" }\n");
  const std::string out = in_folder("s");
  const Result first = sweep({file, "--out", out, "--jobs", "2"});
  EXPECT_EQ(first.exit_code, 1) << first.err;
  EXPECT_NE(first.err.find("splitsim-sweep: 4 of 8 runs failed; --retry tries them again"), std::string::npos);
  EXPECT_NE(first.out.find("  ugs-seed=1-read: "), std::string::npos) << first.out;
  Table index = index_of(out);
  for (const auto& row : index) {
    const bool reads = row.at("weights") == "read";
    EXPECT_EQ(row.at("status"), reads ? "failed" : "completed") << row.at("run");
    EXPECT_EQ(row.at("error").find("w.safetensors") != std::string::npos, reads) << row.at("error");
  }
  const auto before = state_of(out + "/logs");
  EXPECT_EQ(sweep({file, "--out", out}).exit_code, 1);  // not tried again by itself
  EXPECT_EQ(state_of(out + "/logs"), before);
  fs::copy_file(out + "/runs/ugs-seed=1-own/model.safetensors", in_folder("w.safetensors"));
  const Result retried = sweep({out, "--retry"});
  EXPECT_EQ(retried.exit_code, 0) << retried.err;
  EXPECT_EQ(column(index_of(out), "status"), std::vector<std::string>(8, "completed"));
  EXPECT_EQ(column(index_of(out), "error"), std::vector<std::string>(8, ""));

  // Weights that have changed since.
  fs::copy_file(out + "/runs/fls-seed=2-own/model.safetensors", in_folder("w.safetensors"),
                fs::copy_options::overwrite_existing);
  const Result changed = sweep({out});
  EXPECT_EQ(changed.exit_code, 2);
  EXPECT_NE(changed.err.find("its model_file has other content"), std::string::npos) << changed.err;
}

TEST_F(SweepRuns, DivergedRunsAreResults) {
  const std::string file = sweep_file("x.sweep.toml", 2), out = in_folder("s");
  const Result result = sweep({file, "--out", out, "--set", "train.lr=1e30"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(column(index_of(out), "status"), std::vector<std::string>(4, "diverged"));
  const auto before = state_of(out + "/runs");
  EXPECT_EQ(sweep({out, "--retry"}).exit_code, 0);
  EXPECT_EQ(state_of(out + "/runs"), before);
}

TEST_F(SweepRuns, GoesOnAfterCtrlC) {
  const std::string file = sweep_file("x.sweep.toml", 150), out = in_folder("s"), whole = in_folder("whole");
  EXPECT_EQ(sweep({file, "--out", whole, "--jobs", "2"}).exit_code, 0);
  const pid_t pid = start_sweep({file, "--out", out, "--jobs", "2"});
  EXPECT_TRUE(wait_for(has_lines(out + "/runs/ugs-seed=1/epochs.jsonl", 10)));
  kill(pid, SIGINT);
  const Result stopped = finish(pid);
  EXPECT_EQ(stopped.exit_code, 130) << stopped.err;
  EXPECT_NE(stopped.err.find("splitsim-sweep: interrupted with "), std::string::npos) << stopped.err;
  const Table index = index_of(out);
  EXPECT_EQ(index[0].at("status"), "interrupted");
  EXPECT_EQ(index[3].at("status"), "waiting");
  EXPECT_EQ(index[0].at("error"), "");
  const Result rest = sweep({out, "--jobs", "2"});
  EXPECT_EQ(rest.exit_code, 0) << rest.err;
  EXPECT_EQ(lasting(out), lasting(whole));
  EXPECT_LE(epochs_trained(out, "ugs-seed=1"), 152);  // at most the epoch in the air
}

// SIGKILL of everything at random moments: the same index, and nothing is trained again but what is behind the last
// checkpoint.
TEST_F(SweepRuns, GoesOnAfterKills) {
  const int epochs = 300;
  const std::string file = sweep_file("x.sweep.toml", epochs), out = in_folder("s"), whole = in_folder("whole");
  EXPECT_EQ(sweep({file, "--out", whole, "--jobs", "2"}).exit_code, 0);
  std::mt19937 random(20261128);
  own_group_ = true;
  int kills = 0;
  for (; kills < 10; ++kills) {
    const pid_t pid = start_sweep({file, "--out", out, "--jobs", "2"});
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + random() % 400));
    ASSERT_EQ(kill(-pid, SIGKILL), 0);
    if (finish(pid).exit_code != 128 + SIGKILL) break;  // it was done before
  }
  EXPECT_GE(kills, 3);
  const Result rest = sweep({file, "--out", out, "--jobs", "2"});
  EXPECT_EQ(rest.exit_code, 0) << rest.err << rest.out;
  EXPECT_EQ(lasting(out), lasting(whole));
  for (const std::string& run : kRuns) {
    // A kill may fall between a checkpoint and the line about its epoch, or between an epoch and its checkpoint.
    EXPECT_GE(epochs_trained(out, run), epochs - kills) << run;
    EXPECT_LE(epochs_trained(out, run), epochs + kills) << run;
    EXPECT_EQ(slurp(out + "/runs/" + run + "/steps.csv"), slurp(whole + "/runs/" + run + "/steps.csv")) << run;
  }
}

// A child that is killed (by the kernel for its memory, say) is a failure of that run alone.
TEST_F(SweepRuns, AKilledRunIsAFailureThatCanBeTriedAgain) {
  const std::string file = sweep_file("x.sweep.toml", 400), out = in_folder("s");
  const pid_t pid = start_sweep({file, "--out", out, "--jobs", "1"});
  EXPECT_TRUE(wait_for(has_lines(out + "/runs/ugs-seed=1/epochs.jsonl", 5)));
  const std::string lock = slurp(out + "/runs/ugs-seed=1/run.lock");
  kill(std::stoi(lock.substr(lock.find("process ") + 8)), SIGKILL);
  EXPECT_TRUE(wait_for(has_lines(out + "/runs/ugs-seed=2/epochs.jsonl", 1)));
  kill(pid, SIGTERM);
  EXPECT_EQ(finish(pid).exit_code, 130);
  const Table index = index_of(out);
  EXPECT_EQ(index[0].at("status"), "failed");
  EXPECT_EQ(index[0].at("error"), "killed by signal 9 (Killed)");
  EXPECT_EQ(index[1].at("status"), "interrupted");
}

TEST_F(SweepRuns, OneSweepAtATimeHoldsTheFolder) {
  const std::string file = sweep_file("x.sweep.toml", 300), out = in_folder("s");
  const pid_t pid = start_sweep({file, "--out", out, "--jobs", "1"});
  EXPECT_TRUE(wait_for(has_lines(out + "/runs/ugs-seed=1/epochs.jsonl", 1)));
  const Result second = execute("splitsim-sweep", {out});
  EXPECT_EQ(second.exit_code, 2);
  EXPECT_EQ(second.err.find("splitsim-sweep: sweep '" + out + "' is in use by process " + std::to_string(pid)), 0u)
      << second.err;
  kill(pid, SIGTERM);
  finish(pid);
}

TEST_F(SweepRuns, RunsOfAnotherExperimentAreNotReplacedSilently) {
  const std::string file = sweep_file("x.sweep.toml", 2), out = in_folder("s");
  EXPECT_EQ(sweep({file, "--out", out}).exit_code, 0);
  const auto before = state_of(out + "/runs");
  const std::string index = slurp(out + "/index.csv");
  const Result other = sweep({file, "--out", out, "--set", "sampler.batch=48"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_NE(other.err.find("/runs/ugs-seed=1 holds another run: sampler.batch = 24, the sweep says 48 (and 3 more such "
                           "runs); allowed: another --out, or --force"),
            std::string::npos)
      << other.err;
  EXPECT_EQ(state_of(out + "/runs"), before);
  EXPECT_EQ(slurp(out + "/index.csv"), index);
  EXPECT_EQ(sweep({file, "--out", out, "--set", "sampler.batch=48", "--force"}).exit_code, 0);
  EXPECT_EQ(column(index_of(out), "settings.batch"), std::vector<std::string>(4, "48"));

  // The same configs over images that have changed.
  std::fstream image(in_folder("data/x.npy"), std::ios::in | std::ios::out | std::ios::binary);
  image.seekp(-1, std::ios::end);
  image.put(static_cast<char>(77));
  image.close();
  const Result changed = sweep({out});
  EXPECT_EQ(changed.exit_code, 2);
  EXPECT_NE(changed.err.find("its images has other content"), std::string::npos) << changed.err;
}

TEST_F(SweepRuns, MistakesAreFoundBeforeAnythingRuns) {
  const std::string file = sweep_file("x.sweep.toml", 2, "sampler.batch = [24, 0]\n"), out = in_folder("s");
  const auto refused = [&](const std::vector<std::string>& arguments, const std::string& part) {
    const Result result = sweep(arguments);
    EXPECT_EQ(result.exit_code, 2) << part;
    EXPECT_EQ(result.error_lines(), 1) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
    EXPECT_FALSE(fs::exists(out + "/runs"));
  };
  refused({file, "--out", out}, "run ugs-seed=1-batch=0: " + file + ":7:22: sampler.batch = 0: allowed:");
  refused({}, "nothing to sweep");
  refused({in_folder("none.toml")}, "cannot read");
  refused({in_folder("base.toml"), "--out", out},
          "base.toml:1:2: unknown key \"data\"; settings of all runs go below [set]");
  refused({"--grid", "seed=1,2"}, "--out DIR says where the runs go");
  refused({"--grid", "seed=1,2", "--out", out, "--jobs", "0"}, "--jobs 0: allowed: auto, 1 to 9999");
  refused({"--grid", "seed=1,2", "--out", out, "--devices", "0,1"}, "--devices 0,1: allowed with a GPU");
  refused({folder_.string()}, "is no sweep's folder");
  refused({file, "--out", folder_.string()}, "holds other files");
}

TEST_F(SweepRuns, ADryRunMeasuresPlansAndLeavesNothing) {
  const std::string file = sweep_file("x.sweep.toml", 5), out = in_folder("s");
  const Result plan = execute("splitsim-sweep", {file, "--out", out, "--device", "cpu", "--dry-run"});
  EXPECT_EQ(plan.exit_code, 0) << plan.err;
  for (const char* part : {"4 waiting", "a run at most (measured)", "at once, ", "time       about 0:0"}) {
    EXPECT_NE(plan.out.find(part), std::string::npos) << plan.out;
  }
  EXPECT_FALSE(fs::exists(out));
}

// Data that several runs read is loaded once: each is told where it is kept, and nothing of it is left behind.
TEST_F(SweepRuns, SharesDataThatSeveralRunsRead) {
  const std::string fake = in_folder("splitsim-run"), out = in_folder("s");
  std::ofstream(fake) << "#!/bin/sh\necho \"$*\" >> " << in_folder("calls") << "\nwhile [ $# -gt 0 ]; do\n"
                      << "[ \"$1\" = --data-cache ] && mkdir -p \"$2\" && touch \"$2/left\"; shift; done\n";
  fs::permissions(fake, fs::perms::owner_all);
  setenv("SPLITSIM_RUN", fake.c_str(), 1);
  fs::create_directories(out + "/cache");
  std::ofstream(out + "/sweep.lock") << "splitsim sweep directory\n";
  std::ofstream(out + "/cache/old") << "of a sweep that was killed";
  const auto calls_of = [&](const std::vector<std::string>& axes) {
    std::ofstream(in_folder("calls")) << "";
    EXPECT_EQ(sweep(joined({"--out", out, "--jobs", "1", "--force", "--retry"}, axes)).exit_code, 0);
    EXPECT_FALSE(fs::exists(out + "/cache"));
    const std::string calls = slurp(in_folder("calls"));
    int with = 0;
    for (std::size_t at = calls.find(" --data-cache " + out + "/cache"); at != std::string::npos;
         at = calls.find(" --data-cache ", at + 1)) {
      ++with;
    }
    return std::pair(std::count(calls.begin(), calls.end(), '\n'), with);
  };
  using Counts = std::pair<std::ptrdiff_t, int>;
  EXPECT_EQ(calls_of({"--grid", "sampler.kind=ugs,fls", "--grid", "seed=1..2"}), Counts(4, 4));
  EXPECT_EQ(calls_of({"--grid", "seed=1..3"}), Counts(3, 0));  // glyphs are drawn from the seed
  EXPECT_EQ(calls_of({"--grid", "seed=1..3", "--set", "data.seed=7"}), Counts(3, 3));
  sweep_file("x.sweep.toml", 1);
  EXPECT_EQ(calls_of({"--config", in_folder("base.toml"), "--grid", "seed=1..3"}), Counts(3, 0));  // .npy
  unsetenv("SPLITSIM_RUN");
}

// No GPU is needed to see what a run's process is given.
TEST_F(SweepRuns, GivesEachProcessADevice) {
  const std::string fake = in_folder("splitsim-run"), file = sweep_file("x.sweep.toml", 1), out = in_folder("s");
  std::ofstream(fake) << "#!/bin/sh\necho \"$CUDA_VISIBLE_DEVICES $*\" >> " << in_folder("calls") << "\nsleep 0.3\n";
  fs::permissions(fake, fs::perms::owner_all);
  setenv("SPLITSIM_RUN", fake.c_str(), 1);
  const Result result = sweep({file, "--out", out, "--devices", "3,5", "--jobs", "2", "--threads", "7"});
  unsetenv("SPLITSIM_RUN");
  const std::string calls = slurp(in_folder("calls"));
  EXPECT_EQ(std::count(calls.begin(), calls.end(), '\n'), 4) << result.err;
  std::istringstream lines(calls);
  std::map<char, int> devices;
  for (std::string line; std::getline(lines, line);) {
    ++devices[line[0]];
    EXPECT_NE(line.find("--device cpu --threads 7"), std::string::npos) << line;
  }
  EXPECT_EQ(devices, (std::map<char, int>{{'3', 2}, {'5', 2}}));
}

}  // namespace
}  // namespace splitsim
