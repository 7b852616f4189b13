// Tasks as child processes: how many at once, on which device, within which memory, and how they end. The children are
// shell scripts.
#include "runtime/sweep/executor.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "base/stopwatch.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using test::slurp;
using test::TempDir;

class Executing : public ::testing::Test {
 protected:
  struct Ended {
    std::size_t run;
    ChildExit exit;
    bool asked;
  };
  // `script` runs with $1 = run, $2 = threads; its output goes to <run>.
  bool execute(const std::vector<Task>& tasks, const Pool& pool, const std::string& script) {
    ExecutorHooks hooks;
    hooks.command = [&](const Task& task, int threads, const std::string& device) {
      const std::string run = std::to_string(task.runs.front());
      Command command{{"/bin/sh", "-c", script, "child", run, std::to_string(threads)}, {}, dir_ / run};
      if (!device.empty()) command.environment.emplace_back("CUDA_VISIBLE_DEVICES", device);
      return command;
    };
    hooks.on_start = [&](const Task&) { most_ = std::max(most_, ++running_); };
    hooks.on_end = [&](const Task& task, const ChildExit& exit, bool asked) {
      --running_;
      ended_.push_back({task.runs.front(), exit, asked});
      if (on_end_) on_end_();
    };
    return run_tasks(tasks, pool, hooks, interrupt_);
  }
  static std::vector<Task> tasks(std::size_t count, std::uint64_t memory = 0) {
    std::vector<Task> all(count);
    for (std::size_t i = 0; i < count; ++i) all[i] = {{i}, memory, 0.0};
    return all;
  }
  TempDir dir_;
  std::atomic<bool> interrupt_{false};
  std::function<void()> on_end_;
  int running_ = 0, most_ = 0;
  std::vector<Ended> ended_;
};

TEST_F(Executing, RunsAllAndNoMoreThanItMayAtOnce) {
  EXPECT_TRUE(execute(tasks(7), {3, 4, 0, 0, {}}, "echo $2; sleep 0.05"));
  EXPECT_EQ(ended_.size(), 7u);
  EXPECT_EQ(most_, 3);
  // 4 cores: one thread each beside two others, what is left over for the last ones.
  std::multiset<std::string> threads;
  for (int i = 0; i < 7; ++i) threads.insert(slurp(dir_ / std::to_string(i)));
  EXPECT_GE(threads.count("1\n"), 5u);
  EXPECT_EQ(threads_of_next({3, 4, 0, 0, {}}, 9), 1);
  EXPECT_EQ(threads_of_next({3, 4, 0, 0, {}}, 2), 2);
  EXPECT_EQ(threads_of_next({3, 4, 0, 0, {}}, 1), 4);
  EXPECT_EQ(threads_of_next({3, 4, 7, 0, {}}, 1), 7);
}

TEST_F(Executing, SpreadsRunsOverDevices) {
  ::setenv("CUDA_VISIBLE_DEVICES", "9", 1);
  EXPECT_TRUE(execute(tasks(6), {3, 2, 0, 0, {"0", "GPU-abc", "2"}}, "echo $CUDA_VISIBLE_DEVICES; sleep 0.2"));
  ::unsetenv("CUDA_VISIBLE_DEVICES");
  std::map<std::string, int> runs;
  for (int i = 0; i < 6; ++i) ++runs[slurp(dir_ / std::to_string(i))];
  EXPECT_EQ(runs, (std::map<std::string, int>{{"0\n", 2}, {"GPU-abc\n", 2}, {"2\n", 2}}));
}

TEST_F(Executing, KeepsWithinMemoryButNeverStopsForIt) {
  EXPECT_TRUE(execute(tasks(4, 100), {4, 4, 0, 250, {}}, "sleep 0.05"));
  EXPECT_EQ(most_, 2);
  most_ = 0;
  EXPECT_TRUE(execute(tasks(3, 1000), {4, 4, 0, 250, {}}, "sleep 0.05"));
  EXPECT_EQ(most_, 1);
}

