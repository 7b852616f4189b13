#include "runtime/run/experiment_group.hpp"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/stopwatch.hpp"
#include "runtime/config/continuation.hpp"
#include "runtime/config/together.hpp"
#include "runtime/model/model_file.hpp"
#include "runtime/plan/plan_ahead.hpp"
#include "runtime/run/checkpoint_writer.hpp"
#include "runtime/run/recorder.hpp"
#include "runtime/train/conv_table.hpp"

namespace splitsim {

namespace {

/// The scene on a context that is ready for it: what convolutions it takes is known before anything is planned.
template <class Context>
Scene scene_on(Context& ctx, const Config& config, SceneParts given) {
  const std::string& path = config.train.conv_table;
  if (path.empty()) return make_scene(config, std::move(given));
  if constexpr (Context::kIsDevice) {
    const ConvTable table = read_conv_table(path);
    if (table.device != ctx.device_name()) {
      throw InputError(
          fmt::format("train.conv_table {}: measured on {}, this is {}", path, table.device, ctx.device_name()));
    }
    choose_convolutions(ctx, choices_of(table));
    return make_scene(config, std::move(given));
  } else {
    throw InputError("train.conv_table: a GPU's (--device cuda)");
  }
}

/// An experiment of the group, up to what is on the device.
template <class Context>
struct Member {
  Member(Context& ctx, const Config& config, SceneParts given)
      : scene(scene_on(ctx, config, std::move(given))), planner(ctx, scene), plan(describe(scene, planner.bounds())) {}

  RunIdentity identity() const { return {continuation_sha256(scene.config), plan.inputs}; }
  std::optional<Summary> finished_run(const std::string& out_dir) const;
  /// Where the run goes on.
  RunState state_at_start(const RunOptions& options, bool& resumes) const;
  /// Whether a checkpoint is due behind a finished epoch.
  bool saves(const RunOptions& options, std::int32_t epochs) const;

  const Scene scene;
  PlanAhead<Context> planner;
  ModelWeights initial;  // model.init = file
  ExperimentPlan plan;
};

template <class Context>
std::optional<Summary> Member<Context>::finished_run(const std::string& out_dir) const {
  std::optional<Summary> summary = splitsim::finished_run(scene.config, out_dir);
  if (summary) check_inputs(out_dir, summary->inputs, plan.inputs);
  return summary;
}

template <class Context>
RunState Member<Context>::state_at_start(const RunOptions& options, bool& resumes) const {
  RunState state;
  state.participation = Participation(scene.population.clients);
  resumes = options.resume && has_checkpoint(options.out_dir);
  if (resumes) load_checkpoint(options.out_dir, identity(), state);
  if (state.epochs > scene.config.train.epochs) {
    throw InputError(
        fmt::format("train.epochs = {} with --resume: allowed: at least the {} epochs that it has finished",
                    scene.config.train.epochs, state.epochs));
  }
  return state;
}

template <class Context>
bool Member<Context>::saves(const RunOptions& options, std::int32_t epochs) const {
  const TrainSettings& train = scene.config.train;
  return !options.out_dir.empty() && train.checkpoint_epochs > 0 &&
         (epochs == train.epochs || epochs % train.checkpoint_epochs == 0);
}

/// What a run of a member has while it goes on.
template <class Context>
struct Running {
  const RunOptions* options = nullptr;
  RunState state;
  std::optional<Recorder> recorder;
  std::optional<CheckpointWriter<Context>> checkpoints;
  RunStatus status = RunStatus::kCompleted;
  std::optional<Summary> summary;  // once it is finished
  bool stopped = false;            // an epoch has not ended
  ClockState clock;                // behind the epoch under way
  double schedule_wall_s = 0.0;
};

}  // namespace

template <class Context>
struct ExperimentGroup<Context>::Impl {
  Impl(Context& context, const std::vector<Config>& configs, std::vector<SceneParts> given);

  std::vector<Summary> run(const std::vector<RunOptions>& options);

  Context& ctx;
  std::vector<std::unique_ptr<Member<Context>>> members;  // [E]
  std::optional<Trainer<Context>> trainer;

 private:
  void plan_memory();
  /// Passes a state on to the device; its weights are then there alone.
  void start(std::size_t e, RunState& state, bool resumes);
  bool goes_on(std::size_t e) const;
  void train_epoch(const std::atomic<bool>* interrupt);
  Summary finish(std::size_t e);

