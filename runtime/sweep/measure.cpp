#include "runtime/sweep/measure.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.hpp"
#include "base/files.hpp"
#include "runtime/sweep/executor.hpp"

namespace splitsim {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

// What was measured before on this machine. A file that cannot be read counts as none: it is a cache.
class CostBook {
 public:
  explicit CostBook(std::string path) : path_(std::move(path)) {
    std::error_code ignored;
    if (!fs::exists(path_, ignored)) return;
    try {
      const Json json = Json::parse(read_text_file(path_));
      for (const auto& [key, value] : json.items()) {
        if (const auto cost = cost_from_json(value.dump())) costs_[key] = *cost;
      }
    } catch (const std::exception&) {
      costs_.clear();
    }
  }
  std::optional<RunCost> find(const std::string& key) const {
    const auto found = costs_.find(key);
    return found == costs_.end() ? std::nullopt : std::optional(found->second);
  }
  void add(const std::string& key, const RunCost& cost) {
    costs_[key] = cost;
    Json json = Json::object();
    for (const auto& [name, value] : costs_) json[name] = Json::parse(to_json(value));
    write_file_atomically(path_, json.dump(1) + "\n");
  }

 private:
  std::string path_;
  std::map<std::string, RunCost> costs_;
};

class Measurement {
 public:
  Measurement(const Sweep& sweep, const SweepFiles& files, const MachineUse& use, const std::atomic<bool>& interrupt)
      : sweep_(sweep), files_(files), use_(use), interrupt_(interrupt), book_(files.path("costs.json")) {
    char name[256] = "";
    gethostname(name, sizeof name - 1);
    host_ = name;
  }

  /// Probes of these runs, `jobs` at once with `threads` threads each. Runs that fail are missing.
  std::map<std::size_t, RunCost> probe(const std::vector<std::size_t>& runs, int jobs, int threads) {
    std::map<std::size_t, RunCost> costs;
    std::vector<Task> tasks;
    for (std::size_t i = 0; i < runs.size(); ++i) tasks.push_back({{i}});  // its place in `runs`: a run may come twice
    Pool pool;
    pool.jobs = jobs;
    pool.threads = threads;
    pool.cuda_devices = use_.cuda_devices;
    ExecutorHooks hooks;
    const auto output = [&](const Task& task) {
      return files_.path(fmt::format("logs/.probe-{}-{}", getpid(), task.runs.front()));
    };
    hooks.command = [&](const Task& task, int count, const std::string& cuda_device) {
      Command command{{use_.probe_program, "--probe", files_.config(sweep_.runs[runs[task.runs.front()]]), "--device",
                       use_.device, "--threads", fmt::to_string(count)},
                      {},
                      output(task)};
      const std::string data = data_key(sweep_.runs[runs[task.runs.front()]]);
      const std::string cache = use_.data != nullptr ? use_.data->folder_of(data) : "";
      if (!cache.empty()) command.arguments.insert(command.arguments.end(), {"--data-cache", cache});
      if (!cuda_device.empty()) command.environment.emplace_back("CUDA_VISIBLE_DEVICES", cuda_device);
      return command;
    };
    hooks.on_end = [&](const Task& task, const ChildExit& exit, bool) {
      const std::size_t place = task.runs.front();
      std::error_code ignored;
      std::istringstream lines(exit.code == 0 ? read_text_file(output(task)) : "");
      for (std::string line; std::getline(lines, line);) {
        if (const auto cost = cost_from_json(line)) costs[place] = *cost;
      }
      fs::remove(output(task), ignored);
      if (exit.code != 0 && !interrupt_.load()) {
        failures.push_back(fmt::format("run {}: {}", sweep_.runs[runs[place]].name, exit.error));
      }
    };
    run_tasks(tasks, pool, hooks, interrupt_);
    return costs;
  }

  std::string key(std::size_t run, int threads, int processes) const {
    return fmt::format("{} {} {} {}x{}", host_, use_.device, shape_sha256(sweep_.runs[run].config), processes, threads);
  }

