#include "runtime/run/experiment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "runtime/config/continuation.hpp"
#include "runtime/config/silent_settings.hpp"
#include "runtime/mode/ledger.hpp"
#include "runtime/mode/ledger.hpp"
#include "runtime/model/model_file.hpp"
#include "runtime/plan/epoch_plan.hpp"
#include "runtime/record/metrics.hpp"
#include "runtime/run/checkpoint.hpp"
#include "runtime/run/epoch_records.hpp"
#include "runtime/run/run_results.hpp"
#include "runtime/run/run_writer.hpp"
#include "runtime/run/tester.hpp"
#include "runtime/train/engine.hpp"
#include "runtime/train/learning_rate.hpp"
#include "samplers/registry.hpp"
#include "samplers/schedule/schedule_file.hpp"
#include "samplers/schedule/turns.hpp"

namespace splitsim {

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// What clients waited is recorded in every run.
ClockMode waiting_clock_mode(const Config& config) {
  ClockMode mode = clock_mode_of(config);
  mode.track_waiting = true;
  return mode;
}

std::string model_sha256(const std::vector<float> (&sides)[2]) {
  Sha256 hash;
  for (const std::vector<float>& parameters : sides) hash.add(parameters);
  return hash.hex();
}

}  // namespace

template <class Context>
struct Experiment<Context>::Impl {
  Impl(Context& context, const Config& settings);

  Summary run(const RunOptions& options);
  void check_memory() const;
  /// The summary of a run in out_dir to which nothing is left to do.
  std::optional<Summary> finished_run(const std::string& out_dir) const;

  Context& ctx;
  const Config config;
  const Dataset dataset;
  const Population population;
  const Network network;
  const CutBytes cut;
  const Profile profile;
  const DevicePopulation<Context> device_population;
  const std::unique_ptr<Sampler<Context>> sampler;
  const ScheduleBounds bounds;  // of the schedules as they are
  const ModeMap mode;
  const ScheduleBounds train_bounds;  // of what the engine runs: dealt into micro-steps where clients take turns
  const Ledger ledger;
  Engine<Context> engine;
  Tester<Context> tester;
  Clock<Context> clock;
  ExperimentPlan plan;

 private:
  EngineSettings engine_settings() const {
    return {config.train, seeds_of(config).model, population.clients, train_bounds, bounds.steps, population.sizes()};
  }
  void make_plan();
  DealtSchedule deal_epoch(Schedule schedule, std::int32_t epoch);
  void begin(const RunOptions& options);
  RunIdentity identity() const { return {continuation_sha256(config), plan.inputs}; }
  bool reaches(const EpochRecord& record) const;
  /// False: stopped before its end (interrupted or diverged).
  bool run_epoch(std::int32_t epoch, const RunOptions& options);
  bool train_steps(std::int32_t epoch, const DealtSchedule& dealt, const Timeline& timeline, const RunOptions& options,
                   EpochRecord& record);
  bool is_target(double accuracy) const {
    return config.eval.stop_at_accuracy > 0.0 && accuracy >= config.eval.stop_at_accuracy;
  }
  bool reaches(const StepEvaluation& test) const { return is_target(test.validation_accuracy.value_or(test.test_accuracy)); }
  void write_epoch(const EpochRecord& record, const std::vector<StepRecord>& steps,
                   const std::vector<WaitingRecord>& waits);
  Summary finish();
  void write_results(const std::vector<float> (&model)[2], const std::vector<float> (&average)[2],
                     const Summary& summary);

  // Alive from begin() on.
  std::unique_ptr<DeviceImages<Context>> train_images_;
  std::unique_ptr<ScheduleBuffer<Context>> schedule_;
  std::unique_ptr<DealtBuffer<Context>> dealt_;  // where clients take turns
  Buffer<double, Context> deviation_;
  std::unique_ptr<RunWriter> writer_;
  RunState state_;
  std::vector<EpochRecord> records_;  // of all epochs, those before a resume included
  std::string status_ = "completed";
  bool reached_ = false;  // eval.stop_at_accuracy
  ModelWeights initial_;           // model.init = file
  std::vector<float> rates_[2];    // [steps of the run], by side
  std::int64_t samples_this_session_ = 0;
  double test_seconds_ = 0.0;  // of tests within the current epoch
};

