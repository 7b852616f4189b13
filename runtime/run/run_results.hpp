// From what a run has done to the records of the whole: pure functions of values, and finished_run(), which reads files.
// Determinism: exact.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/names.hpp"
#include "runtime/config/config.hpp"
#include "runtime/mode/ledger.hpp"
#include "runtime/record/records.hpp"
#include "runtime/run/experiment_plan.hpp"

namespace splitsim {

enum class RunStatus : std::uint8_t { kCompleted, kDiverged, kInterrupted };

/// Names as records have them.
constexpr auto names_of(RunStatus) {
  return named_values<RunStatus>({{"completed", "to its end, or to eval.stop_at_accuracy"},
                                  {"diverged", "a loss is not finite"},
                                  {"interrupted", "by a signal"}});
}

struct RunOutcome {
  RunStatus status = RunStatus::kCompleted;
  std::int32_t epochs = 0;             ///< finished ones
  std::vector<EpochRecord> records;    ///< of all epochs, those before a resume included
  Participation participation;
  std::optional<double> lr_last[2];    ///< by side, of the last step that ran
};

/// The summary, but for what only the device knows: its name, backend, peak memory and the models' hashes.
Summary summarise(const Config& config, const ExperimentPlan& plan, const Ledger& ledger, const RunOutcome& outcome);

/// Whether a test reached eval.stop_at_accuracy: of the validation set where there is one.
bool reaches(const EvalSettings& eval, const StepEvaluation& test);
bool reaches(const EvalSettings& eval, const EpochRecord& record);

/// One record per client. personal: [K] personal accuracies.
std::vector<ClientRecord> client_records(const Scene& scene, const Ledger& ledger, const Participation& participation,
                                         const std::vector<std::optional<double>>& personal);

/// The summary of a completed run of this very config (by its hash) to which nothing is left to do: all epochs, or
/// eval.stop_at_accuracy. Whether its inputs had the same content is for the caller to say (check_inputs()). Errors:
/// InputError for files that cannot be read.
std::optional<Summary> finished_run(const Config& config, const std::string& out_dir);

}  // namespace splitsim
