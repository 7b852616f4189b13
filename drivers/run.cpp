// splitsim-run: one experiment.
#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "base/error.hpp"
#include "base/report.hpp"
#include "drivers/common.hpp"
#include "drivers/inputs.hpp"
#include "drivers/output_folder.hpp"
#include "drivers/process_start.hpp"
#include "drivers/run_together.hpp"
#include "runtime/config/config.hpp"
#include "runtime/config/continuation.hpp"
#include "runtime/config/help.hpp"
#include "runtime/plan/data_cache.hpp"
#include "runtime/run/experiment.hpp"
#include "runtime/run/progress.hpp"
#include "runtime/run/run_directory.hpp"
#include "runtime/study/cut_table.hpp"

namespace splitsim {
namespace {

constexpr const char* kExamples = R"(
Examples:
  splitsim-run                                        the embedded default; nothing is written
  splitsim-run --set sampler.kind=fpls --out runs/a   another sampler; records and model go to runs/a
  splitsim-run my.toml --set train.epochs=20 --set 'clock.delay_ms={kind="constant",value=2.0}'
  splitsim-run my.toml --dry-run                      the plan and the memory it needs
  splitsim-run --resume runs/a                        go on after an interruption

Exit codes: 0 done, 1 internal error, 2 bad input, 3 no GPU, 4 a loss was not finite, 130 interrupted.

)";

struct Arguments {
  std::string config_file, out_dir, resume_dir, together, data_cache;
  std::vector<std::string> overrides;
  bool force = false, dry_run = false, print_config = false;
  DeviceOptions device;