template <class Context>
Experiment<Context>::Impl::Impl(Context& context, const Config& settings)
    : ctx(context),
      config(settings),
      dataset(load_dataset(config.data, seeds_of(config).data)),
      population(population_of(dataset, config)),
      network(network_of(config.model, {dataset.channels, dataset.height, dataset.width}, dataset.classes)),
      cut(cut_bytes_of(network)),
      profile(make_profile(population.clients, config.clock, cut, seeds_of(config).clock)),
      device_population(ctx, population),
      sampler(make_sampler(ctx, population, device_population, profile, config.sampler)),
      bounds(sampler->bounds()),
      mode(mode_map(config.train)),
      train_bounds(mode.one_by_one ? dealt_bounds(bounds, population) : bounds),
      ledger(cut, mode, config.train.round),
      engine(ctx, network, engine_settings()),
      tester(ctx, config, network, dataset, population),
      clock(ctx, profile, config.clock, bounds, waiting_clock_mode(config)) {
  if (!sampler_info(config.sampler.kind).is.owners && mode.needs_owners()) {
    throw InputError(fmt::format("sampler.kind = \"{}\" ignores which client owns a sample, which train.mode = \"{}\" needs",
                                 config.sampler.kind, config.train.mode));
  }
  make_plan();
  plan.silent = silent_settings(config, sampling_facts(population, profile, config.sampler));
  for (std::string& text : silent_settings(config, TrainingFacts{dataset.test_size(), bounds.steps})) {
    plan.silent.push_back(std::move(text));
  }
}

template <class Context>
void Experiment<Context>::Impl::make_plan() {
  plan.dataset = dataset.name;
  plan.train_samples = dataset.train_size();
  plan.test_samples = dataset.test_size();
  plan.validation_samples = dataset.validation_size();
  plan.pixel_mean.assign(dataset.mean.begin(), dataset.mean.begin() + dataset.channels);
  plan.pixel_std.assign(dataset.std.begin(), dataset.std.begin() + dataset.channels);
  plan.classes = dataset.classes;
  plan.clients = population.clients;
  const std::vector<std::int64_t> sizes = population.sizes();
  plan.smallest_client = *std::min_element(sizes.begin(), sizes.end());
  plan.largest_client = *std::max_element(sizes.begin(), sizes.end());
  plan.steps_per_epoch = bounds.steps;
  plan.slots_per_step = bounds.batch;
  plan.client_parameters = network.parameters[kClientSide];
  plan.server_parameters = network.parameters[kServerSide];
  plan.client_replicas = engine.replicas(kClientSide);
  plan.server_replicas = engine.replicas(kServerSide);
  plan.cut_bytes = cut.activation;
  plan.partition_sha256 = population.sha256();
  plan.config_sha256 = config_sha256(config);
  plan.inputs = {{"images", dataset.images_sha256()},
                 {"labels", dataset.labels_sha256()},
                 {"partition", plan.partition_sha256}};
  if (config.sampler.kind == "file") plan.inputs["schedule"] = load_schedule(config.sampler.file).sha256();
  if (!profile.trace_sha256.empty()) plan.inputs["trace"] = profile.trace_sha256;
  if (config.model.init == "file") {
    initial_ = read_model_file(config.model.file, network, {plan.client_replicas, plan.server_replicas});
    plan.inputs["initial_model"] = model_sha256(initial_.side);
  }

  const auto images = static_cast<std::uint64_t>(dataset.train_images.size() + dataset.test_images.size() +
                                                 dataset.validation_images.size());
  const auto labels = static_cast<std::uint64_t>(dataset.train_size() + dataset.test_size() + dataset.validation_size()) *
                      sizeof(std::int32_t);
  plan.memory.push_back({"data set", images + labels});
  plan.memory.push_back({"population, sampler, clock", ctx.counters().bytes_in_use});
  const std::uint64_t dealt = mode.one_by_one ? DealtBuffer<Context>::bytes(train_bounds) : 0;
  plan.memory.push_back({"schedule", ScheduleBuffer<Context>::bytes(bounds) + dealt});
  plan.memory.insert(plan.memory.end(), engine.plan().begin(), engine.plan().end());
  MemoryItem& evaluation = plan.memory.emplace_back(MemoryItem{"evaluation", 0});
  for (const MemoryItem& item : tester.plan()) evaluation.bytes += item.bytes;
  for (const MemoryItem& item : plan.memory) plan.memory_bytes += item.bytes;
  plan.available_bytes = ctx.memory_bytes() + ctx.counters().bytes_in_use;
}

