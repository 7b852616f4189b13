// The part of a run that is on the device: engine, tests and the data they use. Trains epoch after epoch of given plans and
// says what each has left behind; knows nothing of files. Determinism: as the engine's.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "kernels/device/buffer.hpp"
#include "kernels/device/context.hpp"
#include "runtime/model/model_file.hpp"
#include "runtime/plan/epoch_plan.hpp"
#include "runtime/record/records.hpp"
#include "runtime/run/progress.hpp"
#include "runtime/run/run_results.hpp"
#include "runtime/run/tester.hpp"
#include "runtime/train/engine.hpp"
#include "samplers/schedule/turns.hpp"

namespace splitsim {

/// What an epoch has left behind.
struct EpochResult {
  EpochRecord record;
  std::vector<StepRecord> steps;       ///< of those that ran; traffic and rates are left at 0
  std::vector<WaitingRecord> waiting;  ///< of those that ran
  std::vector<TestRecord> tests;
  std::vector<ClientTest> client_tests;
  DealtSchedule turns;  ///< what ran
  Losses losses;        ///< what the epoch lost before
  RunStatus status = RunStatus::kCompleted;
  bool reached = false;    ///< eval.stop_at_accuracy
  bool all_steps = false;  ///< every step of the epoch ran

  /// Not where something stopped it, or a test within it has ended the run.
  bool ended() const { return all_steps && status == RunStatus::kCompleted; }
};

struct TrainHooks {
  const std::atomic<bool>* interrupt = nullptr;                ///< becomes true: stop at the next step
  std::function<void(const ProgressState&)> on_progress = {};  ///< called now and then from the host loop
};

template <class Context>
class Trainer {
 public:
  /// Plans only. scene must outlive the trainer. bounds: of its schedules. Errors: InputError.
  Trainer(Context& ctx, const Scene& scene, const ScheduleBounds& bounds);

  /// Bytes by purpose, the data set included.
  std::vector<MemoryItem> plan() const;
  std::int64_t replicas(int side) const { return engine_.replicas(side); }

  /// Allocates, uploads the data and draws the initial weights. schedule: where the planner puts every epoch's.
  void start(const ScheduleView& schedule);
  /// Other weights than the drawn ones.
  void start_from(const ModelWeights& weights);
  TrainingState state() const { return engine_.download(); }
  const Engine<Context>& engine() const { return engine_; }
  void set_state(const TrainingState& state) { engine_.upload(state); }

  /// Trains an epoch and tests where that is due. The records' tests and drift are of what ran. Synchronises.
  EpochResult train(std::int32_t epoch, EpochPlan plan, const TrainHooks& hooks);

  /// Both sides of the averaged model, [replica_size] each.
  void average(std::vector<float> (&sides)[2]) { tester_.average(engine_, sides); }

 private:
  struct Progress;
  DealtSchedule turns_of(Schedule schedule, std::int32_t epoch);
  void train_steps(const Timeline& timeline, const TrainHooks& hooks, EpochResult& result);
  void test_step(std::int64_t step, const Timeline& timeline, EpochResult& result);

  Context& ctx_;
  const Scene& scene_;
  ScheduleBounds bounds_;                // of schedules as they are
  std::optional<TurnRules> turn_rules_;  // where they are dealt
  ScheduleBounds turn_bounds_;           // of what the engine runs: micro-steps where clients take turns
  Engine<Context> engine_;
  Tester<Context> tester_;
  std::unique_ptr<DeviceImages<Context>> images_;
  std::unique_ptr<DealtBuffer<Context>> turns_;  // where schedules are dealt
  std::int64_t samples_trained_ = 0;             // by this process
  double test_seconds_ = 0.0;                    // of tests within the current epoch
};

}  // namespace splitsim
