// splitsim-retime: a finished run under other latencies, without training.
#include "runtime/study/retime.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/hash.hpp"
#include "drivers/common.hpp"
#include "drivers/inputs.hpp"
#include "drivers/output_folder.hpp"
#include "drivers/process_start.hpp"
#include "runtime/config/seeds.hpp"
#include "runtime/record/metrics.hpp"
#include "samplers/registry.hpp"

namespace splitsim {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kNotes = R"(
The run's schedules are rebuilt from its config and checked against their recorded hashes; losses and accuracies stay as
they are, only virtual time is computed anew. Samplers that see delays keep the schedules that the recorded delays gave.
FILE holds a table [clock] with the keys of an experiment's config; a key left out keeps its recorded value.

Examples:
  splitsim-retime runs/a --latency slow_links.toml
  splitsim-retime runs/a --latency slow_links.toml --resample --seed 7 --out retimed
  echo '[clock]' > same.toml; splitsim-retime runs/a --latency same.toml --resample   the same law, other clients

Exit codes: 0 done, 1 internal error, 2 bad input, 3 no GPU.
)";

struct Arguments {
  std::string run_dir, latency_file, out_dir;
  std::vector<std::string> overrides;
  bool resample = false;
  std::optional<std::uint64_t> seed;
  DeviceOptions device;
};

// False: --help has been answered.
bool parse(int argc, char** argv, Arguments& arguments) {
  CLI::App app("A finished run's schedule under other latencies: new virtual times, no training.", "splitsim-retime");
  app.add_option("run", arguments.run_dir, "run directory of splitsim-run")->type_name("RUN")->required();
  app.add_option("--latency", arguments.latency_file, "TOML with the new [clock]")->type_name("FILE")->required();
  auto* resample = app.add_flag("--resample", arguments.resample,
                                "draw the clients' latencies and the jitter anew, not by the run's "
                                "seed");
  app.add_option("--seed", arguments.seed, "seed of these draws (default: the run's seed + 1)")
      ->needs(resample)
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  app.add_option("--out", arguments.out_dir,
                 "folder for retime.csv and retime.json, made if needed; earlier ones are "
                 "replaced")
      ->type_name("DIR");
  app.add_option("--set", arguments.overrides, "where the run's files are now (data.dir, clock.trace_file)")
      ->allow_extra_args(false)
      ->type_name("KEY=PATH");
  arguments.device.add_to(app);
  return parse_arguments(app, argc, argv, {kNotes, false});
}

struct Retiming {
  std::uint64_t seed = 0;
  std::vector<EpochRecord> epochs;       // with the new times
  std::vector<TimeToAccuracy> recorded;  // for the targets of the run's summary
  std::vector<TimeToAccuracy> retimed;
  std::string timeline_sha256;
};

std::vector<TimeToAccuracy> times_to(const std::vector<TimeToAccuracy>& targets,
                                     const std::vector<EpochRecord>& epochs) {
  const std::vector<AccuracyPoint> curve = accuracy_curve(epochs);
  std::vector<TimeToAccuracy> times;
  for (const TimeToAccuracy& target : targets) {
    times.push_back({target.accuracy, time_to_accuracy(curve, target.accuracy)});
  }
  return times;
}

std::string text(const std::optional<double>& seconds) {
  return seconds ? fmt::format("{:.9g}", *seconds) : std::string("-");
}

void print(const RecordedRun& run, const Retiming& result) {
  say("{:>5} {:>6} {:>14} {:>14} {:>8} {:>10}\n", "epoch", "steps", "recorded s", "retimed s", "ratio",
             "test acc");
  for (std::size_t i = 0; i < result.epochs.size(); ++i) {
    const EpochRecord& epoch = result.epochs[i];
    const double before = run.epochs[i].virtual_time_s;
    say("{:>5} {:>6} {:>14.9g} {:>14.9g} {:>8} {:>10}\n", epoch.epoch + 1, epoch.steps, before,
               epoch.virtual_time_s, before > 0.0 ? fmt::format("{:.3f}", epoch.virtual_time_s / before) : "-",
               epoch.test.accuracy ? fmt::format("{:.2f}%", 100.0 * *epoch.test.accuracy) : "-");
  }
  say("\n{:>12} {:>14} {:>14}\n", "accuracy", "recorded s", "retimed s");
  for (std::size_t i = 0; i < result.retimed.size(); ++i) {
    say("{:>12} {:>14} {:>14}\n", fmt::format("{:g}%", 100.0 * result.retimed[i].accuracy),
               text(result.recorded[i].virtual_time_s), text(result.retimed[i].virtual_time_s));
  }
}

