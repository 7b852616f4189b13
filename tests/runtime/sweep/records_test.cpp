// What a sweep writes and prints: index.csv, Slurm's script and queue, estimates.
#include <gtest/gtest.h>

#include <sstream>

#include "runtime/sweep/index.hpp"
#include "runtime/sweep/measure.hpp"
#include "runtime/sweep/slurm.hpp"
#include "runtime/sweep/sweep_report.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using test::TempDir;

TEST(SweepIndex, HasARowPerRunAndQuotesWhatNeedsIt) {
  const TempDir dir;
  const SweepFiles files{dir.path()};
  Sweep sweep{"x", {{"a,b", {"sampler.kind"}, {"p", "q"}, false}, {"seed", {"seed"}, {"1"}, true}}, {}, {}};
  for (const char* label : {"p", "q \"r\"", "s"}) {
    sweep.runs.push_back({std::string("run-") + label[0], {label, "1"}, {}, std::string("hash") + label[0]});
  }
  std::filesystem::create_directories(files.run(sweep.runs[1]));
  test::spill(files.run(sweep.runs[1]) + "/summary.json",
              R"({"splitsim": {"version": "1"}, "status": "diverged", "seed": 1, "list": [1], "best": null,
                  "test_accuracy": 0.5, "deep": {"er": {"flag": true, "text": "x, y"}}})");
  Index index(sweep, files);
  index.set(0, {RunProgress::kFailed, "no, \"never\"", true});
  index.set(1, {RunProgress::kDiverged, "", true});
  index.set(2, {});
  EXPECT_EQ(
      index.csv(),
      "run,status,error,\"a,b\",seed,config_sha256,splitsim.version,best,test_accuracy,deep.er.flag,deep.er.text\n"
      "run-p,failed,\"no, \"\"never\"\"\",p,1,hashp,,,,,\n"
      "run-q,diverged,,\"q \"\"r\"\"\",1,hashq,1,,0.5,true,\"x, y\"\n"
      "run-s,waiting,,s,1,hashs,,,,,\n");
}

TEST(SweepSlurm, ScriptIsOneArrayAndQuotesItsPaths) {
  const SweepFiles files{"/data/it's 100%"};
  SlurmUse use;
  use.sweep_program = "/opt/x/splitsim-sweep";
  use.at_once = 4;
  const std::string prefix = slurm_job_prefix(files);
  EXPECT_EQ(slurm_script(files, use, 3, 12),
            "#!/bin/bash\n#SBATCH --job-name=" + prefix +
                "-3\n#SBATCH --array=0-11%4\n#SBATCH --output=\"/data/it's 100%%/slurm/job-3_%a.out\"\n"
                "#SBATCH --open-mode=append\n#SBATCH --requeue\n"
                "exec '/opt/x/splitsim-sweep' '/data/it'\\''s 100%' --submission 3 --task \"$SLURM_ARRAY_TASK_ID\" "
                "--device auto\n");
  EXPECT_NE(slurm_job_prefix({"/data/other"}), prefix);
}

TEST(SweepSlurm, ReadsItsOwnJobsFromTheQueue) {
  const auto tasks = parse_queue(
      "splitsim-abc-2|7|RUNNING\nslurm_load: "
      "warning\nsplitsim-abcd-2|1|PENDING\nother|3|RUNNING\nsplitsim-abc-2|N/A|X\n"
      "splitsim-abc-11|0|COMPLETING\n",
      "splitsim-abc");
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[0].submission, 2);
  EXPECT_EQ(tasks[0].task, 7);
  EXPECT_EQ(tasks[0].state, "RUNNING");
  EXPECT_EQ(tasks[1].submission, 11);
}

