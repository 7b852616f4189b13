// Threads as a user meets them: fewer than asked for, waiting beside other work.
#include <sched.h>

#include <chrono>

#include "tests/drivers/tiny_run.hpp"
#include "tests/paths.hpp"

namespace splitsim {
namespace {

class Threads : public test::TinyRun {
 protected:
  std::string model_of(const std::vector<std::string>& arguments, std::string* plan = nullptr) {
    const Result run = execute("splitsim-run", arguments);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    if (plan != nullptr) *plan = run.out;
    const std::size_t at = run.out.find("sha256 ", run.out.find("\nmodel            ", run.out.find("\nstatus ")));
    return run.out.substr(at, 71);
  }
  // Enough work per step that several threads share it.
  std::vector<std::string> busy(const std::string& epochs, const std::string& threads) {
    return tiny({"--set", "model.name=resnet18", "--set", "model.cut=layer1", "--set", "model.width=16", "--set",
                 "sampler.batch=120", "--set", "train.epochs=" + epochs, "--threads", threads});
  }
  // Seconds that `count` runs side by side take on this thread's processor alone.
  double seconds(int count, const std::string& threads) {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<pid_t> runs;
    for (int i = 0; i < count; ++i) {
      runs.push_back(start("splitsim-run", busy("2", threads), in_folder("out" + std::to_string(i))));
    }
    for (const pid_t run : runs) EXPECT_EQ(finish(run).exit_code, 0);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
};

TEST_F(Threads, LimitsOfOpenMPChangeNoBitAndThePlanTellsThem) {
  const std::string one = model_of(busy("1", "1"));
  for (const auto& [name, value] : {std::pair{"OMP_THREAD_LIMIT", "1"}, {"OMP_MAX_ACTIVE_LEVELS", "0"},
                                    {"OMP_DYNAMIC", "true"}, {"OMP_NUM_THREADS", "3"}}) {
    setenv(name, value, 1);
    std::string plan;
    EXPECT_EQ(model_of(busy("1", "2"), &plan), one) << name;
    const bool limited = std::string(value) == "1" || std::string(value) == "0";
    EXPECT_NE(plan.find(limited ? ", 1 thread" : ", 2 threads"), std::string::npos) << name << plan;
    unsetenv(name);
  }
}

TEST_F(Threads, ThreadsThatTheSystemRefusesAreDoneWithout) {
  if (test::kSanitized) GTEST_SKIP() << "a sanitizer's memory is not the program's";
  const std::string one = model_of(busy("1", "1"));
  std::string command = "ulimit -v 1500000; exec '" + std::string(test::kBinDir) + "/splitsim-run'";
  for (const std::string& argument : busy("1", "1000")) command += " '" + argument + "'";
  const int status = std::system((command + " >'" + in_folder("out") + "' 2>'" + in_folder("err") + "'").c_str());
  EXPECT_EQ(status, 0) << test::slurp(in_folder("err"));
  EXPECT_NE(test::slurp(in_folder("out")).find(one), std::string::npos) << test::slurp(in_folder("out"));
}

// Without a word in the environment. Threads that spin while they wait keep the processors from the other runs' threads
// that they wait for.
TEST_F(Threads, RunsSideBySideShareTheMachine) {
  unsetenv("OMP_WAIT_POLICY");
  unsetenv("GOMP_SPINCOUNT");
  cpu_set_t all, two;
  ASSERT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
  if (CPU_COUNT(&all) < 2) GTEST_SKIP() << "one processor: OpenMP does not spin there";
  CPU_ZERO(&two);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&two) < 2; ++cpu) {
    if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &two);
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof two, &two), 0);
  const double alone = seconds(1, "1"), together = seconds(4, "2");
  ASSERT_EQ(sched_setaffinity(0, sizeof all, &all), 0);
  std::cout << "one run on one thread " << alone << " s, four on two threads each " << together << " s\n";
  EXPECT_LT(together, 10.0 * alone);  // about twice is usual; with threads that spin thirty times
}

}  // namespace
}  // namespace splitsim
