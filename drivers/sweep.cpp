// splitsim-sweep: many runs of one experiment, what is missing of them.
#include <fmt/format.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <optional>
#include <sstream>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/lock_file.hpp"
#include "drivers/common.hpp"
#include "drivers/output_folder.hpp"
#include "drivers/process_start.hpp"
#include "runtime/run/progress.hpp"
#include "runtime/sweep/local_sweep.hpp"
#include "runtime/sweep/slurm.hpp"
#include "runtime/sweep/sweep_report.hpp"

namespace splitsim {
namespace {

constexpr const char* kNotes = R"(
A sweep file (docs/sweeps.md):
  base = "my.toml"                      # the experiment; without it the embedded default
  set.train.epochs = 3                  # in every run
  grid.sampler.kind = ["ugs", "fls"]    # axes: every combination
  grid.seed = "1..5"

Examples:
  splitsim-sweep my.sweep.toml                   runs below runs/my, its index in runs/my/index.csv
  splitsim-sweep runs/my                         go on with what is missing there
  splitsim-sweep --config my.toml --grid sampler.kind=ugs,fls --grid seed=1..5 --out runs/my
  splitsim-sweep my.sweep.toml --slurm --slurm-args "--partition=gpu --gres=gpu:1"

Exit codes: 0 done (diverged runs are results), 1 some runs failed, 2 bad input, 3 no GPU, 130 interrupted.

)";

constexpr double kProbeSeconds = 0.3;

struct Arguments {
  std::string sweep, config_file, out_dir, probe, data_cache;
  std::vector<std::string> grids, zips, overrides, devices;
  std::string jobs = "auto", together = "auto";
  bool dry_run = false, retry = false, force = false, no_measure = false, slurm = false;
  std::string slurm_args;
  double slurm_poll_s = 5.0;
  int submission = 0, task = -1;  // of an array task under Slurm
  DeviceOptions device;
};

// False: --help has been answered.
bool parse(int argc, char** argv, Arguments& arguments) {
  CLI::App app("Runs a sweep: every combination of settings, what is missing of it, several runs at once.",
               "splitsim-sweep");
  app.add_option("sweep", arguments.sweep, "the sweep's file, or the folder of a sweep to go on with")
      ->type_name("SWEEP.toml|DIR");
  app.add_option("--config", arguments.config_file, "base configuration, instead of the sweep file's")
      ->type_name("CONFIG.toml");
  app.add_option("--set", arguments.overrides, "settings of every run")->type_name("KEY=VALUE");
  app.add_option("--grid", arguments.grids, "an axis: a list of values, or a range 1..5 or 0..100:20")
      ->type_name("KEY=A,B,...");
  app.add_option("--zip", arguments.zips, "keys that vary together: all --zip are one axis")->type_name("KEY=A,B,...");
  app.add_option("--out", arguments.out_dir, "folder of the sweep (default: runs/ and the sweep file's name)")
      ->type_name("DIR");
  app.add_flag("--dry-run", arguments.dry_run, "print the plan, then stop");
  app.add_flag("--retry", arguments.retry, "try failed runs again");
  app.add_flag("--force", arguments.force, "replace runs in the folder that are of other experiments");
  app.add_option("--jobs", arguments.jobs, "runs at once; auto fills cores and memory by what it measures")
      ->type_name("auto|N")
      ->capture_default_str();
  app.add_option("--together", arguments.together, "runs of one shape that a process trains as one; auto: 1")
      ->type_name("auto|N")
      ->capture_default_str();
  app.add_option("--devices", arguments.devices, "GPUs to spread the runs over, as in CUDA_VISIBLE_DEVICES")
      ->delimiter(',')
      ->type_name("0,1,...");
  app.add_flag("--no-measure", arguments.no_measure,
               "measure nothing before the runs: one thread each with --jobs auto");
  auto* slurm =
      app.add_flag("--slurm", arguments.slurm, "submit the runs as job arrays, follow them, submit again what is lost");
  app.add_option("--slurm-args", arguments.slurm_args, "options of sbatch, behind those of the sweep file")
      ->needs(slurm)
      ->type_name("ARGS");
  arguments.device.add_to(app);
  app.add_option("--slurm-poll", arguments.slurm_poll_s)->check(CLI::Range(0.05, 3600.0))->group("");
  auto* probe = app.add_option("--probe", arguments.probe)->group("");
  app.add_option("--data-cache", arguments.data_cache)->needs(probe)->group("");
  auto* submission = app.add_option("--submission", arguments.submission)->group("");
  app.add_option("--task", arguments.task)->needs(submission)->group("");
  if (!parse_arguments(app, argc, argv, {kNotes, true, false})) return false;
  for (std::vector<std::string>* list : {&arguments.overrides, &arguments.grids, &arguments.zips}) {
    take_config_file(*list, arguments.sweep);
  }
  return true;
}

int probe(const Arguments& arguments) {
  const Config config = load_config(arguments.probe, {});
  say("{}\n", with_context(arguments.device, [&](auto& ctx) {
        return to_json(measure_run(ctx, config, kProbeSeconds, arguments.data_cache));
      }));
  return 0;
}

std::string run_program() {
  const char* given = getenv("SPLITSIM_RUN");
  return given != nullptr && *given != '\0' ? given : program_beside("splitsim-run");
}

int environment_number(const char* name, int otherwise) {
  const char* text = getenv(name);
  const int value = text == nullptr ? 0 : std::atoi(text);
  return value > 0 ? value : otherwise;
}

/// An array task: the runs of one entry of a submission, one after another on the threads that Slurm gives.
int run_task(const Arguments& arguments) {
  const SweepFiles files{arguments.sweep};
  const Sweep sweep = load_sweep(files);
  const TaskNames tasks = load_tasks(files, arguments.submission);
  if (static_cast<std::size_t>(arguments.task) >= tasks.size()) {
    throw InputError(
        fmt::format("--task {}: submission {} has {} tasks", arguments.task, arguments.submission, tasks.size()));
  }
  std::vector<RunStanding> standings(sweep.runs.size());
  std::vector<std::size_t> todo;
  for (const std::string& name : tasks[static_cast<std::size_t>(arguments.task)]) {
    for (std::size_t i = 0; i < sweep.runs.size(); ++i) {
      if (sweep.runs[i].name != name) continue;
      standings[i] = standing_of(sweep.runs[i], files);
      if (!standings[i].is_result()) todo.push_back(i);
    }
  }
  LocalUse local{run_program(), use_cuda(arguments.device) ? "cuda" : "cpu", {}, static_cast<int>(todo.size()), false};
  local.pool.threads =
      environment_number("SLURM_CPUS_PER_TASK", environment_number("SLURM_CPUS_ON_NODE", default_threads()));
  const bool whole = run_locally(sweep, files, standings, todo, {}, local, catch_interrupts());
  if (!whole) throw Interrupted("interrupted; its runs go on from their last checkpoints");
  for (const std::size_t run : todo) {
    if (!standings[run].is_result()) throw Error(1, fmt::format("{}: {}", sweep.runs[run].name, standings[run].error));
  }
  return 0;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

int jobs_of(const Arguments& arguments) { return number_or_auto("--jobs", arguments.jobs); }

int together_of(const Arguments& arguments) {
  const int given = number_or_auto("--together", arguments.together);
  return given > 0 ? given : 1;  // more pays for small nets on a GPU alone (docs/sweeps.md)
}

SweepSpec spec_of(const Arguments& arguments) {
  SweepSpec spec;
  spec.source = "command line";
  if (!arguments.sweep.empty()) spec = read_sweep(arguments.sweep);
  if (!arguments.config_file.empty()) {
    spec.base = {read_text_file(arguments.config_file), arguments.config_file};
  }
  for (const std::string& text : arguments.overrides) spec.common.emplace_back(text);
  for (const std::string& text : arguments.grids) add_grid(spec, text);
  add_zip(spec, arguments.zips);
  return spec;
}

std::string out_dir_of(const Arguments& arguments) {
  if (!arguments.out_dir.empty()) return arguments.out_dir;
  if (arguments.sweep.empty()) throw InputError("--grid without a sweep file: --out DIR says where the runs go");
  std::string stem = std::filesystem::path(arguments.sweep).filename().string();
  for (const char* end : {".toml", ".sweep"}) {
    if (stem.ends_with(end)) stem.resize(stem.size() - std::string(end).size());
  }
  return "runs/" + (stem.empty() ? "sweep" : stem);
}

/// Holds the folder; in a dry run nothing is left behind.
class SweepFolder {
 public:
  SweepFolder(const std::string& dir, bool dry_run) : files_{dir} {
    check_output_folder("--out", dir);
    if (is_folder(dir) && !is_sweep_directory(dir) && !is_marked() && !std::filesystem::is_empty(dir)) {
      throw InputError(
          fmt::format("--out {}: holds other files; allowed: a folder that is empty, new, or a sweep's", dir));
    }
    if (dry_run) return;
    make_folder(dir);
    lock_.take(files_.path("sweep.lock"), kMark, fmt::format("sweep '{}'", dir));
  }
  const SweepFiles& files() const { return files_; }

 private:
  static constexpr const char* kMark = "splitsim sweep directory\n";
  bool is_marked() const {
    std::error_code ignored;
    const std::string path = files_.path("sweep.lock");
    return std::filesystem::exists(path, ignored) && read_text_file(path).starts_with(kMark);
  }
  SweepFiles files_;
  LockFile lock_;
};

/// Where a dry run keeps what its probes read.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "splitsim-sweep-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw InputError(fmt::format("cannot make folder '{}'", pattern));
    path_ = pattern;
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

MachineUse machine_use(const Arguments& arguments) {
  MachineUse use;
  use.probe_program = program_beside("splitsim-sweep");
  use.device = use_cuda(arguments.device) ? "cuda" : "cpu";
  if (!arguments.devices.empty() && use.device != "cuda" && getenv("SPLITSIM_RUN") == nullptr) {
    throw InputError(
        fmt::format("--devices {}: allowed with a GPU (--device cuda)", fmt::join(arguments.devices, ",")));
  }
  use.cores = default_threads();
  use.memory_bytes = available_memory() / 10 * 9;
  use.jobs = jobs_of(arguments);
  use.threads = arguments.device.threads;
  use.cuda_devices = arguments.devices;
  use.measure = !arguments.no_measure;
  return use;
}

int finish(const Sweep& sweep, const SweepFiles& files, const std::vector<RunStanding>& standings, bool whole) {
  const std::vector<std::size_t> counts = count_standings(standings);
  const auto of = [&](RunProgress progress) { return counts[static_cast<std::size_t>(progress)]; };
  say("\n{} of {} runs completed, {} diverged, {} failed; {}\n", of(RunProgress::kCompleted), sweep.runs.size(),
      of(RunProgress::kDiverged), of(RunProgress::kFailed), files.path("index.csv"));
  if (of(RunProgress::kFailed) > 0) say("{}", failures_text(sweep, standings));
  if (!whole) {
    throw Interrupted(fmt::format("interrupted with {} of {} runs finished; go on with splitsim-sweep {}",
                                  of(RunProgress::kCompleted) + of(RunProgress::kDiverged), sweep.runs.size(),
                                  files.dir));
  }
  if (of(RunProgress::kFailed) > 0) {
    throw Error(
        1, fmt::format("{} of {} runs failed; --retry tries them again", of(RunProgress::kFailed), sweep.runs.size()));
  }
  return 0;
}

int here(const Arguments& arguments, const Sweep& sweep, const SweepFiles& files, std::vector<RunStanding>& standings,
         const std::vector<std::size_t>& todo) {
  MachineUse use = machine_use(arguments);
  const std::atomic<bool>& interrupt = catch_interrupts();
  std::optional<ScratchFolder> scratch;
  if (arguments.dry_run) scratch.emplace();
  const SweepFiles measured_in{scratch ? scratch->path() : files.dir};
  store_sweep(sweep, measured_in);
  std::vector<std::string> reads;
  for (const std::size_t run : todo) reads.push_back(data_key(sweep.runs[run]));
  SharedData data(measured_in.path("cache"), reads);
  use.data = &data;
  const SweepCosts costs = measure_sweep(sweep, measured_in, standings, todo, use, interrupt);
  say("{}{}{:<10} {}\n", plan_text(sweep, standings, todo, costs, use), others_text(sweep, files), "folder", files.dir);
  flush_output();
  if (arguments.dry_run) return 0;
  LocalUse local{run_program(), use.device, {}, together_of(arguments), true, &data};
  local.pool = {costs.jobs, use.cores, use.threads, use.memory_bytes, use.cuda_devices};
  const bool whole = run_locally(sweep, files, standings, todo, costs, local, interrupt);
  return finish(sweep, files, standings, whole);
}

int under_slurm(const Arguments& arguments, const Sweep& sweep, const SweepFiles& files,
                std::vector<RunStanding>& standings, const std::vector<std::size_t>& todo) {
  MachineUse use;
  use.measure = false;
  say("{}{}{:<10} {}\n", plan_text(sweep, standings, todo, {}, use), others_text(sweep, files), "folder", files.dir);
  flush_output();
  if (arguments.dry_run) return 0;
  store_sweep(sweep, files);
  SlurmUse slurm{program_beside("splitsim-sweep"), arguments.device.device, sweep.slurm_args,
                 together_of(arguments),           jobs_of(arguments),      arguments.slurm_poll_s};
  for (const std::string& word : words_of(arguments.slurm_args)) slurm.args.push_back(word);
  const bool whole = run_under_slurm(sweep, files, standings, todo, slurm, catch_interrupts());
  if (!whole) say("\nIts jobs go on in Slurm: splitsim-sweep {} --slurm follows them again.\n", files.dir);
  return finish(sweep, files, standings, whole);
}

int run(const Arguments& arguments) {
  const bool goes_on = is_folder(arguments.sweep);
  const bool changes = !arguments.overrides.empty() || !arguments.grids.empty() || !arguments.zips.empty() ||
                       !arguments.config_file.empty() || !arguments.out_dir.empty();
  if (goes_on && changes) {
    throw InputError(
        fmt::format("{}: goes on as it was begun; allowed beside a folder: no --config, --set, --grid, "
                    "--zip, --out",
                    arguments.sweep));
  }
  if (goes_on && !is_sweep_directory(arguments.sweep)) {
    throw InputError(
        fmt::format("{}: is no sweep's folder; allowed: a sweep file, or the folder of a sweep", arguments.sweep));
  }
  if (arguments.sweep.empty() && arguments.grids.empty() && arguments.zips.empty()) {
    throw InputError("nothing to sweep: allowed: a sweep file, the folder of a sweep, or --grid KEY=A,B (see --help)");
  }
  const SweepFolder folder(goes_on ? arguments.sweep : out_dir_of(arguments), arguments.dry_run);
  const SweepFiles& files = folder.files();
  const Sweep sweep = goes_on ? load_sweep(files) : expand(spec_of(arguments));
  std::vector<RunStanding> standings = all_standings(sweep, files);
  const std::vector<std::size_t> todo = runs_to_do(sweep, standings, arguments.retry, arguments.force);
  return arguments.slurm ? under_slurm(arguments, sweep, files, standings, todo)
                         : here(arguments, sweep, files, standings, todo);
}

}  // namespace
}  // namespace splitsim

int main(int argc, char** argv) {
  splitsim::start_process(argv);
  splitsim::watch_interrupts();
  return splitsim::run_driver("splitsim-sweep", [&] {
    splitsim::Arguments arguments;
    if (!splitsim::parse(argc, argv, arguments)) return 0;
    if (!arguments.probe.empty()) return splitsim::probe(arguments);
    return arguments.task >= 0 ? splitsim::run_task(arguments) : splitsim::run(arguments);
  });
}
