#include "runtime/run/experiment.hpp"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/hash.hpp"
#include "base/stopwatch.hpp"
#include "runtime/config/continuation.hpp"
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

}  // namespace

template <class Context>
struct Experiment<Context>::Impl {
  Impl(Context& context, const Config& config, SceneParts given);

  Summary run(const RunOptions& options);
  /// The summary of a run in out_dir to which nothing is left to do.
  std::optional<Summary> finished_run(const std::string& out_dir) const;

  Context& ctx;
  const Scene scene;
  PlanAhead<Context> planner;
  Trainer<Context> trainer;
  ModelWeights initial;  // model.init = file
  ExperimentPlan plan;

 private:
  RunIdentity identity() const { return {continuation_sha256(scene.config), plan.inputs}; }
  /// Where the run goes on.
  RunState state_at_start(const RunOptions& options, bool& resumes) const;
  /// Passes the state on to the device; its weights are then there alone.
  void start(RunState& state, bool resumes);
  /// Whether a checkpoint is due behind a finished epoch.
  bool saves(const RunOptions& options, std::int32_t epochs) const;
  Summary finish(RunStatus status, const RunState& state, Recorder& recorder);
};

template <class Context>
Experiment<Context>::Impl::Impl(Context& context, const Config& config, SceneParts given)
    : ctx(context),
      scene(scene_on(context, config, std::move(given))),
      planner(ctx, scene),
      trainer(ctx, scene, planner.bounds()),
      plan(describe(scene, planner.bounds())) {
  plan.client_replicas = trainer.replicas(kClientSide);
  plan.server_replicas = trainer.replicas(kServerSide);
  if (config.model.init == InitKind::kFile) {
    initial = read_model_file(config.model.file, scene.network, {plan.client_replicas, plan.server_replicas});
    plan.inputs["initial_model"] = model_sha256(initial.side);
  }
  if (!config.train.conv_table.empty()) {
    Sha256 hash;
    hash.add(read_text_file(config.train.conv_table));
    plan.inputs["conv_table"] = hash.hex();
  }
  plan.memory = {{"population, sampler, clock", ctx.counters().bytes_in_use + planner.bytes_in_use()},
                 {"schedule", planner.schedule_bytes()}};
  for (const MemoryItem& item : trainer.plan()) plan.memory.push_back(item);
  for (const MemoryItem& item : plan.memory) plan.memory_bytes += item.bytes;
  plan.available_bytes = ctx.memory_bytes() + ctx.counters().bytes_in_use + planner.bytes_in_use();
}

template <class Context>
std::optional<Summary> Experiment<Context>::Impl::finished_run(const std::string& out_dir) const {
  const auto file = [&out_dir](const char* name) { return (std::filesystem::path(out_dir) / name).string(); };
  if (!std::filesystem::exists(file("summary.json")) || !std::filesystem::exists(file("epochs.jsonl"))) return {};
  Summary summary = read_summary(file("summary.json"));
  if (summary.status != name_of(RunStatus::kCompleted) || summary.config_sha256 != plan.config_sha256) return {};
  check_inputs(out_dir, summary.inputs, plan.inputs);
  bool reached = false;
  for (const EpochRecord& record : read_epochs(file("epochs.jsonl"))) {
    reached = reached || reaches(scene.config.eval, record);
  }
  if (summary.epochs < scene.config.train.epochs && !reached) return {};
  return summary;
}

