// splitsim-sweep --slurm against a real Slurm: jobs that are cancelled, and jobs whose node fails, go on.
#include "tests/drivers/slurm.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "tests/drivers/sweep_fixture.hpp"

namespace splitsim {
namespace {

using test::LocalSlurm;
using test::slurp;

class SlurmSweep : public test::SweepRuns {
 protected:
  std::string task_of(const LocalSlurm& slurm, int task) const {  // "JOB_TASK" of the first submission
    return slurm.shell("squeue -h -r -o '%i %j' | awk '$1 ~ /_" + std::to_string(task) +
                       "$/ && $2 ~ /-1$/ {print $1}'");
  }
};

TEST_F(SlurmSweep, CancelledJobsAndLostNodesAreResumed) {
  const LocalSlurm slurm(in_folder("slurm"));
  if (!slurm.why_not().empty()) GTEST_SKIP() << "no Slurm here: " << slurm.why_not();
  const int epochs = 500;
  const std::string file = sweep_file("x.sweep.toml", epochs), out = in_folder("s"), whole = in_folder("whole");
  EXPECT_EQ(sweep({file, "--out", whole, "--jobs", "2"}).exit_code, 0);

  const pid_t pid = start("splitsim-sweep", {file, "--out", out, "--device", "cpu", "--slurm", "--slurm-poll", "0.2"},
                          in_folder("out"));
  // Two tasks run at once on the node's two processors.
  EXPECT_TRUE(wait_for(has_lines(out + "/runs/ugs-seed=1/epochs.jsonl", 20)));
  slurm.shell("scancel " + task_of(slurm, 0));
  EXPECT_TRUE(wait_for(has_lines(out + "/runs/ugs-seed=2/epochs.jsonl", 30)));
  const std::string host = slurm.shell("hostname -s");
  slurm.shell("scontrol update nodename=" + host + " state=down reason=test");
  slurm.shell("scontrol update nodename=" + host + " state=idle");
  // Slurm lets requeued jobs wait for two minutes.
  siginfo_t info{};
  for (int i = 0; i < 600; ++i) {
    info.si_pid = 0;
    if (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid) break;
    slurm.shell("for j in $(squeue -h -r -t PENDING -o %i); do scontrol update jobid=$j StartTime=now; done");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  if (info.si_pid != pid) kill(pid, SIGKILL);
  const Result result = finish(pid);
  EXPECT_EQ(result.exit_code, 0) << result.err << result.out;
  EXPECT_NE(result.err.find("ugs-seed=1: its task was lost after "), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("submitted 1 task as job "), std::string::npos) << result.err;
  std::string outputs;
  for (const auto& entry : std::filesystem::directory_iterator(out + "/slurm")) outputs += slurp(entry.path().string());
  EXPECT_NE(outputs.find("NODE FAILURE"), std::string::npos) << outputs;
  EXPECT_EQ(lasting(out), lasting(whole));
  for (const char* run : {"ugs-seed=1", "ugs-seed=2"}) {
    EXPECT_GE(epochs_trained(out, run), epochs - 2) << run;  // that of each stop may have missed its line
    EXPECT_LE(epochs_trained(out, run), epochs + 2) << run;
  }
}

// The sweep is killed while its jobs run: a new call finds them and submits nothing twice.
TEST_F(SlurmSweep, ANewCallFollowsTheJobsThatAreThere) {
  const LocalSlurm slurm(in_folder("slurm"));
  if (!slurm.why_not().empty()) GTEST_SKIP() << "no Slurm here: " << slurm.why_not();
  const std::string file = sweep_file("x.sweep.toml", 300), out = in_folder("s");
  const std::vector<std::string> arguments = {file,      "--out",        out,   "--device",     "cpu",
                                              "--slurm", "--slurm-poll", "0.2", "--slurm-args", "--time=10 --nice=1"};
  const pid_t pid = start("splitsim-sweep", arguments, in_folder("out"));
  EXPECT_TRUE(wait_for(has_lines(out + "/runs/ugs-seed=1/epochs.jsonl", 5)));
  kill(pid, SIGKILL);
  finish(pid);
  EXPECT_EQ(slurm.shell("squeue -h -r -o %l | head -n 1"), "10:00");
  const Result rest = execute("splitsim-sweep", arguments);
  EXPECT_EQ(rest.exit_code, 0) << rest.err;
  EXPECT_EQ(rest.err.find("submitted"), std::string::npos) << rest.err;
  EXPECT_EQ(column(index_of(out), "status"), std::vector<std::string>(4, "completed"));
  EXPECT_EQ(epochs_trained(out, "ugs-seed=1"), 300);
}

TEST_F(SlurmSweep, WithoutSlurmItSaysSo) {
  const std::string file = sweep_file("x.sweep.toml", 2), path = getenv("PATH");
  setenv("PATH", in_folder("nothing").c_str(), 1);
  const Result result = execute("splitsim-sweep", {file, "--out", in_folder("s"), "--slurm"});
  setenv("PATH", path.c_str(), 1);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err, "splitsim-sweep: --slurm: there is no sbatch in PATH; allowed where Slurm is installed\n");
}

}  // namespace
}  // namespace splitsim