template <class Context>
void Experiment<Context>::Impl::check_memory() const {
  if (plan.memory_bytes <= plan.available_bytes) return;
  const auto largest = std::max_element(plan.memory.begin(), plan.memory.end(),
                                        [](const MemoryItem& a, const MemoryItem& b) { return a.bytes < b.bytes; });
  throw OutOfMemory(
      fmt::format("the experiment needs {} bytes of {} memory and {} are available; the largest part is {} ({} "
                  "bytes): lower partition.clients, sampler.batch or eval.batch, or move model.cut",
                  plan.memory_bytes, Context::kName, plan.available_bytes, largest->name, largest->bytes));
}

template <class Context>
void Experiment<Context>::Impl::begin(const RunOptions& options) {
  check_memory();
  state_ = {};
  state_.participation = Participation(population.clients);
  TrainingState training;
  const bool resumes = options.resume && has_checkpoint(options.out_dir);
  if (resumes) load_checkpoint(options.out_dir, identity(), state_, training);
  if (state_.epochs > config.train.epochs) {
    throw InputError(fmt::format("train.epochs = {} with --resume: allowed: at least the {} epochs that it has finished",
                                 config.train.epochs, state_.epochs));
  }
  train_images_ = std::make_unique<DeviceImages<Context>>(ctx, dataset.train_images, dataset.train_labels);
  schedule_ = std::make_unique<ScheduleBuffer<Context>>(ctx, bounds);
  deviation_ = Buffer<double, Context>(ctx, bounds.steps);
  if (mode.one_by_one) dealt_ = std::make_unique<DealtBuffer<Context>>(ctx, train_bounds);
  engine.start(*train_images_, gather_shape(dataset, config.data, seeds_of(config).data, true),
               mode.one_by_one ? dealt_->view() : schedule_->view());
  tester.start();
  rates_[kClientSide] = learning_rates(config.train.client_optimizer, bounds.steps, config.train.epochs);
  rates_[kServerSide] = learning_rates(config.train.server_optimizer, bounds.steps, config.train.epochs);
  if (!resumes && config.model.init == "file") {
    training = engine.download();
    for (int side = 0; side < 2; ++side) training.parameters[side] = initial_.side[side];
    engine.upload(training);
  }
  if (resumes) {
    engine.upload(training);
    clock.set_state(state_.clock);
  }
  // Only now, since a checkpoint that does not fit, or too little memory, must not cost the records beyond it.
  if (!options.out_dir.empty()) {
    writer_ = std::make_unique<RunWriter>(options.out_dir);
    writer_->truncate(state_.epochs);
    if (resumes) records_ = read_epochs(writer_->path("epochs.jsonl"));
    writer_->write_text("config.toml", to_toml(config));  // a resumed run may have other paths, or more epochs
    if (!resumes) writer_->write_partition(population);
  }
  for (const EpochRecord& record : records_) reached_ = reached_ || reaches(record);
}

template <class Context>
bool Experiment<Context>::Impl::reaches(const EpochRecord& record) const {
  for (const StepEvaluation& test : record.step_evaluations) {
    if (reaches(test)) return true;
  }
  const std::optional<double> accuracy = deciding_accuracy(record);
  return accuracy.has_value() && is_target(*accuracy);
}

template <class Context>
std::optional<Summary> Experiment<Context>::Impl::finished_run(const std::string& out_dir) const {
  const auto file = [&out_dir](const char* name) { return (std::filesystem::path(out_dir) / name).string(); };
  if (!std::filesystem::exists(file("summary.json")) || !std::filesystem::exists(file("epochs.jsonl"))) return {};
  Summary summary = read_summary(file("summary.json"));
  if (summary.status != "completed" || summary.config_sha256 != plan.config_sha256) return {};
  check_inputs(out_dir, summary.inputs, plan.inputs);
  bool reached = false;
  for (const EpochRecord& record : read_epochs(file("epochs.jsonl"))) reached = reached || reaches(record);
  if (summary.epochs < config.train.epochs && !reached) return {};
  return summary;
}

