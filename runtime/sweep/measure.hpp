// How many runs at once, of how many threads each: measured by short probes, each in a process of its own, kept in a file
// so that nothing is measured twice on one machine.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/plan/data_cache.hpp"
#include "runtime/sweep/probe.hpp"
#include "runtime/sweep/run_state.hpp"
#include "runtime/sweep/sweep.hpp"

namespace splitsim {

/// What is asked of the machine.
struct MachineUse {
  std::string probe_program;   ///< splitsim-sweep: it is called with --probe CONFIG
  std::string device = "cpu";  ///< cpu | cuda
  int cores = 1;
  std::uint64_t memory_bytes = 0;         ///< of the host, for all processes
  int jobs = 0;                           ///< 0: choose
  int threads = 0;                        ///< of a run; 0: choose
  std::vector<std::string> cuda_devices;  ///< empty: the one that a run takes by itself
  bool measure = true;
  const SharedData* data = nullptr;  ///< as LocalUse has it
};

/// Runs of `threads` threads each, as many at once as fill the cores.
struct Speed {
  int threads = 1, processes = 1;
  double steps_per_s = 0.0;  ///< of all together
};

struct SweepCosts {
  std::map<std::string, RunCost> by_shape;   ///< shape_sha256() -> cost; shapes that could not be measured are missing
  std::map<std::string, double> finished_s;  ///< shape -> wall time of an epoch in the runs that are finished
  std::vector<Speed> speeds;                 ///< that were compared, the first one chosen; empty: nothing to compare
  std::vector<std::string> failures;         ///< "run NAME: why it could not be measured"
  int jobs = 1, threads = 1;

  /// Seconds that a run still takes; 0: unknown.
  double seconds(const SweepRun& run, const RunStanding& standing) const;
  /// Of the host while a run runs; 0: unknown.
  std::uint64_t memory(const SweepRun& run) const;
};

/// Fewer threads are taken unless more train faster by this factor: the measured steps are few.
constexpr double kSpeedMargin = 1.05;
/// At most so many shapes are measured; others are taken for their mean.
constexpr std::size_t kMostProbes = 24;

/// Of the runs `todo`. Errors: InputError if no run at all can be measured, as its own message. Stops early when
/// `interrupt` becomes true.
SweepCosts measure_sweep(const Sweep& sweep, const SweepFiles& files, const std::vector<RunStanding>& standings,
                         const std::vector<std::size_t>& todo, const MachineUse& use,
                         const std::atomic<bool>& interrupt);

/// The number of jobs that fit: cores over threads, devices, memory. cost_bytes: of the largest run.
int jobs_that_fit(const MachineUse& use, int threads, std::uint64_t cost_bytes, std::size_t runs);

}  // namespace splitsim
