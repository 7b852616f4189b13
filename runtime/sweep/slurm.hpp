// A sweep under Slurm: tasks as job arrays, followed until every run is a result or has failed. The state is that of
// Slurm's queue and of the run directories alone: jobs are found by their name, so that a new call goes on with the jobs
// of one that was killed.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "runtime/sweep/run_state.hpp"
#include "runtime/sweep/sweep.hpp"
#include "runtime/sweep/tasks.hpp"

namespace splitsim {

struct SlurmUse {
  std::string sweep_program;      ///< splitsim-sweep, on a file system that the nodes see
  std::string device = "auto";    ///< of the nodes
  std::vector<std::string> args;  ///< of sbatch
  int together = 1;               ///< runs of an array task, trained as one
  int at_once = 0;                ///< array tasks at once; 0: as many as Slurm gives
  double poll_s = 5.0;
  int most_losses = 5;  ///< a task that is lost so often without a new epoch has failed
};

/// Array tasks of one submission: names of runs.
using TaskNames = std::vector<std::vector<std::string>>;

/// "splitsim-" and 12 digits of the folder's absolute path: what the names of its jobs begin with.
std::string slurm_job_prefix(const SweepFiles& files);

/// The script of submission `number`, for sbatch.
std::string slurm_script(const SweepFiles& files, const SlurmUse& use, int number, std::size_t tasks);

/// One line of squeue, "NAME|ARRAY TASK|STATE".
struct QueuedTask {
  int submission = 0, task = 0;
  std::string state;
};
std::vector<QueuedTask> parse_queue(const std::string& squeue_output, const std::string& job_prefix);

/// The task lists of a submission, as they were written before it. Errors: InputError.
TaskNames load_tasks(const SweepFiles& files, int number);

/// Submits what is not in the queue, follows the jobs, submits again what was lost, and keeps `standings` and index.csv
/// up to date. False: interrupted; the jobs go on. Errors: InputError if sbatch refuses or there is no Slurm.
bool run_under_slurm(const Sweep& sweep, const SweepFiles& files, std::vector<RunStanding>& standings,
                     const std::vector<std::size_t>& todo, const SlurmUse& use, const std::atomic<bool>& interrupt);

}  // namespace splitsim
