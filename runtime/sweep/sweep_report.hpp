// What a sweep says: its plan, a line per run or a live table, and how it ended.
#pragma once

#include <chrono>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "runtime/sweep/measure.hpp"
#include "runtime/sweep/run_state.hpp"
#include "runtime/sweep/sweep.hpp"

namespace splitsim {

/// How many runs stand where, in the order of RunProgress.
std::vector<std::size_t> count_standings(const std::vector<RunStanding>& standings);

/// Several lines, the first one "sweep ...", without the folder.
std::string plan_text(const Sweep& sweep, const std::vector<RunStanding>& standings,
                      const std::vector<std::size_t>& todo, const SweepCosts& costs, const MachineUse& use);

/// A line that names the folders of runs/ that belong to no run of the sweep, because its file once had other values;
/// empty if there are none. They stay, and are in no index.
std::string others_text(const Sweep& sweep, const SweepFiles& files);

/// Wall seconds of all tasks on `jobs` processes, each taking the next when it is free; 0 if one is unknown.
double makespan(const std::vector<double>& seconds, int jobs);

/// Live: a table that rewrites itself, a line for what runs. Otherwise a line for each run that ends.
class SweepProgress {
 public:
  SweepProgress(std::ostream& out, bool live, const Sweep& sweep, const SweepFiles& files,
                const std::vector<RunStanding>& standings)
      : out_(out), live_(live), sweep_(sweep), files_(files), standings_(standings) {}
  ~SweepProgress() { clear(); }

  /// expected_s: what the run is expected to take; 0: unknown.
  void started(std::size_t run, double expected_s);
  /// standings already has how it ended.
  void ended(std::size_t run, double seconds);
  /// left_s: estimated, 0 if unknown.
  void tick(double left_s);
  void clear();

 private:
  struct Running {
    std::size_t run;
    double expected_s;
    std::chrono::steady_clock::time_point began;
  };
  std::string head(double left_s) const;

  std::ostream& out_;
  bool live_;
  const Sweep& sweep_;
  const SweepFiles& files_;
  const std::vector<RunStanding>& standings_;
  std::vector<Running> running_;
  std::size_t lines_ = 0;  // of the table on the screen
  std::size_t done_ = 0;
};

/// Failed runs with their errors, one line each; empty if there is none.
std::string failures_text(const Sweep& sweep, const std::vector<RunStanding>& standings);

}  // namespace splitsim
