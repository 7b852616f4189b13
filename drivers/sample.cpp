// splitsim-sample: schedules and timelines without learning, several samplers side by side.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <iterator>
#include <optional>
#include <sstream>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/report.hpp"
#include "drivers/common.hpp"
#include "drivers/inputs.hpp"
#include "drivers/output_folder.hpp"
#include "drivers/process_start.hpp"
#include "runtime/config/config.hpp"
#include "runtime/config/help.hpp"
#include "runtime/study/front_report.hpp"
#include "runtime/study/memory_plan.hpp"
#include "runtime/study/sampler_report.hpp"
#include "runtime/study/timeline_trace.hpp"
#include "samplers/registry.hpp"
#include "samplers/schedule/schedule_file.hpp"

namespace splitsim {
namespace {

constexpr const char* kNotes = R"(
What is measured:
  L1 deviation    sum over classes of |share in the batch - share in the pool|, 0..2; total variation is half of it
  max class       the largest of these differences; Serfling's inequality bounds it for a step of ugs
  active clients  clients that give at least one sample to a step
  virtual time    of all epochs, and of a step from its start to its end (steps overlap under run_ahead)
  waiting share   of the time of the steps a client took part in: neither it nor the server worked for it
  front           --front: the least deviation that any schedule can have in a time, and where the samplers are
  schedule        wall time of the sampler alone, per epoch; memory: of the device, for sampler, schedule and clock

Examples:
  splitsim-sample                                       ugs, fpls and fls on the embedded default
  splitsim-sample my.toml --samplers ugs,urn:delta=1,urn:delta=2 --epochs 5 --out samples
  splitsim-sample --synthetic 10000000,10 --set partition.kind=iid --set partition.clients=1000000 --samplers ugs
  splitsim-sample my.toml --front                        every sampler, the bound of all, and a plot
  splitsim-sample --samplers ugs,fls --trace trace.json  then open trace.json in https://ui.perfetto.dev

Exit codes: 0 done, 1 internal error, 2 bad input, 3 no GPU.

)";

// What --front looks at unless told otherwise.
constexpr const char* kFrontSamplers =
    "ugs fpls fls lds:delta=0.5 lds:delta=1 lds:delta=2 urn:delta=0.5 urn:delta=1 urn:delta=2 speed makespan lb_greedy "
    "lb_greedy:target=stratified lbpack pack";
constexpr std::int32_t kFrontBudgets = 3;  // of pack, beside the balanced one

struct Arguments {
  std::string config_file, out_dir, trace_file, schedule_file;
  std::vector<std::string> overrides;
  std::vector<std::string> samplers = {"ugs", "fpls", "fls"};
  std::vector<std::int64_t> synthetic;  // samples, classes
  std::int64_t cut_bytes = 0;           // 0: the model's
  std::int32_t epochs = 1;
  TraceLimits trace;
  bool print_config = false, front = false;
  bool plans_front = false;  // its samplers are not named
  DeviceOptions device;
};

// False: --help has been answered.
bool parse(int argc, char** argv, Arguments& arguments) {
  CLI::App app("Schedules and timelines of several samplers side by side, without learning.", "splitsim-sample");
  app.add_option("config", arguments.config_file, "the experiment (default: the embedded one)")
      ->type_name("CONFIG.toml");
  app.add_option("--set", arguments.overrides, "override keys; a bare word is a string")->type_name("KEY=VALUE");
  app.add_option("--samplers", arguments.samplers,
                 "samplers, each with settings of its own if need be: kind[:key=value...], keys of [sampler]")
      ->delimiter(',')
      ->type_name("KIND[:KEY=VALUE]...,...")
      ->default_str("ugs,fpls,fls");
  app.add_flag(
      "--front", arguments.front,
      "the bound of time against deviation, each sampler's point and a plot; of all that draw, unless --samplers "
      "names some, and of pack at three budgets; --out: front.csv too");
  app.add_option("--epochs", arguments.epochs, "epochs of each sampler")
      ->check(CLI::Range(1, (1 << 24) - 1))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--out", arguments.out_dir,
                 "folder for samplers.csv and samplers.json, made if needed; earlier ones are replaced")
      ->type_name("DIR");
  app.add_option("--synthetic", arguments.synthetic,
                 "instead of a data set: so many samples with so many equally frequent classes; for the model's cut, "
                 "images of 28x28")
      ->delimiter(',')
      ->expected(2)
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{2147483647}))
      ->type_name("N,C");
  app.add_option("--cut-bytes", arguments.cut_bytes, "activations of one sample at the cut (default: the model's)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40))
      ->type_name("BYTES");
  auto* trace = app.add_option("--trace", arguments.trace_file,
                               "write the first epoch's timelines as a Chrome trace (for ui.perfetto.dev)")
                    ->type_name("FILE.json");
  app.add_option("--trace-steps", arguments.trace.steps, "the trace holds the first so many steps")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 31))
      ->needs(trace)
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--trace-clients", arguments.trace.clients,
                 "and so many clients: those that held up most of these steps, then others that took part")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 31))
      ->needs(trace)
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--save-schedule", arguments.schedule_file,
                 "write the first epoch's schedule, for sampler.kind = \"file\" (with a single sampler)")
      ->type_name("FILE.npy");
  arguments.device.add_to(app);
  app.add_flag("--print-config", arguments.print_config,
               "print the configuration with a comment on every key, then stop");
  if (!parse_arguments(app, argc, argv, {kNotes, true})) return false;
  arguments.plans_front = arguments.front && app.count("--samplers") == 0;
  if (arguments.plans_front) {
    std::istringstream names(kFrontSamplers);
    arguments.samplers.assign(std::istream_iterator<std::string>(names), {});
  }
  if (arguments.front &&
      std::find(arguments.samplers.begin(), arguments.samplers.end(), "ugs") == arguments.samplers.end()) {
    arguments.samplers.insert(arguments.samplers.begin(), "ugs");
  }
  take_config_file(arguments.overrides, arguments.config_file);
  return true;
}

