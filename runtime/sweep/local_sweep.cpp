#include "runtime/sweep/local_sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/lock_file.hpp"
#include "base/stopwatch.hpp"
#include "runtime/run/progress.hpp"
#include "runtime/sweep/index.hpp"
#include "runtime/sweep/sweep_report.hpp"

namespace splitsim {

namespace {

// What is left of running and waiting tasks; 0 if unknown.
class TimeLeft {
 public:
  explicit TimeLeft(const std::vector<Task>& tasks, int jobs) : tasks_(tasks), jobs_(jobs) {}
  void started(const Task& task) { running_[&task] = std::chrono::steady_clock::now(); }
  void ended(const Task& task) {
    running_.erase(&task);
    ended_.insert(&task);
  }
  double seconds() const {
    std::vector<double> left;
    for (const auto& [task, began] : running_) {
      if (task->seconds <= 0.0) return 0.0;
      left.push_back(std::max(task->seconds - seconds_since(began), 0.1));
    }
    for (const Task& task : tasks_) {
      if (running_.count(&task) == 0 && ended_.count(&task) == 0) left.push_back(task.seconds);
    }
    return makespan(left, jobs_);
  }

 private:
  const std::vector<Task>& tasks_;
  int jobs_;
  std::map<const Task*, std::chrono::steady_clock::time_point> running_;
  std::set<const Task*> ended_;
};

}  // namespace

std::vector<RunStanding> all_standings(const Sweep& sweep, const SweepFiles& files) {
  std::vector<RunStanding> standings;
  InputCheck inputs;
  for (const SweepRun& run : sweep.runs) {
    RunStanding& standing = standings.emplace_back(standing_of(run, files));
    if (standing.progress != RunProgress::kCompleted) continue;
    const std::string changed = inputs.changed(run, files);
    if (changed.empty()) continue;
    standing.progress = RunProgress::kFailed;
    standing.error = changed;
    standing.foreign = true;
  }
  return standings;
}

std::vector<std::size_t> runs_to_do(const Sweep& sweep, const std::vector<RunStanding>& standings, bool retry,
                                    bool force) {
  std::vector<std::size_t> todo;
  std::size_t foreign = 0;
  std::string first;
  for (std::size_t i = 0; i < sweep.runs.size(); ++i) {
    const RunStanding& standing = standings[i];
    if (standing.foreign && foreign++ == 0) first = standing.error;
    const bool wanted = standing.foreign ? force : standing.progress != RunProgress::kFailed || retry;
    if (!standing.is_result() && wanted) todo.push_back(i);
  }
  if (foreign > 0 && !force) {
    throw InputError(fmt::format("{}{}; allowed: another --out, or --force to replace {}", first,
                                 foreign == 1 ? "" : fmt::format(" (and {} more such runs)", foreign - 1),
                                 foreign == 1 ? "that run" : "these runs"));
  }
  return todo;
}

bool run_locally(const Sweep& sweep, const SweepFiles& files, std::vector<RunStanding>& standings,
                 const std::vector<std::size_t>& todo, const SweepCosts& costs, const LocalUse& use,
                 const std::atomic<bool>& interrupt) {
  using namespace std::chrono_literals;
  std::vector<Task> tasks = group_runs(sweep, standings, todo, use.together);
  for (Task& task : tasks) {
    bool known = true;
    for (const std::size_t run : task.runs) {
      const double seconds = costs.seconds(sweep.runs[run], standings[run]);
      known = known && seconds > 0.0;
      task.seconds += seconds;
      task.memory_bytes += costs.memory(sweep.runs[run]);
    }
    if (!known) task.seconds = 0.0;
  }
  Index index(sweep, files);
  for (std::size_t i = 0; i < standings.size(); ++i) index.set(i, standings[i]);
  if (use.writes_index) index.write();
  bool stale = false;
  auto written = std::chrono::steady_clock::now();
  SweepProgress progress(std::cerr, stderr_is_live(), sweep, files, standings);
  TimeLeft left(tasks, use.pool.jobs);

  ExecutorHooks hooks;
  hooks.command = [&](const Task& task, int threads, const std::string& cuda_device) {
    for (const std::size_t run : task.runs) wait_until_unlocked(files.run(sweep.runs[run]) + "/run.lock", 10.0);
    const std::string cache = use.data != nullptr ? use.data->folder_of(data_key(sweep.runs[task.runs.front()])) : "";
    return command_of(task, sweep, files, standings, {use.run_program, use.device, threads, cuda_device, cache});
  };
  hooks.on_start = [&](const Task& task) {
    for (const std::size_t run : task.runs) progress.started(run, task.seconds);
    left.started(task);
  };
  hooks.on_end = [&](const Task& task, const ChildExit& exit, bool asked) {
    note_end(task, sweep, files, exit, asked);
    left.ended(task);
    for (const std::size_t run : task.runs) {
      standings[run] = standing_of(sweep.runs[run], files);
      index.set(run, standings[run]);
      progress.ended(run, exit.seconds);
      if (use.data != nullptr) use.data->ended(data_key(sweep.runs[run]));
    }
    stale = true;
  };
  hooks.on_tick = [&](std::size_t) {
    if (use.writes_index && stale && std::chrono::steady_clock::now() - written >= 1s) {
      index.write();
      stale = false;
      written = std::chrono::steady_clock::now();
    }
    progress.tick(left.seconds());
  };
  const bool whole = run_tasks(tasks, use.pool, hooks, interrupt);
  if (use.writes_index) index.write();
  return whole;
}

}  // namespace splitsim
