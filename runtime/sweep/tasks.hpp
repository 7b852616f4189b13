// Units of work: which runs one process trains, and its command line. Planning says which runs are to do, grouping makes
// tasks of them, and whoever executes tasks (child processes here, array tasks under Slurm) knows nothing of runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/sweep/child_process.hpp"
#include "runtime/sweep/run_state.hpp"
#include "runtime/sweep/sweep.hpp"

namespace splitsim {

struct Task {
  std::vector<std::size_t> runs;   ///< places in Sweep::runs, in order
  std::uint64_t memory_bytes = 0;  ///< while it runs; 0: unknown
  double seconds = 0.0;            ///< estimated, on one of the planned jobs; 0: unknown
};

/// How one process is to run.
struct Seat {
  std::string program;         ///< splitsim-run
  std::string device = "cpu";  ///< cpu | cuda
  int threads = 1;
  std::string cuda_device = "";  ///< CUDA_VISIBLE_DEVICES; empty: as it is
  std::string data_cache = "";   ///< folder of data sets that runs share, of a run alone; empty: none
};

/// Tasks in the order of the sweep, of up to `most` runs that can be trained as one (runtime/config/together.hpp). A run that has
/// failed before, whose folder holds another experiment's, or that goes on otherwise than it began is alone.
std::vector<Task> group_runs(const Sweep& sweep, const std::vector<RunStanding>& standings,
                             const std::vector<std::size_t>& runs, int most);

/// cache_key() of a run's data set.
std::string data_key(const SweepRun& run);

/// The process that does a task; of several runs the list that it reads is written. Runs of other experiments that are in
/// the way are replaced.
Command command_of(const Task& task, const Sweep& sweep, const SweepFiles& files,
                   const std::vector<RunStanding>& standings, const Seat& seat);

/// Keeps how a task's process ended where standing_of() sees it: an error makes its unfinished runs failed ones; exit
/// codes 4 (diverged) and 130 (interrupted) do not, nor does an end that was `asked` for.
void note_end(const Task& task, const Sweep& sweep, const SweepFiles& files, const ChildExit& exit, bool asked);

}  // namespace splitsim