  /// Processes of one run's experiment side by side; their mean cost.
  std::optional<RunCost> side_by_side(std::size_t run, int threads, int processes) {
    if (const auto known = book_.find(key(run, threads, processes))) return known;
    const std::vector<std::size_t> copies(static_cast<std::size_t>(processes), run);
    const std::map<std::size_t, RunCost> costs = probe(copies, processes, threads);
    if (costs.size() != copies.size()) return {};
    RunCost mean = costs.begin()->second;
    mean.step_s = mean.setup_s = mean.test_s = 0.0;
    for (const auto& [place, cost] : costs) {
      mean.step_s += cost.step_s / processes;
      mean.setup_s += cost.setup_s / processes;
      mean.test_s += cost.test_s / processes;
      mean.host_bytes = std::max(mean.host_bytes, cost.host_bytes);
    }
    book_.add(key(run, threads, processes), mean);
    return mean;
  }

  CostBook& book() { return book_; }
  std::vector<std::string> failures;

 private:
  const Sweep& sweep_;
  const SweepFiles& files_;
  const MachineUse& use_;
  const std::atomic<bool>& interrupt_;
  CostBook book_;
  std::string host_;
};

// One thread, all cores, and a power of two between them.
std::vector<int> thread_counts(int cores) {
  std::vector<int> counts = {1};
  int middle = 1;
  while (middle * middle < cores) middle *= 2;
  if (middle > 1 && middle < cores) counts.push_back(middle);
  if (cores > 1) counts.push_back(cores);
  return counts;
}

// Times are means, bytes the largest.
RunCost mean_of(const std::map<std::string, RunCost>& costs) {
  RunCost mean;
  double steps = 0.0;
  for (const auto& [shape, cost] : costs) {
    const auto count = static_cast<double>(costs.size());
    steps += static_cast<double>(cost.steps_per_epoch) / count;
    mean.step_s += cost.step_s / count;
    mean.setup_s += cost.setup_s / count;
    mean.test_s += cost.test_s / count;
    mean.host_bytes = std::max(mean.host_bytes, cost.host_bytes);
    mean.planned_bytes = std::max(mean.planned_bytes, cost.planned_bytes);
  }
  mean.steps_per_epoch = static_cast<std::int64_t>(steps);
  return mean;
}

// Compares runs of one thread with fewer runs of more threads on the shape that most runs have.
void compare_threads(Measurement& measurement, std::size_t run, const MachineUse& use, SweepCosts& costs) {
  for (const int threads : thread_counts(use.cores)) {
    const int processes = std::max(1, use.cores / threads);
    const std::optional<RunCost> cost = measurement.side_by_side(run, threads, processes);
    if (!cost || cost->step_s <= 0.0) return;
    costs.speeds.push_back({threads, processes, processes / cost->step_s});
    if (cost->host_bytes * static_cast<std::uint64_t>(processes) > use.memory_bytes && use.memory_bytes != 0) {
      costs.speeds.back().steps_per_s = 0.0;  // so many would not fit
    }
  }
  for (std::size_t i = 1; i < costs.speeds.size(); ++i) {  // the first is what is chosen
    if (costs.speeds[i].steps_per_s > kSpeedMargin * costs.speeds.front().steps_per_s) {
      std::swap(costs.speeds.front(), costs.speeds[i]);
    }
  }
}

}  // namespace

double SweepCosts::seconds(const SweepRun& run, const RunStanding& standing) const {
  const std::string shape = shape_sha256(run.config);
  const auto finished = finished_s.find(shape);
  if (finished != finished_s.end()) {
    return finished->second * std::max(run.config.train.epochs - standing.epochs, 0);
  }
  const auto cost = by_shape.find(shape);
  return cost == by_shape.end() ? 0.0 : run_seconds(cost->second, run.config, standing.epochs);
}

std::uint64_t SweepCosts::memory(const SweepRun& run) const {
  const auto cost = by_shape.find(shape_sha256(run.config));
  return cost == by_shape.end() ? 0 : std::max(cost->second.host_bytes, cost->second.planned_bytes);
}