/// One config per sampler: the common one with "kind:key=value..." applied.
std::vector<Config> configs_of(const Arguments& arguments) {
  std::vector<ConfigVariant> variants;
  for (const std::string& sampler : arguments.samplers) {
    ConfigVariant& variant = variants.emplace_back(ConfigVariant{"--samplers " + sampler, {}});
    for (std::size_t first = 0; first <= sampler.size();) {
      const std::size_t end = std::min(sampler.find(':', first), sampler.size());
      variant.overrides.push_back((first == 0 ? "sampler.kind=" : "sampler.") + sampler.substr(first, end - first));
      first = end + 1;
    }
  }
  const ConfigText text = arguments.config_file.empty()
                              ? ConfigText{"", "default"}
                              : ConfigText{read_text_file(arguments.config_file), arguments.config_file};
  return parse_variants(text, {arguments.overrides.begin(), arguments.overrides.end()}, variants);
}

// Whether a schedule is needed as a whole: by what looks at it, or where its steps are not independent.
bool looks_at_epochs(const Arguments& arguments) {
  return !arguments.trace_file.empty() || !arguments.schedule_file.empty();
}
bool holds_epochs(const Config& config) {
  const ClockMode mode = clock_mode_of(config, mode_map(config.train));
  return resolved_kind(mode, config.clock) != ClockKind::kBarrier || config.clock.drops_late() ||
         !config.clients.all_there();
}

// Refuses what does not fit, before it is made.
template <class Context>
void plan_memory(const Context& ctx, const Arguments& arguments, const std::vector<Config>& configs,
                 std::int64_t samples, std::int64_t classes) {
  std::vector<std::string> kinds;
  bool whole = looks_at_epochs(arguments);
  for (const Config& config : configs) {
    kinds.push_back(config.sampler.kind);
    whole = whole || holds_epochs(config);
  }
  const SamplingMemory need = sampling_memory(samples, configs.front().partition.clients, classes, kinds, whole);
  const auto check = [](std::uint64_t bytes, const char* whose, std::uint64_t available) {
    if (bytes <= available) return;
    throw OutOfMemory(
        fmt::format("the samplers need {} bytes of {} memory and {} are available: lower the number of samples or "
                    "partition.clients",
                    bytes, whose, available));
  };
  const std::uint64_t host = available_memory(), device = Context::kIsDevice ? ctx.memory_bytes() : host;
  check(Context::kIsDevice ? need.device : need.device + need.host, Context::kName, device);
  if (Context::kIsDevice) check(need.host, "host", host);
  say("memory: {} planned, {} available\n", human_bytes(need.device + need.host), human_bytes(device));
}