template <class Context>
bool Experiment<Context>::Impl::train_steps(std::int32_t epoch, const DealtSchedule& dealt, const Timeline& timeline,
                                            const RunOptions& options, EpochRecord& record) {
  const std::int64_t steps = dealt.schedule.steps();  // micro-steps where clients take turns
  const View<const StepMetrics> metrics = engine.metrics();
  ProgressState progress;
  progress.epoch = epoch;
  progress.epochs = config.train.epochs;
  progress.steps = timeline.steps();
  progress.samples_total = plan.train_samples * (config.train.epochs - epoch) + samples_this_session_;
  std::int64_t read = 0, correct = 0, samples = 0;
  double loss = 0.0;
  bool finite = true;
  // Reads what finished steps have left in shared memory: no synchronisation.
  const auto collect = [&] {
    for (; read < steps; ++read) {
      const volatile StepMetrics& m = metrics[read];
      if (m.done == 0) break;
      finite = finite && m.finite != 0;
      loss += m.loss * m.batch;
      correct += m.correct;
      samples += m.batch;
    }
  };
  bool stopped = false;
  for (std::int64_t m = 0; m < steps && !stopped && !reached_; ++m) {
    engine.enqueue_step();
    const std::int64_t t = dealt.parent_of(static_cast<std::size_t>(m));
    const bool ends_step = dealt.ends_step(static_cast<std::size_t>(m));
    if (ends_step && config.eval.every_steps > 0 && (epoch * bounds.steps + t + 1) % config.eval.every_steps == 0) {
      const auto start = std::chrono::steady_clock::now();
      tester.test_step(engine, t + 1, static_cast<double>(timeline.end_ns[static_cast<std::size_t>(t)]) * 1e-9, record);
      test_seconds_ += seconds_since(start);
      reached_ = reached_ || reaches(record.step_evaluations.back());
    }
    collect();
    if (options.on_progress && samples > 0) {
      progress.step = read < steps ? dealt.parent_of(static_cast<std::size_t>(read)) : timeline.steps();
      progress.loss = loss / static_cast<double>(samples);
      progress.accuracy = static_cast<double>(correct) / static_cast<double>(samples);
      progress.samples = samples_this_session_ + samples;
      options.on_progress(progress);
    }
    // At the end of a step, so that what its turns have done is recorded.
    if (!finite && ends_step && config.train.on_nonfinite == "stop") stopped = true;
    if (options.interrupt != nullptr && options.interrupt->load()) {
      status_ = "interrupted";
      stopped = true;
    }
  }
  ctx.synchronize();
  collect();
  // What was read while the device was still writing may have been incomplete.
  for (std::int64_t m = 0; m < read; ++m) finite = finite && metrics[m].finite != 0;
  if (!finite && config.train.on_nonfinite == "stop") {
    status_ = "diverged";
    stopped = true;
  }
  samples_this_session_ += samples;
  return !stopped;
}

// What the engine runs: the schedule, or its micro-steps, which then go to the device.
template <class Context>
DealtSchedule Experiment<Context>::Impl::deal_epoch(Schedule schedule, std::int32_t epoch) {
  if (!mode.one_by_one) return {std::move(schedule), {}};
  DealtSchedule dealt =
      deal(schedule, service_order(config.train), seeds_of(config).sampler, static_cast<std::uint32_t>(epoch));
  dealt_->upload(dealt);
  return dealt;
}

template <class Context>
bool Experiment<Context>::Impl::run_epoch(std::int32_t epoch, const RunOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const auto number = static_cast<std::uint32_t>(epoch);
  EpochPlan epoch_plan =
      plan_epoch(ctx, *sampler, clock, device_population, seeds_of(config), number, *schedule_, deviation_);
  EpochRecord record;
  record.epoch = epoch;
  record.schedule_sha256 = epoch_plan.schedule.sha256();
  record.timeline_sha256 = epoch_plan.timeline.sha256();
  std::vector<WaitingRecord> waits = waiting_records(
      epoch, epoch_plan.schedule,
      clock.entry_waiting(static_cast<std::int64_t>(epoch_plan.schedule.active_client.size())));
  const DealtSchedule dealt = deal_epoch(std::move(epoch_plan.schedule), epoch);
  record.schedule_wall_s = seconds_since(start);

  engine.begin_epoch(epoch, dealt.schedule.steps());
  test_seconds_ = 0.0;
  tester.begin_epoch();
  const auto train_start = std::chrono::steady_clock::now();
  const bool finished = train_steps(epoch, dealt, epoch_plan.timeline, options, record);
  const double train_seconds = seconds_since(train_start) - test_seconds_;

  std::vector<StepRecord> steps = step_records(epoch, dealt, engine.metrics(), epoch_plan);
  summarise_steps(steps, train_seconds, record);
  const bool whole = record.steps == epoch_plan.timeline.steps();
  if (whole) {
    if (mode.replicas[kClientSide]) record.client_drift = engine.drift(kClientSide);
    if (mode.replicas[kServerSide]) record.server_drift = engine.drift(kServerSide);
  }
  const bool last = epoch + 1 == config.train.epochs;
  const std::int32_t every = config.eval.every_epochs;
  if (finished && (last || (every > 0 && (epoch + 1) % every == 0))) {
    tester.test_epoch(engine, record);
    reached_ = reached_ || reaches(record);
  }
  record.wall_time_s = seconds_since(start);

  if (status_ == "interrupted") return false;  // the last checkpoint is where a resumed run goes on
  records_.push_back(record);
  const std::vector<Traffic> traffic = ledger.add(dealt, record.steps, whole, state_.participation);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    set_traffic(steps[i], traffic[i]);
    const auto at = static_cast<std::size_t>(epoch * bounds.steps + steps[i].step);
    steps[i].client_lr = rates_[kClientSide][at];
    steps[i].server_lr = rates_[kServerSide][at];
  }
  std::erase_if(waits, [&](const WaitingRecord& wait) { return wait.step >= record.steps; });  // has not run
  add_waiting(waits, state_.participation);
  const bool ended = finished && whole;  // not where a test within the epoch has ended the run
  if (ended) {
    state_.epochs = epoch + 1;
    state_.clock = clock.state();
  }
  if (writer_ != nullptr) {
    write_epoch(record, steps, waits);
    const std::int32_t save_every = config.train.checkpoint_epochs;
    if (ended && save_every > 0 && (last || (epoch + 1) % save_every == 0)) {
      save_checkpoint(options.out_dir, identity(), state_, engine.download());
    }
  }
  if (options.on_epoch) options.on_epoch(record);
  return finished;
}

