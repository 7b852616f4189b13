// How far each run of a sweep is, read from its folder alone.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/names.hpp"
#include "runtime/sweep/sweep.hpp"

namespace splitsim {

enum class RunProgress : std::uint8_t { kCompleted, kDiverged, kFailed, kInterrupted, kWaiting };

/// As in index.csv.
constexpr auto names_of(RunProgress) {
  return named_values<RunProgress>({{"completed", "to its end, or to eval.stop_at_accuracy"},
                                    {"diverged", "a loss was not finite: a result, too"},
                                    {"failed", "it ended with an error; --retry tries again"},
                                    {"interrupted", "it goes on from its last checkpoint"},
                                    {"waiting", "not begun"}});
}

struct RunStanding {
  RunProgress progress = RunProgress::kWaiting;
  std::string error = {};                          ///< one line, of a failed run
  bool begun = false;                              ///< its folder holds a run: it is continued, not started
  bool foreign = false;                            ///< that run is another experiment's, or read other inputs
  std::vector<std::string> resume_overrides = {};  ///< of --resume: more epochs, paths that are elsewhere now
  std::int32_t epochs = 0;                         ///< finished ones
  double wall_s = 0.0;                             ///< of a completed run

  bool is_result() const { return progress == RunProgress::kCompleted || progress == RunProgress::kDiverged; }
};

/// Of one run. Errors: none: what cannot be read is a failed run.
RunStanding standing_of(const SweepRun& run, const SweepFiles& files);

/// SHA-256 of what runs read now (experiment_plan.hpp: input_hashes), each distinct set of inputs read once.
class InputCheck {
 public:
  /// Empty, or one line: what a completed run has read has other content now.
  std::string changed(const SweepRun& run, const SweepFiles& files);

 private:
  std::map<std::string, std::map<std::string, std::string>> known_;
};

}  // namespace splitsim
