// What a run leaves behind: the records of its epochs, its traffic, its files. Knows no device: everything follows from the
// scene and what the epochs have left. Determinism: exact, but for wall times.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/mode/ledger.hpp"
#include "runtime/run/checkpoint.hpp"
#include "runtime/run/experiment_plan.hpp"
#include "runtime/run/run_results.hpp"
#include "runtime/run/run_writer.hpp"
#include "runtime/run/trainer.hpp"

namespace splitsim {

/// Weights of both sides, and of the averaged model where a side has replicas.
struct TrainedModel {
  std::vector<float> sides[2];
  std::vector<float> average[2];
  bool has_average = false;
};

class Recorder {
 public:
  /// out_dir: a prepared run directory; empty: nothing is written. Both must outlive the recorder.
  Recorder(const Scene& scene, const ExperimentPlan& plan, const std::string& out_dir);

  /// Files as they are after `epochs` finished epochs of a run that goes on; resumes: there was one.
  void begin(std::int32_t epochs, bool resumes);
  /// Whether a recorded epoch reached eval.stop_at_accuracy.
  bool reached() const { return reached_; }

  /// Records an epoch, and what its clients did in `total`; gives its record as written.
  const EpochRecord& add(EpochResult result, Participation& total);

  /// The summary, but for what only the device knows; model hashes included.
  Summary summarise(RunStatus status, const RunState& state, const TrainedModel& model) const;
  /// clients.csv, the models and summary.json.
  void write_results(const Summary& summary, const Participation& total, const TrainedModel& model);

 private:
  std::size_t step_of_run(const StepRecord& step) const;
  /// The records of the epochs that are behind a run that goes on, as its files have them.
  void read_back();

  const Scene& scene_;
  const ExperimentPlan& plan_;
  Ledger ledger_;
  std::vector<float> rates_[2];        // [steps of the run], by side
  std::vector<EpochRecord> records_;   // of all epochs, those before a resume included
  std::vector<ClientTest> client_tests_;  // of the last test at an epoch's end, if clients have tests of their own
  std::unique_ptr<RunWriter> writer_;  // none: nothing is written
  bool reached_ = false;
};

}  // namespace splitsim