Json to_json(const Arguments& arguments, const RecordedRun& run, const Retiming& result) {
  const auto optional = [](const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); };
  Json epochs = Json::array(), targets = Json::array();
  for (std::size_t i = 0; i < result.epochs.size(); ++i) {
    const EpochRecord& epoch = result.epochs[i];
    epochs.push_back({{"epoch", epoch.epoch + 1},
                      {"steps", epoch.steps},
                      {"recorded_virtual_time_s", run.epochs[i].virtual_time_s},
                      {"virtual_time_s", epoch.virtual_time_s},
                      {"test_accuracy", optional(epoch.test.accuracy)},
                      {"schedule_sha256", epoch.schedule_sha256},
                      {"timeline_sha256", epoch.timeline_sha256}});
  }
  for (std::size_t i = 0; i < result.retimed.size(); ++i) {
    targets.push_back({{"accuracy", result.retimed[i].accuracy},
                       {"recorded_virtual_time_s", optional(result.recorded[i].virtual_time_s)},
                       {"virtual_time_s", optional(result.retimed[i].virtual_time_s)}});
  }
  return {{"run", run.dir},
          {"config_sha256", run.summary.config_sha256},
          {"latency", arguments.latency_file},
          {"seed", result.seed},
          {"resampled", arguments.resample},
          {"timeline_sha256", result.timeline_sha256},
          {"epochs", epochs},
          {"time_to_accuracy", targets}};
}

std::string to_csv(const RecordedRun& run, const Retiming& result) {
  std::string csv = "epoch,steps,recorded_virtual_time_s,virtual_time_s,test_accuracy\n";
  for (std::size_t i = 0; i < result.epochs.size(); ++i) {
    const EpochRecord& epoch = result.epochs[i];
    csv += fmt::format("{},{},{},{},{}\n", epoch.epoch + 1, epoch.steps, run.epochs[i].virtual_time_s, epoch.virtual_time_s,
                       epoch.test.accuracy ? fmt::to_string(*epoch.test.accuracy) : "");
  }
  return csv;
}

int run(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) return 0;
  check_output_folder("--out", arguments.out_dir);
  for (const char* name : {"retime.csv", "retime.json"}) {
    if (arguments.out_dir.empty()) break;
    check_output("--out", (std::filesystem::path(arguments.out_dir) / name).string(), {arguments.latency_file});
  }
  const RecordedRun recorded = load_run(arguments.run_dir, arguments.overrides);
  const LatencySettings latency = load_latency(arguments.latency_file, recorded);
  Retiming result;
  const std::uint64_t recorded_seed = seeds_of(recorded.scene.config).clock;
  result.seed = arguments.resample ? arguments.seed.value_or(recorded_seed + 1) : recorded_seed;
  with_context(arguments.device, [&](auto& ctx) {
    result.epochs = retime(ctx, recorded, latency, result.seed);
    return 0;
  });
  result.recorded = times_to(recorded.summary.time_to_accuracy, recorded.epochs);
  result.retimed = times_to(recorded.summary.time_to_accuracy, result.epochs);
  Sha256 timelines;
  for (const EpochRecord& epoch : result.epochs) timelines.add(epoch.timeline_sha256);
  result.timeline_sha256 = timelines.hex();

  say("{}: sampler {}, {} clients, {} epochs; latency {}, seed {}{}\n", recorded.dir,
             recorded.scene.config.sampler.kind, recorded.scene.population.clients, recorded.epochs.size(), arguments.latency_file,
             result.seed, arguments.resample ? " (resampled)" : "");
  if (sampler_info(recorded.scene.config.sampler.kind).is.sees_delays) {
    say("note: sampler {} sees delays; its schedule is the one that the recorded delays gave\n",
               recorded.scene.config.sampler.kind);
  }
  say("\n");
  print(recorded, result);
  if (!arguments.out_dir.empty()) {
    const std::filesystem::path out(arguments.out_dir);
    make_folder(arguments.out_dir);
    write_file_atomically((out / "retime.csv").string(), to_csv(recorded, result));
    write_file_atomically((out / "retime.json").string(), to_json(arguments, recorded, result).dump(2) + '\n');
  }
  return 0;
}

}  // namespace
}  // namespace splitsim

int main(int argc, char** argv) {
  splitsim::start_process(argv);
  return splitsim::run_driver("splitsim-retime", [&] { return splitsim::run(argc, argv); });
}