int jobs_that_fit(const MachineUse& use, int threads, std::uint64_t cost_bytes, std::size_t runs) {
  std::int64_t jobs = use.device == "cuda"
                          ? static_cast<std::int64_t>(std::max<std::size_t>(use.cuda_devices.size(), 1))
                          : std::max(1, use.cores / std::max(threads, 1));
  if (use.jobs > 0) jobs = use.jobs;
  if (use.jobs == 0 && cost_bytes > 0 && use.memory_bytes > 0) {
    jobs = std::min(jobs, static_cast<std::int64_t>(use.memory_bytes / cost_bytes));
  }
  return static_cast<int>(std::max<std::int64_t>(1, std::min<std::int64_t>(jobs, static_cast<std::int64_t>(runs))));
}

SweepCosts measure_sweep(const Sweep& sweep, const SweepFiles& files, const std::vector<RunStanding>& standings,
                         const std::vector<std::size_t>& todo, const MachineUse& use,
                         const std::atomic<bool>& interrupt) {
  SweepCosts costs;
  costs.threads = use.threads;
  std::map<std::string, std::pair<double, int>> finished;
  for (std::size_t i = 0; i < sweep.runs.size(); ++i) {
    if (standings[i].progress != RunProgress::kCompleted || standings[i].epochs == 0) continue;
    auto& [sum, count] = finished[shape_sha256(sweep.runs[i].config)];
    sum += standings[i].wall_s / standings[i].epochs;
    ++count;
  }
  for (const auto& [shape, sum] : finished) costs.finished_s[shape] = sum.first / sum.second;

  std::map<std::string, std::vector<std::size_t>> shapes;
  for (const std::size_t run : todo) shapes[shape_sha256(sweep.runs[run].config)].push_back(run);
  if (use.measure && !todo.empty()) {
    Measurement measurement(sweep, files, use, interrupt);
    const auto commonest = std::max_element(
        shapes.begin(), shapes.end(), [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
    const bool choose = use.jobs == 0 && use.threads == 0 && use.device == "cpu" && use.cores > 1 && todo.size() > 1;
    if (choose) compare_threads(measurement, commonest->second.front(), use, costs);
    if (costs.threads == 0) costs.threads = costs.speeds.empty() ? 0 : costs.speeds.front().threads;

    const int threads = costs.threads > 0 ? costs.threads : std::max(1, use.cores / std::max(use.jobs, 1));
    const int beside = jobs_that_fit(use, threads, 0, todo.size());
    std::vector<std::size_t> missing;
    std::size_t place = 0;
    for (const auto& [shape, runs] : shapes) {
      const bool measured = shapes.size() <= kMostProbes || place++ % (shapes.size() / kMostProbes + 1) == 0;
      if (const auto known = measurement.book().find(measurement.key(runs.front(), threads, beside))) {
        costs.by_shape[shape] = *known;
      } else if (measured) {
        missing.push_back(runs.front());
      }
    }
    for (const auto& [at, cost] : measurement.probe(missing, beside, threads)) {
      costs.by_shape[shape_sha256(sweep.runs[missing[at]].config)] = cost;
      measurement.book().add(measurement.key(missing[at], threads, beside), cost);
    }
    costs.failures = measurement.failures;
    if (costs.by_shape.empty() && !costs.failures.empty()) throw InputError(costs.failures.front());
    if (shapes.size() > kMostProbes && !costs.by_shape.empty()) {
      const RunCost mean = mean_of(costs.by_shape);
      for (const auto& [shape, runs] : shapes) costs.by_shape.emplace(shape, mean);
    }
  }
  std::uint64_t largest = 0;
  for (const std::size_t run : todo) largest = std::max(largest, costs.memory(sweep.runs[run]));
  if (costs.threads == 0 && use.jobs == 0) costs.threads = 1;
  costs.jobs = jobs_that_fit(use, costs.threads, largest, todo.size());
  if (costs.threads == 0) costs.threads = std::max(1, use.cores / costs.jobs);
  return costs;
}

}  // namespace splitsim