TEST_F(Executing, SaysHowEachEnded) {
  const char* script =
      "case $1 in 0) exit 0;; 1) echo 'sh: first'; echo 'sh: warning: no'; echo 'sh: why' >&2; exit 2;; 2) kill -9 "
      "$$;; "
      "3) exit 3;; esac";
  EXPECT_TRUE(execute(tasks(4), {1, 1, 0, 0, {}}, script));
  ASSERT_EQ(ended_.size(), 4u);
  EXPECT_EQ(ended_[0].exit.code, 0);
  EXPECT_EQ(ended_[0].exit.error, "");
  EXPECT_EQ(ended_[1].exit.code, 2);
  EXPECT_EQ(ended_[1].exit.error, "why");
  EXPECT_EQ(ended_[2].exit.code, 137);
  EXPECT_EQ(ended_[2].exit.error, "killed by signal 9 (Killed)");
  EXPECT_EQ(ended_[3].exit.error, "ended with exit code 3");
}

TEST_F(Executing, AProgramThatIsNotThereIsAFailureOfItsTask) {
  ExecutorHooks hooks;
  std::vector<ChildExit> exits;
  hooks.command = [&](const Task& task, int, const std::string&) {
    return Command{{task.runs.front() == 0 ? "/no/such/program" : "/bin/true"}, {}, dir_ / "out"};
  };
  hooks.on_end = [&](const Task&, const ChildExit& exit, bool) { exits.push_back(exit); };
  EXPECT_TRUE(run_tasks(tasks(2), {1, 1, 0, 0, {}}, hooks, interrupt_));
  ASSERT_EQ(exits.size(), 2u);
  EXPECT_EQ(exits[0].code, 127);
  EXPECT_EQ(exits[0].error, "cannot start '/no/such/program': No such file or directory");
  EXPECT_EQ(exits[1].code, 0);
}

TEST_F(Executing, AnInterruptAsksChildrenToStopAndStartsNoMore) {
  on_end_ = [this] { interrupt_ = true; };
  const std::string ready = dir_ / "ready";  // the trap is set
  const std::string script = "trap 'exit 130' TERM; if [ $1 = 0 ]; then while [ ! -e " + ready +
                             " ]; do sleep 0.01; done; exit 0; fi; touch " + ready + "; while :; do sleep 0.01; done";
  const auto began = std::chrono::steady_clock::now();
  EXPECT_FALSE(execute(tasks(9), {2, 2, 0, 0, {}}, script));
  EXPECT_LT(seconds_since(began), 20.0);
  ASSERT_EQ(ended_.size(), 2u);
  EXPECT_EQ(ended_[1].exit.code, 130);
  EXPECT_TRUE(ended_[1].asked);
  EXPECT_FALSE(ended_[0].asked);
}

// The parent is killed: its child, which ignores what can be ignored, goes with it.
TEST_F(Executing, ChildrenDieWithTheirParent) {
  const std::string pid_file = dir_ / "pid";
  const pid_t parent = fork();
  if (parent == 0) {
    const ChildProcess child(
        {{"/bin/sh", "-c", "trap '' TERM INT HUP; echo $$; while :; do sleep 0.05; done"}, {}, pid_file});
    while (true) ::pause();
  }
  const auto ready = [&] { return std::filesystem::exists(pid_file) && slurp(pid_file).ends_with("\n"); };
  for (int i = 0; i < 1000 && !ready(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ASSERT_TRUE(ready());
  const pid_t child = std::stoi(slurp(pid_file));
  EXPECT_EQ(::kill(child, 0), 0);
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  const auto alive = [child] {  // a zombie that nobody has waited for is dead
    std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    return !text.empty() && text.find(") Z ") == std::string::npos;
  };
  for (int i = 0; i < 400 && alive(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_FALSE(alive());
  if (alive()) ::kill(child, SIGKILL);
}

TEST(LastMessage, IsTheProgramsOwn) {
  EXPECT_EQ(last_message("plan\nsplitsim-run: warning: x\nsplitsim-run: bad key\n", "splitsim-run"), "bad key");
  EXPECT_EQ(last_message("step 3\rsplitsim-run: no\n", "splitsim-run"), "no");
  EXPECT_EQ(last_message("other: no\n", "splitsim-run"), "");
}

}  // namespace
}  // namespace splitsim
