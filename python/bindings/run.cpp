// Training.
#include <fmt/format.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <filesystem>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>

#include "base/error.hpp"
#include "drivers/inputs.hpp"
#include "python/bindings/parts.hpp"
#include "runtime/config/continuation.hpp"
#include "runtime/run/experiment.hpp"
#include "runtime/run/progress.hpp"
#include "runtime/run/run_directory.hpp"

namespace splitsim::python {

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace {

/// Where a run writes: "new", "resume", "force".
struct RunFolder {
  std::string path, use;

  RunDirectoryUse meant() const {
    return use == "resume"  ? RunDirectoryUse::kResume
           : use == "force" ? RunDirectoryUse::kForce
                            : RunDirectoryUse::kNew;
  }
};

/// One run, on a thread of its own; `hooks` (python/splitsim/hooks.py) is told how it goes.
class Run {
 public:
  Run(const ReadConfig& read, RunFolder folder, const Device& device, const nb::object& hooks)
      : read_(read), folder_(std::move(folder)), device_(device), hooks_(hooks) {}

  std::string run() {
    std::optional<ScheduleSource> source = source_of(hooks_, caller_);
    thread_.run([&] { train(std::move(source)); }, [this] { show_progress(); });
    show_progress();
    return to_json(summary_);
  }

 private:
  void train(std::optional<ScheduleSource> source) {
    const Config config = config_of_run();
    RunDirectory directory(folder_.path, folder_.meant(), inputs_of(read_.file, config));
    with_context(device_, [&](auto& ctx) { train(ctx, config, std::move(source), directory); });
  }

  // What a run that goes on was: a config of the caller's must be the same.
  Config config_of_run() const {
    if (folder_.meant() == RunDirectoryUse::kResume) {
      const std::string saved = (std::filesystem::path(folder_.path) / "config.toml").string();
      check_continuation(load_config(saved, {}), read_.config);
    }
    return read_.config;
  }

  template <class Context>
  void train(Context& ctx, const Config& config, std::optional<ScheduleSource> source, RunDirectory& directory) {
    SceneParts given;
    given.schedules = std::move(source);
    Experiment<Context> experiment(ctx, config, std::move(given));
    const std::vector<std::string> silent = experiment.plan().silent;
    if (!silent.empty()) {
      thread_.ask([&] { hooks_.attr("warn")(silent); });
    }
    experiment.check_memory();
    directory.begin(to_toml(config));
    RunOptions options;
    options.out_dir = folder_.path;
    options.resume = folder_.meant() == RunDirectoryUse::kResume;
    options.interrupt = &thread_.interrupt();
    options.on_progress = [this](const ProgressState& state) {
      const std::lock_guard lock(progress_mutex_);
      progress_ = state;
    };
    if (nb_bool("wants_epochs")) {
      options.on_epoch = [this](const EpochRecord& record) {
        thread_.ask([&] { hooks_.attr("epoch")(to_json_line(record)); });
      };
    }
    summary_ = experiment.run(options);
  }

  bool nb_bool(const char* name) {
    bool value = false;
    thread_.ask([&] { value = nb::cast<bool>(hooks_.attr(name)); });
    return value;
  }

  // By the caller, with the interpreter's lock.
  void show_progress() {
    std::optional<ProgressState> state;
    {
      const std::lock_guard lock(progress_mutex_);
      std::swap(state, progress_);
    }
    if (!state) return;
    hooks_.attr("progress")(nb::make_tuple(state->epoch, state->epochs, state->step, state->steps, state->loss,
                                           state->accuracy, state->samples, state->samples_total));
  }

  const ReadConfig& read_;
  RunFolder folder_;
  const Device& device_;
  const nb::object& hooks_;
  WorkThread thread_;
  WorkThread* caller_ = &thread_;
  std::mutex progress_mutex_;
  std::optional<ProgressState> progress_;  // what has not been shown yet
  Summary summary_;
};

std::string train(const ReadConfig& config, const std::string& folder, const std::string& use, const Device& device,
                  const nb::object& hooks) {
  return Run(config, {folder, use}, device, hooks).run();
}

}  // namespace

void bind_run(nb::module_& module) {
  module.def("run", &train, "config"_a, "folder"_a, "use"_a, "device"_a, "hooks"_a);
  module.def(
      "progress_text",
      [](std::tuple<int, int, std::int64_t, std::int64_t> place, double loss, double accuracy,
         std::tuple<std::int64_t, std::int64_t> samples, double seconds) {
        ProgressState state;
        std::tie(state.epoch, state.epochs, state.step, state.steps) = place;
        state.loss = loss;
        state.accuracy = accuracy;
        std::tie(state.samples, state.samples_total) = samples;
        return progress_text(state, seconds);
      },
      "place"_a, "loss"_a, "accuracy"_a, "samples"_a, "seconds"_a);
}

}  // namespace splitsim::python