  std::vector<Running<Context>> running;  // [E]
};

template <class Context>
ExperimentGroup<Context>::Impl::Impl(Context& context, const std::vector<Config>& configs,
                                     std::vector<SceneParts> given)
    : ctx(context) {
  given.resize(configs.size());
  std::vector<const Scene*> scenes;
  std::vector<ScheduleBounds> bounds;
  const std::string key = together_key(configs.front());
  for (const Config& config : configs) {
    if (together_key(config) != key) {
      throw InputError(
          fmt::format("experiments 1 and {} cannot be trained together: allowed are differences in seeds, partition, "
                      "sampler, clock, presence, learning rates, epochs and tests",
                      members.size() + 1));
    }
    members.push_back(std::make_unique<Member<Context>>(ctx, config, std::move(given[members.size()])));
    scenes.push_back(&members.back()->scene);
    bounds.push_back(members.back()->planner.bounds());
  }
  trainer.emplace(ctx, scenes, bounds);
  for (const auto& member : members) {
    const Config& config = member->scene.config;
    ExperimentPlan& plan = member->plan;
    plan.client_replicas = trainer->replicas(kClientSide);
    plan.server_replicas = trainer->replicas(kServerSide);
    if (config.model.init == InitKind::kFile) {
      member->initial =
          read_model_file(config.model.file, member->scene.network, {plan.client_replicas, plan.server_replicas});
      plan.inputs["initial_model"] = model_sha256(member->initial.side);
    }
  }
  plan_memory();
}

// What the group needs is what each of its members needs.
template <class Context>
void ExperimentGroup<Context>::Impl::plan_memory() {
  std::uint64_t before = ctx.counters().bytes_in_use, schedules = 0;
  for (const auto& member : members) {
    before += member->planner.bytes_in_use();
    schedules += member->planner.schedule_bytes();
  }
  std::vector<MemoryItem> memory = {{"population, sampler, clock", before}, {"schedule", schedules}};
  for (const MemoryItem& item : trainer->plan()) memory.push_back(item);
  for (const auto& member : members) {
    member->plan.memory = memory;
    for (const MemoryItem& item : memory) member->plan.memory_bytes += item.bytes;
    member->plan.available_bytes = ctx.memory_bytes() + before;
  }
}

template <class Context>
void ExperimentGroup<Context>::Impl::start(std::size_t e, RunState& state, bool resumes) {
  Member<Context>& member = *members[e];
  if (resumes) {
    trainer->set_state(e, state.training);
    state.training = {};
  } else if (member.scene.config.model.init == InitKind::kFile) {
    trainer->start_from(e, member.initial);
  }
}

template <class Context>
std::vector<Summary> ExperimentGroup<Context>::Impl::run(const std::vector<RunOptions>& options) {
  running = std::vector<Running<Context>>(members.size());
  std::vector<char> resumes(members.size());
  std::vector<ScheduleView> schedules;
  bool any = false;
  for (std::size_t e = 0; e < members.size(); ++e) {
    Running<Context>& run = running[e];
    run.options = &options[e];
    if (options[e].resume) run.summary = members[e]->finished_run(options[e].out_dir);
    any = any || !run.summary;
  }
  if (any) {
    splitsim::check_memory(members.front()->plan, Context::kName);
    for (std::size_t e = 0; e < members.size(); ++e) {
      bool goes_on = false;
      if (!running[e].summary) running[e].state = members[e]->state_at_start(options[e], goes_on);
      resumes[e] = goes_on ? 1 : 0;
      members[e]->planner.start(running[e].state.epochs, goes_on ? &running[e].state.clock : nullptr);
      schedules.push_back(members[e]->planner.schedule());
    }
    trainer->start(schedules);
  }
  for (std::size_t e = 0; e < members.size(); ++e) {
    Running<Context>& run = running[e];
    if (run.summary) continue;
    start(e, run.state, resumes[e] != 0);
    run.recorder.emplace(members[e]->scene, members[e]->plan, options[e].out_dir);
    // From here on files change: whatever does not fit has been refused.
    run.recorder->begin(run.state.epochs, resumes[e] != 0);
    run.checkpoints.emplace(ctx, trainer->engine(), options[e].out_dir, members[e]->identity(), e);
  }
  for (;;) {
    bool more = false;
    for (std::size_t e = 0; e < members.size(); ++e) {
      if (running[e].summary) continue;
      if (goes_on(e)) {
        more = true;
      } else {
        running[e].checkpoints->finish();
        running[e].summary = finish(e);
      }
    }
    if (!more) break;
    train_epoch(options.front().interrupt);
  }
  std::vector<Summary> summaries;
  for (Running<Context>& run : running) summaries.push_back(*std::move(run.summary));
  running.clear();
  return summaries;
}

template <class Context>
bool ExperimentGroup<Context>::Impl::goes_on(std::size_t e) const {
  const Running<Context>& run = running[e];
  return run.state.epochs < members[e]->scene.config.train.epochs && !run.recorder->reached() &&
         run.status == RunStatus::kCompleted && !run.stopped;
}

// One epoch of everyone who has one left, each its own.
template <class Context>
void ExperimentGroup<Context>::Impl::train_epoch(const std::atomic<bool>* interrupt) {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::optional<EpochTask>> tasks(members.size());
  for (std::size_t e = 0; e < members.size(); ++e) {
    Running<Context>& run = running[e];
    if (run.summary) continue;
    const auto start = std::chrono::steady_clock::now();
    const std::int32_t epoch = run.state.epochs;
    EpochPlan plan = members[e]->planner.take(epoch + 1 < members[e]->scene.config.train.epochs);
    run.clock = std::move(plan.clock);
    run.schedule_wall_s = seconds_since(start);
    tasks[e] = {epoch, std::move(plan), run.options->on_progress};
  }
  std::vector<EpochResult> results = trainer->train(std::move(tasks), interrupt);
  for (std::size_t e = 0; e < members.size(); ++e) {
    Running<Context>& run = running[e];
    if (run.summary) continue;
    EpochResult& result = results[e];
    result.record.schedule_wall_s = run.schedule_wall_s;
    result.record.wall_time_s = seconds_since(begin);
    run.status = result.status;
    if (run.status == RunStatus::kInterrupted) continue;  // the last checkpoint is where a resumed run goes on
    const bool ended = result.ended();
    const std::int32_t epochs = result.record.epoch + 1;
    const EpochRecord& record = run.recorder->add(std::move(result), run.state.participation);
    run.stopped = !ended;
    if (ended) {
      run.state.epochs = epochs;
      run.state.clock = std::move(run.clock);
      if (members[e]->saves(*run.options, epochs)) run.checkpoints->save(run.state);
    }
    if (run.options->on_epoch) run.options->on_epoch(record);
  }
}

template <class Context>
Summary ExperimentGroup<Context>::Impl::finish(std::size_t e) {
  Running<Context>& run = running[e];
  TrainedModel model;
  TrainingState training = trainer->state(e);
  for (int side = 0; side < 2; ++side) model.sides[side] = std::move(training.parameters[side]);
  model.has_average = trainer->replicas(kClientSide) > 1 || trainer->replicas(kServerSide) > 1;
  if (model.has_average) trainer->average(e, model.average);
  Summary summary = run.recorder->summarise(run.status, run.state, model);
  summary.device = ctx.device_name();
  summary.backend = Context::kName;
  summary.trained_together = static_cast<std::int32_t>(members.size());
  summary.peak_memory_bytes = ctx.counters().bytes_peak;
  for (const auto& member : members) summary.peak_memory_bytes += member->planner.bytes_peak();
  if (run.status != RunStatus::kInterrupted) run.recorder->write_results(summary, run.state.participation, model);
  return summary;
}

template <class Context>
ExperimentGroup<Context>::ExperimentGroup(Context& ctx, const std::vector<Config>& configs,
                                          std::vector<SceneParts> given)
    : impl_(std::make_unique<Impl>(ctx, configs, std::move(given))) {}
template <class Context>
ExperimentGroup<Context>::~ExperimentGroup() = default;
template <class Context>
const ExperimentPlan& ExperimentGroup<Context>::plan(std::size_t e) const {
  return impl_->members[e]->plan;
}
template <class Context>
const Scene& ExperimentGroup<Context>::scene(std::size_t e) const {
  return impl_->members[e]->scene;
}
template <class Context>
bool ExperimentGroup<Context>::finished(std::size_t e, const std::string& out_dir) const {
  return impl_->members[e]->finished_run(out_dir).has_value();
}
template <class Context>
std::vector<Summary> ExperimentGroup<Context>::run(const std::vector<RunOptions>& options) {
  return impl_->run(options);
}

template class ExperimentGroup<CpuContext>;
#if SPLITSIM_WITH_CUDA
template class ExperimentGroup<CudaContext>;
#endif

}  // namespace splitsim