/// Labels alone; for the model's cut, images of 28x28.
Dataset synthetic_labels(std::int64_t samples, std::int64_t classes) {
  if (classes > samples) {
    throw InputError(fmt::format("--synthetic {},{}: more classes than samples", samples, classes));
  }
  Dataset dataset;
  dataset.name = "synthetic";
  dataset.channels = 1;
  dataset.height = dataset.width = 28;
  dataset.classes = static_cast<std::int32_t>(classes);
  dataset.train_labels.resize(static_cast<std::size_t>(samples));
  for (std::size_t i = 0; i < dataset.train_labels.size(); ++i) {
    dataset.train_labels[i] = static_cast<std::int32_t>(i % static_cast<std::size_t>(classes));
  }
  return dataset;
}

/// What all samplers share.
template <class Context>
Scene scene_of(const Context& ctx, const Arguments& arguments, const std::vector<Config>& configs) {
  const Config& config = configs.front();
  SceneParts given;
  given.cut_activation = arguments.cut_bytes;
  if (!arguments.synthetic.empty()) {
    plan_memory(ctx, arguments, configs, arguments.synthetic[0], arguments.synthetic[1]);
    given.dataset = synthetic_labels(arguments.synthetic[0], arguments.synthetic[1]);
  } else {
    given.dataset = load_dataset(config.data, seeds_of(config).data);
    given.dataset->train_features = given.dataset->test_features = {};  // labels are enough
    plan_memory(ctx, arguments, configs, given.dataset->train_size(), given.dataset->classes);
  }
  Scene scene = make_scene(config, std::move(given));
  scene.dataset.train_labels = {};  // the population has them
  return scene;
}

// pack within three budgets, beside those that are named.
void add_budgets(const Population& population, const Profile& profile, std::vector<Config>& configs,
                 std::vector<std::string>& names) {
  Config config = configs.back();  // pack
  for (const double budget : pack_budgets(population, profile, config.sampler, kFrontBudgets)) {
    config.sampler.budget_time = budget;
    configs.push_back(config);
    names.push_back(fmt::format("pack:budget_time={}", budget));
  }
}

void check_front(const std::vector<Config>& configs) {
  for (const Config& config : configs) {
    if (config.clock.barrier == Barrier::kRunAhead || config.clock.drops_late()) {
      throw InputError(
          "--front with clock.barrier = \"run_ahead\", clock.deadline_ms or clock.quorum: allowed where every step "
          "waits for its slowest client");
    }
    if (config.sampler.batch == configs.front().sampler.batch) continue;
    throw InputError(fmt::format("--front with sampler.batch = {} and {}: allowed is one for all samplers",
                                 configs.front().sampler.batch, config.sampler.batch));
  }
}

