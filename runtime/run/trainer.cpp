#include "runtime/run/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/stopwatch.hpp"
#include "runtime/run/epoch_records.hpp"

namespace splitsim {

template <class Context>
Trainer<Context>::Lane::Lane(Context& ctx, const Scene& of, const ScheduleBounds& limits)
    : scene(&of),
      bounds(limits),
      turn_rules(splitsim::turn_rules(of)),
      turn_bounds(turn_rules ? dealt_bounds(bounds, of.population, *turn_rules) : bounds),
      tester(std::make_unique<Tester<Context>>(ctx, of)) {}

template <class Context>
std::vector<typename Trainer<Context>::Lane> Trainer<Context>::lanes_of(Context& ctx,
                                                                        const std::vector<const Scene*>& scenes,
                                                                        const std::vector<ScheduleBounds>& bounds) {
  std::vector<Lane> lanes;
  for (std::size_t e = 0; e < scenes.size(); ++e) lanes.emplace_back(ctx, *scenes[e], bounds[e]);
  return lanes;
}

template <class Context>
std::vector<EngineSettings> Trainer<Context>::engine_settings(const std::vector<Lane>& lanes) {
  std::vector<EngineSettings> settings;
  for (const Lane& lane : lanes) {
    const Scene& scene = *lane.scene;
    settings.push_back({.train = scene.config.train,
                        .seed = seeds_of(scene.config).model,
                        .clients = scene.population.clients,
                        .bounds = lane.turn_bounds,
                        .steps_per_epoch = lane.bounds.steps,
                        .held = scene.population.sizes(),
                        .groups = scene.groups,
                        .class_counts = scene.population.class_total,
                        .samples = scene.dataset.train_size()});
  }
  return settings;
}

template <class Context>
Trainer<Context>::Trainer(Context& ctx, const std::vector<const Scene*>& scenes,
                          const std::vector<ScheduleBounds>& bounds)
    : ctx_(ctx),
      lanes_(lanes_of(ctx, scenes, bounds)),
      engine_(ctx, scenes.front()->network, engine_settings(lanes_)) {}

template <class Context>
std::vector<MemoryItem> Trainer<Context>::plan() const {
  MemoryItem images{"data set", 0}, turns{"turns", 0}, evaluation{"evaluation", 0};
  for (const Lane& lane : lanes_) {
    const Dataset& data = lane.scene->dataset;
    images.bytes += data.train_features.size() + data.test_features.size() + data.validation_features.size();
    images.bytes += static_cast<std::uint64_t>(data.train_size() + data.test_size() + data.validation_size()) *
                    sizeof(std::int32_t);
    if (lane.turn_rules) turns.bytes += DealtBuffer<Context>::bytes(lane.turn_bounds);
    for (const MemoryItem& item : lane.tester->plan()) evaluation.bytes += item.bytes;
  }
  std::vector<MemoryItem> items = {images};
  if (turns.bytes > 0) items.push_back(turns);
  items.insert(items.end(), engine_.plan().begin(), engine_.plan().end());
  items.push_back(evaluation);
  return items;
}

template <class Context>
void Trainer<Context>::start(const std::vector<ScheduleView>& schedules) {
  std::vector<EngineInput<Context>> inputs;
  for (std::size_t e = 0; e < lanes_.size(); ++e) {
    Lane& lane = lanes_[e];
    const Dataset& data = lane.scene->dataset;
    // What several train on lies on the device once.
    const auto same = std::find_if(lanes_.begin(), lanes_.begin() + static_cast<std::ptrdiff_t>(e), [&](const Lane& a) {
      return a.scene->dataset.train_features == data.train_features && a.scene->dataset.train_labels == data.train_labels;
    });
    const bool shared = same != lanes_.begin() + static_cast<std::ptrdiff_t>(e);
    lane.images =
        shared ? same->images : std::make_shared<DeviceImages<Context>>(ctx_, data.train_features, data.train_labels);
    if (lane.turn_rules) lane.turns = std::make_unique<DealtBuffer<Context>>(ctx_, lane.turn_bounds);
    inputs.push_back({lane.images.get(), gather_source(*lane.images, data, seeds_of(lane.scene->config).data),
                      lane.turns != nullptr ? lane.turns->view(*lane.turn_rules) : schedules[e]});
  }
  const Scene& first = *lanes_.front().scene;
  engine_.start(gather_shape(first.dataset, first.config.data, true), inputs);
  for (Lane& lane : lanes_) lane.tester->start(lanes_.front().tester.get());
}

template <class Context>
void Trainer<Context>::start_from(std::size_t experiment, const ModelWeights& weights) {
  TrainingState state = engine_.download(experiment);
  for (int side = 0; side < 2; ++side) state.parameters[side] = weights.side[side];
  engine_.upload(state, experiment);
}

// What the engine runs: the schedule, or its micro-steps, which then go to the device.
template <class Context>
void Trainer<Context>::begin(Lane& lane, EpochTask& task, EpochResult& result) {
  EpochRecord& record = result.record;
  EpochPlan& plan = task.plan;
  record.epoch = task.epoch;
  record.schedule_sha256 = std::move(plan.schedule_sha256);
  record.timeline_sha256 = std::move(plan.timeline_sha256);
  result.waiting = waiting_records(task.epoch, plan.schedule, plan.waiting);
  if (lane.turns == nullptr) {
    result.turns = {std::move(plan.schedule)};
  } else {
    result.turns = deal(plan.schedule, *lane.turn_rules, static_cast<std::uint32_t>(task.epoch));
    lane.turns->upload(result.turns);
  }
  lane.tester->begin_epoch();
}

template <class Context>
std::vector<EpochResult> Trainer<Context>::train(std::vector<std::optional<EpochTask>> tasks,
                                                 const std::atomic<bool>* interrupt) {
  std::vector<EpochResult> results(tasks.size());
  std::vector<typename Engine<Context>::Epoch> epochs(tasks.size());
  for (std::size_t e = 0; e < tasks.size(); ++e) {
    if (!tasks[e]) continue;
    begin(lanes_[e], *tasks[e], results[e]);
    epochs[e] = {tasks[e]->epoch, results[e].turns.schedule.steps()};
  }
  engine_.begin_epoch(epochs);
  test_seconds_ = 0.0;
  const auto start = std::chrono::steady_clock::now();
  train_steps(tasks, interrupt, results);
  const double train_seconds = seconds_since(start) - test_seconds_;
  for (std::size_t e = 0; e < tasks.size(); ++e) {
    if (tasks[e]) finish(e, *tasks[e], train_seconds, results[e]);
  }
  return results;
}

template <class Context>
void Trainer<Context>::finish(std::size_t experiment, EpochTask& task, double train_seconds, EpochResult& result) {
  const Lane& lane = lanes_[experiment];
  const Scene& scene = *lane.scene;
  const Config& config = scene.config;
  EpochRecord& record = result.record;
  result.steps = step_records(task.epoch, result.turns, engine_.metrics(experiment), task.plan);
  summarise_steps(result.steps, train_seconds, record);
  result.losses = std::move(task.plan.losses);
  std::erase_if(result.waiting, [&](const WaitingRecord& wait) { return wait.step >= record.steps; });  // has not run
  result.all_steps = record.steps == task.plan.timeline.steps();
  if (result.all_steps) {
    if (scene.mode.part[kClientSide].many()) record.client_drift = engine_.drift(kClientSide, experiment);
    if (scene.mode.part[kServerSide].many()) record.server_drift = engine_.drift(kServerSide, experiment);
  }
  const bool last = task.epoch + 1 == config.train.epochs;
  const std::int32_t every = config.eval.every_epochs;
  if (result.status == RunStatus::kCompleted && (last || (every > 0 && (task.epoch + 1) % every == 0))) {
    lane.tester->test_epoch(engine_.values(experiment), record);
    result.reached = result.reached || reaches(config.eval, record);
  }
  result.tests = lane.tester->tests();
  result.client_tests = lane.tester->client_tests();
}

// What the loop reads of an experiment's steps behind it, from memory that the device shares: no synchronisation.
template <class Context>
struct Trainer<Context>::Progress {
  View<const StepMetrics> metrics;
  std::int64_t steps = 0;
  std::int64_t read = 0, correct = 0, samples = 0;
  double loss = 0.0;
  bool finite = true, stopped = false;

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
void Trainer<Context>::train_steps(const std::vector<std::optional<EpochTask>>& tasks,
                                   const std::atomic<bool>* interrupt, std::vector<EpochResult>& results) {
  std::vector<Progress> seen(tasks.size());
  for (std::size_t e = 0; e < tasks.size(); ++e) {
    seen[e] = {engine_.metrics(e), results[e].turns.schedule.steps()};
    if (!tasks[e]) seen[e].steps = 0;
  }
  const auto trains = [&](std::size_t e, std::int64_t step) { return step < seen[e].steps && !seen[e].stopped; };
  const auto any_trains = [&](std::int64_t step) {
    for (std::size_t e = 0; e < tasks.size(); ++e) {
      if (trains(e, step)) return true;
    }
    return false;
  };
  for (std::int64_t m = 0; any_trains(m); ++m) {
    engine_.enqueue_step();
    const bool interrupted = interrupt != nullptr && interrupt->load();
    for (std::size_t e = 0; e < tasks.size(); ++e) {
      if (!trains(e, m)) continue;
      after_step(e, m, *tasks[e], seen[e], results[e]);
      if (interrupted && !seen[e].stopped) {
        results[e].status = RunStatus::kInterrupted;
        seen[e].stopped = true;
      }
    }
  }
  ctx_.synchronize();
  for (std::size_t e = 0; e < tasks.size(); ++e) {
    if (!tasks[e]) continue;
    seen[e].collect();
    const bool stops = lanes_[e].scene->config.train.on_nonfinite == OnNonfinite::kStop;
    if (!seen[e].finite && stops) results[e].status = RunStatus::kDiverged;
    lanes_[e].samples_trained += seen[e].samples;
  }
}

template <class Context>
void Trainer<Context>::after_step(std::size_t experiment, std::int64_t step, const EpochTask& task, Progress& seen,
                                  EpochResult& result) {
  const Lane& lane = lanes_[experiment];
  const Config& config = lane.scene->config;
  const DealtSchedule& turns = result.turns;
  const std::int64_t t = turns.parent_of(static_cast<std::size_t>(step));
  const bool ends_step = turns.ends_step(static_cast<std::size_t>(step));
  const std::int64_t steps = task.plan.timeline.steps();
  if (ends_step && config.eval.every_steps > 0 &&
      (task.epoch * lane.bounds.steps + t + 1) % config.eval.every_steps == 0) {
    const auto start = std::chrono::steady_clock::now();
    const double now_s = static_cast<double>(task.plan.timeline.end_ns[static_cast<std::size_t>(t)]) * 1e-9;
    lane.tester->test_step(engine_.values(experiment), t + 1, now_s, result.record);
    test_seconds_ += seconds_since(start);
    result.reached = result.reached || reaches(config.eval, result.record.step_evaluations.back());
  }
  seen.collect();
  if (task.on_progress && seen.samples > 0) {
    ProgressState shown;
    shown.epoch = task.epoch;
    shown.epochs = config.train.epochs;
    shown.steps = steps;
    shown.samples_total = lane.scene->dataset.train_size() * (config.train.epochs - task.epoch) + lane.samples_trained;
    shown.step = seen.read < seen.steps ? turns.parent_of(static_cast<std::size_t>(seen.read)) : steps;
    shown.loss = seen.loss / static_cast<double>(seen.samples);
    shown.accuracy = static_cast<double>(seen.correct) / static_cast<double>(seen.samples);
    shown.samples = lane.samples_trained + seen.samples;
    task.on_progress(shown);
  }
  // At the end of a step, so that what its turns have done is recorded. The device stops there by itself.
  if (!seen.finite && ends_step && config.train.on_nonfinite == OnNonfinite::kStop) seen.stopped = true;
  if (result.reached) {
    seen.stopped = true;
    if (lanes_.size() > 1) engine_.halt(experiment);
  }
}

template class Trainer<CpuContext>;
#if SPLITSIM_WITH_CUDA
template class Trainer<CudaContext>;
#endif

}  // namespace splitsim