TEST(SweepTime, IsThatOfTheLastJobToEnd) {
  EXPECT_DOUBLE_EQ(makespan({3, 1, 1, 1}, 2), 3.0);
  EXPECT_DOUBLE_EQ(makespan({1, 1, 1, 3}, 2), 4.0);
  EXPECT_DOUBLE_EQ(makespan({5}, 8), 5.0);
  EXPECT_DOUBLE_EQ(makespan({5, 0.0}, 8), 0.0);  // unknown
  RunCost cost;
  cost.steps_per_epoch = 10;
  cost.setup_s = 1.0;
  cost.step_s = 0.5;
  cost.test_s = 2.0;
  Config config;
  config.train.epochs = 4;
  EXPECT_DOUBLE_EQ(run_seconds(cost, config), 1.0 + 4 * 7.0);
  EXPECT_DOUBLE_EQ(run_seconds(cost, config, 3), 1.0 + 7.0);
}

TEST(SweepJobs, FillCoresMemoryAndDevices) {
  MachineUse use;
  use.cores = 8;
  EXPECT_EQ(jobs_that_fit(use, 1, 0, 100), 8);
  EXPECT_EQ(jobs_that_fit(use, 3, 0, 100), 2);
  EXPECT_EQ(jobs_that_fit(use, 1, 0, 5), 5);
  use.memory_bytes = 1000;
  EXPECT_EQ(jobs_that_fit(use, 1, 300, 100), 3);
  EXPECT_EQ(jobs_that_fit(use, 1, 3000, 100), 1);
  use.jobs = 6;
  EXPECT_EQ(jobs_that_fit(use, 1, 300, 100), 6);  // the executor keeps them within memory
  use.jobs = 0;
  use.device = "cuda";
  EXPECT_EQ(jobs_that_fit(use, 1, 0, 100), 1);
  use.cuda_devices = {"0", "1", "2"};
  EXPECT_EQ(jobs_that_fit(use, 1, 0, 100), 3);
}

TEST(SweepShapes, AreTheSameForSeedsAndLengths) {
  const Config a = parse_config("", "a", {"train.epochs=3"});
  const Config b = parse_config("", "b", {"train.epochs=9", "seed=4", "model.seed=2"});
  const Config c = parse_config("", "c", {"partition.clients=8"});
  EXPECT_EQ(shape_sha256(a), shape_sha256(b));
  EXPECT_NE(shape_sha256(a), shape_sha256(c));
}

TEST(SweepProgressLines, ATableThatRewritesItselfOrALinePerRun) {
  const TempDir dir;
  const SweepFiles files{dir.path()};
  Sweep sweep{"x.toml", {}, {}, {}};
  for (const char* name : {"a", "b", "c"}) sweep.runs.push_back({name, {}, {}, ""});
  std::vector<RunStanding> standings(3);
  for (const bool live : {true, false}) {
    standings = std::vector<RunStanding>(3);
    std::ostringstream out;
    SweepProgress progress(out, live, sweep, files, standings);
    progress.started(0, 60.0);
    progress.started(1, 0.0);
    progress.tick(90.0);
    const std::string table = out.str();
    EXPECT_EQ(table.find("x.toml: 0 of 3 runs done, 0 failed, 2 running; 1:30 left") != std::string::npos, live);
    EXPECT_EQ(table.find(" of 1:00  a") != std::string::npos, live) << table;
    standings[0].progress = RunProgress::kCompleted;
    progress.ended(0, 12.34);
    EXPECT_EQ(out.str().find("[1/3] completed   a, 12.3 s\n") == std::string::npos, live) << out.str();
    standings[1].progress = RunProgress::kFailed;
    standings[1].error = "why";
    progress.ended(1, 1.0);
    EXPECT_NE(out.str().find("[2/3] failed      b, 1.0 s: why\n"), std::string::npos) << out.str();
    progress.tick(0.0);
    EXPECT_EQ(out.str().find("x.toml: 1 of 3 runs done, 1 failed, 0 running; --:-- left") != std::string::npos, live);
  }
}

}  // namespace
}  // namespace splitsim
