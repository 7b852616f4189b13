// A sweep on this machine: which runs are to do, and doing them as child processes.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "runtime/plan/data_cache.hpp"
#include "runtime/sweep/executor.hpp"
#include "runtime/sweep/measure.hpp"
#include "runtime/sweep/run_state.hpp"
#include "runtime/sweep/sweep.hpp"

namespace splitsim {

/// Of every run. What completed runs have read is compared with what is there now: where that has changed, a run is
/// foreign.
std::vector<RunStanding> all_standings(const Sweep& sweep, const SweepFiles& files);

/// Which runs to train: waiting and interrupted ones, failed ones with `retry`, foreign ones with `force`. Errors:
/// InputError naming the first foreign run, without `force`: it would be overwritten.
std::vector<std::size_t> runs_to_do(const Sweep& sweep, const std::vector<RunStanding>& standings, bool retry,
                                    bool force);

struct LocalUse {
  std::string run_program;  ///< splitsim-run
  std::string device;       ///< cpu | cuda
  Pool pool;
  int together = 1;          ///< runs that one process trains as one, at most
  bool writes_index = true;  ///< not where several processes share the sweep's directory
  SharedData* data = nullptr;  ///< none: every run loads its data for itself
};

/// Trains `todo`, keeps `standings` and index.csv up to date, and shows progress on stderr. False: interrupted.
bool run_locally(const Sweep& sweep, const SweepFiles& files, std::vector<RunStanding>& standings,
                 const std::vector<std::size_t>& todo, const SweepCosts& costs, const LocalUse& use,
                 const std::atomic<bool>& interrupt);

}  // namespace splitsim
