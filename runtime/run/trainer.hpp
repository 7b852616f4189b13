// The part of runs that is on the device: engine, tests and the data they use, of one experiment or of several that are trained
// together. Trains epoch after epoch of given plans and says what each has left behind; knows nothing of files.
// Determinism: as the engine's.
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

/// What an experiment trains next.
struct EpochTask {
  std::int32_t epoch = 0;
  EpochPlan plan;
  std::function<void(const ProgressState&)> on_progress = {};  ///< called now and then from the host loop
};

template <class Context>
class Trainer {
 public:
  /// Plans only. scenes: [E], must outlive the trainer and agree as the engine asks. bounds: [E], of their schedules.
  /// Errors: InputError.
  Trainer(Context& ctx, const std::vector<const Scene*>& scenes, const std::vector<ScheduleBounds>& bounds);

  /// Bytes by purpose, the data sets included.
  std::vector<MemoryItem> plan() const;
  std::int64_t replicas(int side) const { return engine_.replicas(side); }

  /// Allocates, uploads the data and draws the initial weights. schedules: [E], where the planners put every epoch's.
  void start(const std::vector<ScheduleView>& schedules);
  /// Other weights than the drawn ones.
  void start_from(std::size_t experiment, const ModelWeights& weights);
  TrainingState state(std::size_t experiment) const { return engine_.download(experiment); }
  const Engine<Context>& engine() const { return engine_; }
  void set_state(std::size_t experiment, const TrainingState& state) { engine_.upload(state, experiment); }

  /// Trains an epoch of each experiment that has a task, and tests where that is due. The records' tests and drift are of what
  /// ran. interrupt becomes true: all stop at the next step. Synchronises.
  std::vector<EpochResult> train(std::vector<std::optional<EpochTask>> tasks, const std::atomic<bool>* interrupt);

  /// Both sides of an experiment's averaged model, [replica_size] each.
  void average(std::size_t experiment, std::vector<float> (&sides)[2]) {
    lanes_[experiment].tester->average(engine_.values(experiment), sides);
  }

 private:
  struct Progress;
  /// What an experiment has of its own.
  struct Lane {
    Lane(Context& ctx, const Scene& of, const ScheduleBounds& limits);

    const Scene* scene;
    ScheduleBounds bounds;                // of schedules as they are
    std::optional<TurnRules> turn_rules;  // where they are dealt
    ScheduleBounds turn_bounds;           // of what the engine runs: micro-steps where clients take turns
    std::unique_ptr<Tester<Context>> tester;
    std::shared_ptr<DeviceImages<Context>> images;
    std::unique_ptr<DealtBuffer<Context>> turns;  // where schedules are dealt
    std::int64_t samples_trained = 0;             // by this process
  };
  static std::vector<Lane> lanes_of(Context& ctx, const std::vector<const Scene*>& scenes,
                                    const std::vector<ScheduleBounds>& bounds);
  static std::vector<EngineSettings> engine_settings(const std::vector<Lane>& lanes);
  static void begin(Lane& lane, EpochTask& task, EpochResult& result);
  void train_steps(const std::vector<std::optional<EpochTask>>& tasks, const std::atomic<bool>* interrupt,
                   std::vector<EpochResult>& results);
  void after_step(std::size_t experiment, std::int64_t step, const EpochTask& task, Progress& seen,
                  EpochResult& result);
  void finish(std::size_t experiment, EpochTask& task, double train_seconds, EpochResult& result);

  Context& ctx_;
  std::vector<Lane> lanes_;  // [E]
  Engine<Context> engine_;
  double test_seconds_ = 0.0;  // of tests within the current epoch
};

}  // namespace splitsim
