#include "runtime/run/trainer.hpp"

#include <chrono>
#include <utility>

#include "base/stopwatch.hpp"
#include "runtime/run/epoch_records.hpp"

namespace splitsim {

namespace {

EngineSettings engine_settings(const Scene& scene, const ScheduleBounds& bounds, const ScheduleBounds& turn_bounds) {
  return {.train = scene.config.train,
          .seed = seeds_of(scene.config).model,
          .clients = scene.population.clients,
          .bounds = turn_bounds,
          .steps_per_epoch = bounds.steps,
          .held = scene.population.sizes(),
          .groups = scene.groups,
          .class_counts = scene.population.class_total,
          .samples = scene.dataset.train_size()};
}

}  // namespace

template <class Context>
Trainer<Context>::Trainer(Context& ctx, const Scene& scene, const ScheduleBounds& bounds)
    : ctx_(ctx),
      scene_(scene),
      bounds_(bounds),
      turn_rules_(turn_rules(scene)),
      turn_bounds_(turn_rules_ ? dealt_bounds(bounds, scene.population, *turn_rules_) : bounds),
      engine_(ctx, scene.network, engine_settings(scene, bounds, turn_bounds_)),
      tester_(ctx, scene) {}

template <class Context>
std::vector<MemoryItem> Trainer<Context>::plan() const {
  const Dataset& data = scene_.dataset;
  const auto images =
      static_cast<std::uint64_t>(data.train_images.size() + data.test_images.size() + data.validation_images.size());
  const auto labels = static_cast<std::uint64_t>(data.train_size() + data.test_size() + data.validation_size());
  std::vector<MemoryItem> items = {{"data set", images + labels * sizeof(std::int32_t)}};
  if (turn_rules_) items.push_back({"turns", DealtBuffer<Context>::bytes(turn_bounds_)});
  items.insert(items.end(), engine_.plan().begin(), engine_.plan().end());
  MemoryItem& evaluation = items.emplace_back(MemoryItem{"evaluation", 0});
  for (const MemoryItem& item : tester_.plan()) evaluation.bytes += item.bytes;
  return items;
}

template <class Context>
void Trainer<Context>::start(const ScheduleView& schedule) {
  const Dataset& data = scene_.dataset;
  images_ = std::make_unique<DeviceImages<Context>>(ctx_, data.train_images, data.train_labels);
  if (turn_rules_) turns_ = std::make_unique<DealtBuffer<Context>>(ctx_, turn_bounds_);
  const GatherShape gather = gather_shape(data, scene_.config.data, seeds_of(scene_.config).data, true);
  engine_.start(*images_, gather, turns_ != nullptr ? turns_->view(*turn_rules_) : schedule);
  tester_.start();
}

template <class Context>
void Trainer<Context>::start_from(const ModelWeights& weights) {
  TrainingState state = engine_.download();
  for (int side = 0; side < 2; ++side) state.parameters[side] = weights.side[side];
  engine_.upload(state);
}

// What the engine runs: the schedule, or its micro-steps, which then go to the device.
template <class Context>
DealtSchedule Trainer<Context>::turns_of(Schedule schedule, std::int32_t epoch) {
  if (turns_ == nullptr) return {std::move(schedule)};
  DealtSchedule turns = deal(schedule, *turn_rules_, static_cast<std::uint32_t>(epoch));
  turns_->upload(turns);
  return turns;
}

template <class Context>
EpochResult Trainer<Context>::train(std::int32_t epoch, EpochPlan plan, const TrainHooks& hooks) {
  const Config& config = scene_.config;
  EpochResult result;
  EpochRecord& record = result.record;
  record.epoch = epoch;
  record.schedule_sha256 = std::move(plan.schedule_sha256);
  record.timeline_sha256 = std::move(plan.timeline_sha256);
  result.waiting = waiting_records(epoch, plan.schedule, plan.waiting);
  result.turns = turns_of(std::move(plan.schedule), epoch);

  engine_.begin_epoch(epoch, result.turns.schedule.steps());
  tester_.begin_epoch();
  test_seconds_ = 0.0;
  const auto start = std::chrono::steady_clock::now();
  train_steps(plan.timeline, hooks, result);
  const double train_seconds = seconds_since(start) - test_seconds_;

  result.steps = step_records(epoch, result.turns, engine_.metrics(), plan);
  summarise_steps(result.steps, train_seconds, record);
  result.losses = std::move(plan.losses);
  std::erase_if(result.waiting, [&](const WaitingRecord& wait) { return wait.step >= record.steps; });  // has not run
  result.all_steps = record.steps == plan.timeline.steps();
  if (result.all_steps) {
    if (scene_.mode.part[kClientSide].many()) record.client_drift = engine_.drift(kClientSide);
    if (scene_.mode.part[kServerSide].many()) record.server_drift = engine_.drift(kServerSide);
  }
  const bool last = epoch + 1 == config.train.epochs;
  const std::int32_t every = config.eval.every_epochs;
  if (result.status == RunStatus::kCompleted && (last || (every > 0 && (epoch + 1) % every == 0))) {
    tester_.test_epoch(engine_, record);
    result.reached = result.reached || reaches(config.eval, record);
  }
  result.tests = tester_.tests();
  result.client_tests = tester_.client_tests();
  return result;
}

// What the loop reads of the steps behind it, from memory that the device shares: no synchronisation.
template <class Context>
struct Trainer<Context>::Progress {
  View<const StepMetrics> metrics;
  std::int64_t steps;
  std::int64_t read = 0, correct = 0, samples = 0;
  double loss = 0.0;
  bool finite = true;

