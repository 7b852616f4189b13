// Runs that one process trains as one: what each leaves behind is what it leaves behind alone, also after stops.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "tests/drivers/sweep_fixture.hpp"

namespace splitsim {
namespace {

using test::SweepRuns;

const std::vector<std::string> kRuns = {"ugs-seed=1", "ugs-seed=2", "fls-seed=1", "fls-seed=2"};

TEST_F(SweepRuns, TogetherAsAlone) {
  const std::string file = sweep_file("x.sweep.toml", 3), alone = in_folder("alone"), together = in_folder("together");
  EXPECT_EQ(sweep({file, "--out", alone, "--together", "1"}).exit_code, 0);
  const Result result = sweep({file, "--out", together, "--together", "3"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(lines_in(together + "/together/ugs-seed=1.txt"), 3);
  EXPECT_FALSE(std::filesystem::exists(together + "/together/fls-seed=2.txt"));  // the fourth is alone
  for (const std::string& run : kRuns) {
    SCOPED_TRACE(run);
    expect_same_results(alone + "/runs/" + run, together + "/runs/" + run);
  }
  EXPECT_EQ(summary_of(together + "/runs/ugs-seed=2").at("trained_together"), 3);
  EXPECT_EQ(summary_of(together + "/runs/fls-seed=2").at("trained_together"), 1);
}

// An interrupt, an end without notice; then the same call goes on.
TEST_F(SweepRuns, TogetherGoesOnAfterStops) {
  const std::string file = sweep_file("x.sweep.toml", 60), alone = in_folder("alone"), together = in_folder("together");
  EXPECT_EQ(sweep({file, "--out", alone, "--jobs", "2"}).exit_code, 0);
  int stops = 0;
  for (const int signal : {SIGINT, SIGKILL}) {
    const pid_t child = start_sweep({file, "--out", together, "--together", "4"});
    for (int i = 0; i < 400 && lines_in(together + "/runs/fls-seed=2/epochs.jsonl") < (signal == SIGINT ? 5 : 25);
         ++i) {
      usleep(10'000);
    }
    kill(signal == SIGKILL ? -child : child, signal);
    int status = 0;
    waitpid(child, &status, 0);
    stops += std::filesystem::exists(together + "/runs/fls-seed=2/summary.json") ? 0 : 1;
  }
  EXPECT_GE(stops, 1) << "nothing was stopped: the runs are too short";
  const Result result = sweep({file, "--out", together, "--together", "4"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const std::string& run : kRuns) {
    SCOPED_TRACE(run);
    expect_same_results(alone + "/runs/" + run, together + "/runs/" + run);
  }
}

TEST_F(SweepRuns, AListThatIsNoneIsRefused) {
  const auto refused = [&](const std::string& text, const std::string& part) {
    std::ofstream(in_folder("list")) << text;
    const Result result = execute("splitsim-run", {"--together", in_folder("list"), "--device", "cpu"});
    EXPECT_EQ(result.exit_code, 2) << result.out;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
  };
  sweep_file("x.sweep.toml", 1);
  std::ofstream(in_folder("other.toml")) << test::slurp(in_folder("base.toml")) << "[train]\nmode = \"psl_local\"\n";
  const std::string base = in_folder("base.toml"), other = in_folder("other.toml");
  refused("", "names no run");
  refused(base + "\n", "list:1");
  refused(base + "\t" + in_folder("a") + "\n" + other + "\t" + in_folder("b") + "\n", "experiments 1 and 2");
  EXPECT_FALSE(std::filesystem::exists(in_folder("a")));
  refused(base + "\t" + in_folder("a") + "\n" + base + "\t" + in_folder("a") + "\n", in_folder("a"));
}

}  // namespace
}  // namespace splitsim