template <class Context>
RunState Experiment<Context>::Impl::state_at_start(const RunOptions& options, bool& resumes) const {
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
void Experiment<Context>::Impl::start(RunState& state, bool resumes) {
  planner.start(state.epochs, resumes ? &state.clock : nullptr);
  trainer.start(planner.schedule());
  if (resumes) {
    trainer.set_state(state.training);
    state.training = {};
  } else if (scene.config.model.init == InitKind::kFile) {
    trainer.start_from(initial);
  }
}

template <class Context>
bool Experiment<Context>::Impl::saves(const RunOptions& options, std::int32_t epochs) const {
  const TrainSettings& train = scene.config.train;
  return !options.out_dir.empty() && train.checkpoint_epochs > 0 &&
         (epochs == train.epochs || epochs % train.checkpoint_epochs == 0);
}

template <class Context>
Summary Experiment<Context>::Impl::run(const RunOptions& options) {
  if (options.resume) {
    if (std::optional<Summary> summary = finished_run(options.out_dir)) return *summary;
  }
  splitsim::check_memory(plan, Context::kName);
  bool resumes = false;
  RunState state = state_at_start(options, resumes);
  start(state, resumes);
  Recorder recorder(scene, plan, options.out_dir);
  recorder.begin(state.epochs, resumes);  // from here on files change: whatever does not fit has been refused
  CheckpointWriter<Context> checkpoints(ctx, trainer.engine(), options.out_dir, identity());
  RunStatus status = RunStatus::kCompleted;
  for (std::int32_t epoch = state.epochs;
       epoch < scene.config.train.epochs && !recorder.reached() && status == RunStatus::kCompleted; ++epoch) {
    const auto begin = std::chrono::steady_clock::now();
    EpochPlan epoch_plan = planner.take(epoch + 1 < scene.config.train.epochs);
    ClockState clock = std::move(epoch_plan.clock);
    const double schedule_wall_s = seconds_since(begin);
    EpochResult result = trainer.train(epoch, std::move(epoch_plan), {options.interrupt, options.on_progress});
    result.record.schedule_wall_s = schedule_wall_s;
    result.record.wall_time_s = seconds_since(begin);
    status = result.status;
    if (status == RunStatus::kInterrupted) break;  // the last checkpoint is where a resumed run goes on
    const bool ended = result.ended();
    const EpochRecord& record = recorder.add(std::move(result), state.participation);
    if (ended) {
      state.epochs = epoch + 1;
      state.clock = std::move(clock);
      if (saves(options, state.epochs)) checkpoints.save(state);
    }
    if (options.on_epoch) options.on_epoch(record);
  }
  checkpoints.finish();
  return finish(status, state, recorder);
}

template <class Context>
Summary Experiment<Context>::Impl::finish(RunStatus status, const RunState& state, Recorder& recorder) {
  TrainedModel model;
  TrainingState training = trainer.state();
  for (int side = 0; side < 2; ++side) model.sides[side] = std::move(training.parameters[side]);
  model.has_average = trainer.replicas(kClientSide) > 1 || trainer.replicas(kServerSide) > 1;
  if (model.has_average) trainer.average(model.average);
  Summary summary = recorder.summarise(status, state, model);
  summary.device = ctx.device_name();
  summary.backend = Context::kName;
  summary.peak_memory_bytes = ctx.counters().bytes_peak + planner.bytes_peak();
  if (status != RunStatus::kInterrupted) recorder.write_results(summary, state.participation, model);
  return summary;
}

template <class Context>
Experiment<Context>::Experiment(Context& ctx, const Config& config, SceneParts given)
    : impl_(std::make_unique<Impl>(ctx, config, std::move(given))) {}
template <class Context>
Experiment<Context>::~Experiment() = default;
template <class Context>
const ExperimentPlan& Experiment<Context>::plan() const {
  return impl_->plan;
}
template <class Context>
const Scene& Experiment<Context>::scene() const {
  return impl_->scene;
}
template <class Context>
void Experiment<Context>::check_memory() const {
  splitsim::check_memory(impl_->plan, Context::kName);
}
template <class Context>
std::string Experiment<Context>::partition_text() const {
  return heat_map(impl_->scene.population);
}
template <class Context>
bool Experiment<Context>::finished(const std::string& out_dir) const {
  return impl_->finished_run(out_dir).has_value();
}
template <class Context>
Summary Experiment<Context>::run(const RunOptions& options) {
  return impl_->run(options);
}

template class Experiment<CpuContext>;
#if SPLITSIM_WITH_CUDA
template class Experiment<CudaContext>;
#endif

}  // namespace splitsim