  void collect() {
    for (; read < steps; ++read) {
      const volatile StepMetrics& m = metrics[read];
      if (m.done == 0) break;
      finite = finite && m.finite != 0;
      loss += m.loss * m.batch;
      correct += m.correct;
      samples += m.batch;
    }
  }
};

template <class Context>
void Trainer<Context>::train_steps(const Timeline& timeline, const TrainHooks& hooks, EpochResult& result) {
  const Config& config = scene_.config;
  const DealtSchedule& turns = result.turns;
  const std::int32_t epoch = result.record.epoch;
  const bool stop_at_nonfinite = config.train.on_nonfinite == OnNonfinite::kStop;
  Progress seen{engine_.metrics(), turns.schedule.steps()};
  ProgressState shown;
  shown.epoch = epoch;
  shown.epochs = config.train.epochs;
  shown.steps = timeline.steps();
  shown.samples_total = scene_.dataset.train_size() * (config.train.epochs - epoch) + samples_trained_;
  bool stopped = false;
  for (std::int64_t m = 0; m < seen.steps && !stopped && !result.reached; ++m) {
    engine_.enqueue_step();
    const std::int64_t t = turns.parent_of(static_cast<std::size_t>(m));
    const bool ends_step = turns.ends_step(static_cast<std::size_t>(m));
    if (ends_step && config.eval.every_steps > 0 && (epoch * bounds_.steps + t + 1) % config.eval.every_steps == 0) {
      test_step(t, timeline, result);
    }
    seen.collect();
    if (hooks.on_progress && seen.samples > 0) {
      shown.step = seen.read < seen.steps ? turns.parent_of(static_cast<std::size_t>(seen.read)) : timeline.steps();
      shown.loss = seen.loss / static_cast<double>(seen.samples);
      shown.accuracy = static_cast<double>(seen.correct) / static_cast<double>(seen.samples);
      shown.samples = samples_trained_ + seen.samples;
      hooks.on_progress(shown);
    }
    // At the end of a step, so that what its turns have done is recorded.
    if (!seen.finite && ends_step && stop_at_nonfinite) stopped = true;
    if (hooks.interrupt != nullptr && hooks.interrupt->load()) {
      result.status = RunStatus::kInterrupted;
      stopped = true;
    }
  }
  ctx_.synchronize();
  seen.collect();
  if (!seen.finite && stop_at_nonfinite) result.status = RunStatus::kDiverged;
  samples_trained_ += seen.samples;
}

template <class Context>
void Trainer<Context>::test_step(std::int64_t step, const Timeline& timeline, EpochResult& result) {
  const auto start = std::chrono::steady_clock::now();
  const double now_s = static_cast<double>(timeline.end_ns[static_cast<std::size_t>(step)]) * 1e-9;
  tester_.test_step(engine_, step + 1, now_s, result.record);
  test_seconds_ += seconds_since(start);
  result.reached = result.reached || reaches(scene_.config.eval, result.record.step_evaluations.back());
}

template class Trainer<CpuContext>;
#if SPLITSIM_WITH_CUDA
template class Trainer<CudaContext>;
#endif

}  // namespace splitsim
