#include "runtime/study/retime.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/npy.hpp"
#include "runtime/config/keys/keys.hpp"
#include "runtime/plan/epoch_plan.hpp"

namespace splitsim {

namespace {

double seconds(std::int64_t ns) { return static_cast<double>(ns) * 1e-9; }

// A wrong hash means that something besides the latencies is not what it was.
void check_hash(const RecordedRun& run, const EpochRecord& epoch, const std::string& schedule_sha256) {
  if (epoch.schedule_sha256 == schedule_sha256) return;
  throw InputError(fmt::format(
      "{}/epochs.jsonl: epoch {} has schedule {}, but its config gives {}: recorded with another version, or changed",
      run.dir, epoch.epoch + 1, epoch.schedule_sha256.empty() ? "none" : epoch.schedule_sha256.substr(0, 12),
      schedule_sha256.substr(0, 12)));
}

}  // namespace

RecordedRun load_run(const std::string& dir, const std::vector<std::string>& overrides) {
  const auto file = [&dir](const char* name) { return (std::filesystem::path(dir) / name).string(); };
  RecordedRun run;
  run.dir = dir;
  const Config config = load_config(file("config.toml"), overrides);
  if (config_sha256(config) != config_sha256(load_config(file("config.toml"), {}))) {
    throw InputError(
        "--set: allowed are paths (data.dir, sampler.file, clock.trace_file): a recorded run stays as it was");
  }
  run.summary = read_summary(file("summary.json"));
  run.epochs = read_epochs(file("epochs.jsonl"));
  if (run.epochs.empty()) throw InputError(fmt::format("{}: no epoch was finished", file("epochs.jsonl")));
  SceneParts recorded;
  recorded.dataset = load_dataset(config.data, seeds_of(config).data);
  recorded.owner = read_npy<std::int32_t>(file("partition.npy")).values;
  if (recorded.owner->size() != recorded.dataset->train_labels.size()) {
    throw InputError(fmt::format("{}: {} samples, the data set {} has {}", file("partition.npy"),
                                 recorded.owner->size(), recorded.dataset->name, recorded.dataset->train_size()));
  }
  for (std::vector<std::uint8_t>* images :
       {&recorded.dataset->train_features, &recorded.dataset->test_features, &recorded.dataset->validation_features}) {
    images->clear();  // timing needs labels alone
    images->shrink_to_fit();
  }
  run.scene = make_scene(config, std::move(recorded));
  const std::string partition = run.scene.population.sha256();
  if (partition != run.summary.partition_sha256) {
    throw InputError(fmt::format("{}: partition {} with the labels of {}, recorded is {}: one of them has changed",
                                 file("partition.npy"), partition.substr(0, 12), run.scene.dataset.name,
                                 run.summary.partition_sha256.substr(0, 12)));
  }
  const auto trace = run.summary.inputs.find("trace");
  const std::string recorded_trace = trace == run.summary.inputs.end() ? "" : trace->second;
  if (run.scene.timing.profile.trace_sha256 != recorded_trace) {
    throw InputError(fmt::format("clock.trace_file = \"{}\": has other content than the run {} was made with",
                                 config.clock.trace_file, dir));
  }
  return run;
}

LatencySettings load_latency(const std::string& latency_file, const RecordedRun& run) {
  const Config config = parse_config(read_text_file(latency_file), latency_file, {}, run.scene.config);
  for (const Key& key : config_keys()) {
    if (!is_read(key, config) || same_value(key, config, run.scene.config)) continue;
    if (key.path == "clock.seed") {
      throw InputError(fmt::format("{}: clock.seed = {}: allowed: with --resample, as --seed", latency_file,
                                   value_toml(key, config)));
    }
    if (key.path.starts_with("clock.")) continue;
    throw InputError(fmt::format("{}: {} = {}: allowed are keys of [clock]; the rest of the run stays as recorded",
                                 latency_file, key.path, value_toml(key, config)));
  }
  return config.clock;
}

template <class Context>
std::vector<EpochRecord> retime(Context& ctx, const RecordedRun& run, const LatencySettings& latency,
                                std::uint64_t seed) {
  const Scene& scene = run.scene;
  if (scene.config.clock.drops_late() || latency.drops_late()) {
    throw InputError(
        fmt::format("{}: a step that leaves late clients out (clock.deadline_ms, clock.quorum) trains another "
                    "schedule under other latencies: it cannot be timed anew without training",
                    run.dir));
  }
  const Timing timing = make_timing(scene, latency, seed);
  const DevicePopulation<Context> population(ctx, scene.population);
  EpochPlanner<Context> planner(ctx, scene.population, population, scene.config, scene.timing.profile, timing);
  planner.start();

  std::vector<EpochRecord> epochs = run.epochs;
  for (EpochRecord& epoch : epochs) {
    const auto number = static_cast<std::uint32_t>(epoch.epoch);
    const EpochPlan plan = planner.plan(number);
    check_hash(run, epoch, plan.schedule.sha256());
    const Timeline& timeline = plan.timeline;
    const auto time_after = [&](std::int64_t steps) {
      if (steps < 1 || steps > timeline.steps()) {
        throw InputError(fmt::format("{}/epochs.jsonl: epoch {}: {} steps, its schedule has {}", run.dir,
                                     epoch.epoch + 1, steps, timeline.steps()));
      }
      return seconds(timeline.end_ns[static_cast<std::size_t>(steps - 1)]);
    };
    epoch.virtual_time_s = time_after(epoch.steps);  // a run that was stopped did not finish its last epoch
    epoch.timeline_sha256 = timeline.sha256();
    for (StepEvaluation& evaluation : epoch.step_evaluations) evaluation.virtual_time_s = time_after(evaluation.step);
  }
  return epochs;
}

template std::vector<EpochRecord> retime(CpuContext&, const RecordedRun&, const LatencySettings&, std::uint64_t);
#if SPLITSIM_WITH_CUDA
template std::vector<EpochRecord> retime(CudaContext&, const RecordedRun&, const LatencySettings&, std::uint64_t);
#endif

}  // namespace splitsim