template <class Context>
int run(Context& ctx, Arguments arguments, std::vector<Config> configs) {
  const Config common = configs.front();
  Scene scene = scene_of(ctx, arguments, configs);
  const Population& population = scene.population;
  const Profile& profile = scene.timing.profile;
  if (arguments.plans_front) add_budgets(population, profile, configs, arguments.samplers);
  for (const Config& config : configs) {
    const SamplingFacts facts = sampling_facts(population, profile, config.sampler);
    for (const std::string& text : silent_settings(config, facts)) warn(text);
  }
  const DevicePopulation<Context> device_population(ctx, population);
  say("{}: {} samples, {} classes; {}: {} clients; B = {}, {} epoch{}, seed {}; {} bytes at the cut; {}\n\n",
      scene.dataset.name, population.samples(), population.classes, common.partition.kind, population.clients,
      common.sampler.batch, arguments.epochs, arguments.epochs == 1 ? "" : "s", common.seed, scene.cut.activation,
      ctx.device_name());
  flush_output();

  std::vector<SamplerReport> reports;
  std::vector<TimelineTrace> traces;
  std::optional<Schedule> schedule;
  for (std::size_t i = 0; i < configs.size(); ++i) {
    const Config& config = configs[i];
    const Timing& timing = scene.timing;
    // Its turns are drawn by the sampler's seed.
    const ModeMap mode = mode_map(config.train);
    scene.timing.mode = clock_mode_of(config, mode, groups_of(config, mode, scene.population.clients));
    const auto on_epoch = [&](std::int32_t epoch, const EpochPlan& plan) {
      if (epoch > 0) return;
      if (!arguments.trace_file.empty()) {
        traces.push_back(trace_timeline(arguments.samplers[i], plan.schedule, plan.timeline, profile, timing.latency,
                                        timing.mode, timing.seed, arguments.trace));
      }
      if (!arguments.schedule_file.empty()) schedule = plan.schedule;
    };
    using OnEpoch = std::function<void(std::int32_t, const EpochPlan&)>;
    reports.push_back(measure_sampler(ctx, population, device_population, timing, config, arguments.samplers[i],
                                      arguments.epochs, looks_at_epochs(arguments) ? OnEpoch(on_epoch) : OnEpoch()));
  }
  say("{}", to_table(reports));
  say("\nSerfling: a ugs step's max class deviation is below {:.4f} with 95 % or more (B = {}); population: {} on the "
      "device\n",
      serfling_bound(population.samples(), population.classes, common.sampler.batch), common.sampler.batch,
      human_bytes(ctx.counters().bytes_in_use));
  if (!arguments.out_dir.empty()) {
    const std::filesystem::path out(arguments.out_dir);
    make_folder(arguments.out_dir);
    write_file_atomically((out / "samplers.csv").string(), to_csv(reports));
    write_file_atomically((out / "samplers.json").string(), to_json(reports));
  }
  if (arguments.front) {
    const auto ugs =
        std::find(arguments.samplers.begin(), arguments.samplers.end(), "ugs") - arguments.samplers.begin();
    const FrontReport front =
        front_report(population, profile, common.sampler.batch, reports, static_cast<std::size_t>(ugs));
    say("\n{}", to_text(front));
    if (!arguments.out_dir.empty()) {
      write_file_atomically((std::filesystem::path(arguments.out_dir) / "front.csv").string(), to_csv(front));
    }
  }
  if (schedule) save_schedule(arguments.schedule_file, *schedule);
  if (!arguments.trace_file.empty()) write_file_atomically(arguments.trace_file, to_chrome_json(traces));
  return 0;
}

int run(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) return 0;
  if (!arguments.schedule_file.empty() && arguments.samplers.size() != 1) {
    throw InputError(
        fmt::format("--save-schedule with {} samplers: allowed: one (--samplers)", arguments.samplers.size()));
  }
  const std::vector<Config> configs = configs_of(arguments);
  if (arguments.print_config) {
    say_text(commented_toml(configs.front()));
    return 0;
  }
  if (arguments.front) check_front(configs);
  check_output_folder("--out", arguments.out_dir);
  check_output_file("--trace", arguments.trace_file, arguments.out_dir);
  check_output_file("--save-schedule", arguments.schedule_file, arguments.out_dir);
  for (const Config& config : configs) {
    const std::vector<std::string> inputs = inputs_of(arguments.config_file, config);
    check_output("--trace", arguments.trace_file, inputs);
    check_output("--save-schedule", arguments.schedule_file, inputs);
    if (arguments.out_dir.empty()) continue;
    for (const char* name : {"samplers.csv", "samplers.json", "front.csv"}) {
      check_output("--out", (std::filesystem::path(arguments.out_dir) / name).string(), inputs);
    }
  }
  return with_context(arguments.device, [&](auto& ctx) { return run(ctx, arguments, configs); });
}

}  // namespace
}  // namespace splitsim

int main(int argc, char** argv) {
  splitsim::start_process(argv);
  return splitsim::run_driver("splitsim-sample", [&] { return splitsim::run(argc, argv); });
}