template <class Context>
void Experiment<Context>::Impl::write_epoch(const EpochRecord& record, const std::vector<StepRecord>& steps,
                                            const std::vector<WaitingRecord>& waits) {
  writer_->append_steps(steps);
  if (config.record.waiting) writer_->append_waiting(waits);
  if (!tester.tests().empty()) writer_->append_tests(tester.tests());
  if (!tester.client_tests().empty()) writer_->append_client_tests(tester.client_tests());
  writer_->append_epoch(record);
}

template <class Context>
Summary Experiment<Context>::Impl::finish() {
  RunOutcome outcome{status_, state_.epochs, records_, state_.participation, {}};
  if (!records_.empty() && records_.back().steps > 0) {
    const auto last = static_cast<std::size_t>(records_.back().epoch * bounds.steps + records_.back().steps - 1);
    for (int side = 0; side < 2; ++side) outcome.lr_last[side] = static_cast<double>(rates_[side][last]);
  }
  const TrainingState training = engine.download();
  Summary summary = summarise(config, plan, ledger, outcome);
  summary.device = ctx.device_name();
  summary.backend = Context::kName;
  summary.model_sha256 = model_sha256(training.parameters);
  std::vector<float> average[2];
  if (engine.replicas(kClientSide) > 1 || engine.replicas(kServerSide) > 1) {
    tester.average(engine, average);
    summary.model_average_sha256 = model_sha256(average);
  }
  summary.peak_memory_bytes = ctx.counters().bytes_peak;
  if (writer_ != nullptr && status_ != "interrupted") write_results(training.parameters, average, summary);
  return summary;
}

template <class Context>
void Experiment<Context>::Impl::write_results(const std::vector<float> (&model)[2],
                                              const std::vector<float> (&average)[2], const Summary& summary) {
  writer_->write_clients(client_records(population.sizes(), ledger, state_.participation));
  std::vector<std::vector<float>> storage;
  writer_->write_model("model.safetensors", model_tensors(network, model, storage), summary.model_sha256);
  if (!summary.model_average_sha256.empty()) {
    writer_->write_model("model_average.safetensors", model_tensors(network, average, storage),
                         summary.model_average_sha256);
  }
  writer_->write_summary(summary);
}

template <class Context>
Summary Experiment<Context>::Impl::run(const RunOptions& options) {
  if (options.resume) {
    if (std::optional<Summary> summary = finished_run(options.out_dir)) return *summary;
  }
  begin(options);
  for (std::int32_t epoch = state_.epochs; epoch < config.train.epochs && !reached_; ++epoch) {
    if (!run_epoch(epoch, options)) break;
  }
  return finish();
}

template <class Context>
Experiment<Context>::Experiment(Context& ctx, const Config& config) : impl_(std::make_unique<Impl>(ctx, config)) {}
template <class Context>
Experiment<Context>::~Experiment() = default;
template <class Context>
const ExperimentPlan& Experiment<Context>::plan() const {
  return impl_->plan;
}
template <class Context>
void Experiment<Context>::check_memory() const {
  impl_->check_memory();
}
template <class Context>
std::string Experiment<Context>::partition_text() const {
  return heat_map(impl_->population);
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