  bool resume() const { return !resume_dir.empty(); }
  std::string run_dir() const { return resume() ? resume_dir : out_dir; }
};

// False: --help has been answered.
bool parse(int argc, char** argv, Arguments& arguments) {
  CLI::App app("Runs one experiment of parallel split learning. Plan and results go to stdout, progress to stderr.",
               "splitsim-run");
  auto* config = app.add_option("config", arguments.config_file, "the experiment (default: the embedded one)")
                     ->type_name("CONFIG.toml");
  app.add_option("--set", arguments.overrides, "override keys; a bare word is a string")->type_name("KEY=VALUE");
  auto* out = app.add_option("--out", arguments.out_dir, "run directory, made if needed (default: nothing is written)")
                  ->type_name("DIR");
  app.add_flag("--force", arguments.force, "replace the run that is in --out")->needs(out);
  app.add_option("--resume", arguments.resume_dir, "go on with the run in DIR from its checkpoint, to the same bits")
      ->type_name("DIR")
      ->excludes(config)
      ->excludes(out);
  app.add_option("--together", arguments.together, "train the runs of a list as one: lines of CONFIG.toml, a tab, DIR")
      ->type_name("FILE")
      ->excludes(config)
      ->excludes(out)
      ->excludes("--resume")
      ->excludes("--set");
  app.add_flag("--dry-run", arguments.dry_run, "print the plan and the memory it needs, then stop");
  arguments.device.add_to(app);
  app.add_flag("--print-config", arguments.print_config,
               "print the configuration with a comment on every key, then stop");
  app.add_option("--data-cache", arguments.data_cache)->group("");  // of a sweep: runtime/plan/data_cache.hpp
  if (!parse_arguments(app, argc, argv, {kExamples, true})) return false;

  take_config_file(arguments.overrides, arguments.config_file);
  return true;
}

Config resolve(const Arguments& arguments) {
  if (!arguments.resume()) {
    return arguments.config_file.empty() ? parse_config("", "default", arguments.overrides)
                                         : load_config(arguments.config_file, arguments.overrides);
  }
  const std::string file = (std::filesystem::path(arguments.resume_dir) / "config.toml").string();
  const Config config = load_config(file, arguments.overrides);
  check_continuation(load_config(file, {}), config);
  return config;
}

template <class Context>
void print_plan(const Context& ctx, const Config& config, const ExperimentPlan& plan, const std::string& run_dir) {
  const auto line = [](const char* name, const std::string& text) { say("{:<10} {}\n", name, text); };
  line("data", fmt::format("{}: {} training and {} test {}, {} classes", plan.dataset, plan.train_samples,
                           plan.test_samples, name_of(plan.samples), plan.classes));
  line("partition", fmt::format("{}: {} clients with {} to {} samples", config.partition.kind, plan.clients,
                                plan.smallest_client, plan.largest_client));
  line("sampler", fmt::format("{}: B = {}, {} steps per epoch, at most {} samples in a step", config.sampler.kind,
                              config.sampler.batch, plan.steps_per_epoch, plan.slots_per_step));
  line("model", fmt::format("{} cut at {}: {} parameters x {} client, {} x {} server; {} bytes per sample at the cut",
                            config.model.name, config.model.cut, plan.client_parameters, plan.client_replicas,
                            plan.server_parameters, plan.server_replicas, plan.cut_bytes));
  line("training", fmt::format("{}, {} epochs, seed {}", config.train.mode, config.train.epochs, config.seed));
  line("device", fmt::format("{}: {}{}", Context::kName, ctx.device_name(),
                             Context::kIsDevice ? "" : fmt::format(", {} thread{}", ctx.threads(), ctx.threads() == 1 ? "" : "s")));
  line("memory",
       fmt::format("{} planned, {} available", human_bytes(plan.memory_bytes), human_bytes(plan.available_bytes)));
  for (const MemoryItem& item : plan.memory) line("", fmt::format("{:>12}  {}", human_bytes(item.bytes), item.name));
  line("output", run_dir.empty() ? "none (--out DIR keeps records and model)" : run_dir);
  line("config", "sha256 " + plan.config_sha256);
  flush_output();
}

void print_table_head() {
  say("\n{:>5} {:>6} {:>8} {:>7} {:>7} {:>7} {:>6} {:>9} {:>7} {:>9}\n", "epoch", "steps", "loss", "train", "test", "F1",
      "L1 dev", "virtual s", "wall s", "samples/s");
}

void print_table_row(const EpochRecord& epoch) {
  const auto percent = [](const std::optional<double>& share) {
    return share.has_value() ? fmt::format("{:.2f}%", 100.0 * *share) : "-";
  };
  say("{:>5} {:>6} {:>8.5g} {:>7} {:>7} {:>7} {:>6.4f} {:>9.6g} {:>7.4g} {:>9.0f}\n", epoch.epoch + 1, epoch.steps,
      epoch.train_loss, percent(epoch.train_accuracy), percent(epoch.test.accuracy), percent(epoch.test.macro_f1),
      epoch.batch_deviation_mean, epoch.virtual_time_s, epoch.wall_time_s, epoch.train_samples_per_s);
  flush_output();
}

void print_summary(const Summary& summary) {
  const auto line = [](const char* name, const std::string& text) { say("{:<16} {}\n", name, text); };
  say("\n");
  line("status", summary.status);
  if (summary.test.accuracy.has_value()) line("test accuracy", fmt::format("{:.2f}%", 100.0 * *summary.test.accuracy));
  line("batch deviation", fmt::format("{:.4f}", summary.batch_deviation_mean));
  line("virtual time", fmt::format("{:.9g} s", summary.virtual_time_s));
  line("wall time", fmt::format("{:.2f} s, {:.0f} samples/s", summary.wall_time_s, summary.train_samples_per_s));
  const auto bytes = [](std::int64_t count) { return human_bytes(static_cast<std::uint64_t>(count)); };
  line("traffic", fmt::format("{} up, {} down; of these client models: {} up, {} down", bytes(summary.bytes_up),
                              bytes(summary.bytes_down), bytes(summary.model_bytes_up),
                              bytes(summary.model_bytes_down)));
  line("peak memory", human_bytes(summary.peak_memory_bytes));
  line("schedule", "sha256 " + summary.schedule_sha256);
  line("timeline", "sha256 " + summary.timeline_sha256);
  line("model", "sha256 " + summary.model_sha256);
}

template <class Context>
int run(Context& ctx, const Config& config, const Arguments& arguments, RunDirectory* directory) {
  SceneParts given;
  if (!arguments.data_cache.empty()) {
    given.dataset = load_dataset_once(config.data, seeds_of(config).data, arguments.data_cache);
  }
  Experiment<Context> experiment(ctx, config, std::move(given));
  for (const std::string& text : experiment.plan().silent) warn(text);
  print_plan(ctx, config, experiment.plan(), arguments.run_dir());
  if (arguments.dry_run) {
    say("\n{}", experiment.partition_text());
    const std::string cuts = to_text(cut_table(experiment.scene()));
    if (!cuts.empty()) say("\n{}", cuts);
  }
  experiment.check_memory();
  if (arguments.dry_run) return 0;

  // Only now, since whatever was wrong before must not cost the run that is there.
  if (directory != nullptr) directory->begin(to_toml(config));
  RunOptions options;
  options.out_dir = arguments.run_dir();
  options.resume = arguments.resume();
  options.interrupt = &catch_interrupts();
  ProgressReporter reporter;
  options.on_progress = [&](const ProgressState& progress) { reporter.update(progress); };
  options.on_epoch = [&](const EpochRecord& epoch) {
    reporter.finish();
    print_table_row(epoch);
  };
  if (options.resume && experiment.finished(options.out_dir)) {
    say("\nThe run is finished: nothing to train, nothing is changed.\n");
  } else {
    print_table_head();
  }
  const Summary summary = experiment.run(options);
  reporter.finish();
  print_summary(summary);
  if (summary.status == name_of(RunStatus::kDiverged)) {
    throw Diverged(fmt::format("diverged after {} whole epochs: a loss is not finite (train.on_nonfinite = \"stop\")",
                               summary.epochs));
  }
  if (summary.status == name_of(RunStatus::kInterrupted)) {
    throw Interrupted(fmt::format("interrupted after {} whole epochs{}", summary.epochs,
                                  options.out_dir.empty() ? "" : "; go on with --resume " + options.out_dir));
  }
  return 0;
}

int run(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) return 0;
  if (!arguments.together.empty()) return run_together(arguments.together, arguments.device);
  std::optional<RunDirectory> directory;
  if (arguments.resume() && !arguments.dry_run && !arguments.print_config) directory.emplace(arguments.resume_dir, RunDirectoryUse::kResume);
  const Config config = resolve(arguments);
  if (arguments.print_config) {
    say_text(commented_toml(config));
    return 0;
  }
  if (arguments.dry_run) check_output_folder("--out", arguments.out_dir);
  if (!arguments.out_dir.empty() && !arguments.dry_run) {
    const auto use = arguments.force ? RunDirectoryUse::kForce : RunDirectoryUse::kNew;
    directory.emplace(arguments.out_dir, use, inputs_of(arguments.config_file, config));
  }
  RunDirectory* held = directory ? &*directory : nullptr;
  return with_context(arguments.device, [&](auto& ctx) { return run(ctx, config, arguments, held); });
}

}  // namespace
}  // namespace splitsim

int main(int argc, char** argv) {
  splitsim::start_process(argv);
  splitsim::watch_interrupts();
  return splitsim::run_driver("splitsim-run", [&] { return splitsim::run(argc, argv); });
}
