#include "runtime/sweep/slurm.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "base/csv_text.hpp"
#include "base/error.hpp"
#include "base/files.hpp"
#include "base/hash.hpp"
#include "base/report.hpp"
#include "base/stopwatch.hpp"
#include "runtime/run/progress.hpp"
#include "runtime/sweep/index.hpp"
#include "runtime/sweep/sweep_report.hpp"

namespace splitsim {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostArrayTasks = 1000;  // Slurm's default MaxArraySize is 1001

struct ToolResult {
  int code = 0;
  std::string text;  // stdout and stderr
};

std::string in_path(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/usr/bin" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string whole = folder + "/" + name;
    if (!folder.empty() && access(whole.c_str(), X_OK) == 0) return whole;
  }
  throw InputError(fmt::format("--slurm: there is no {} in PATH; allowed where Slurm is installed", name));
}

ToolResult call(const SweepFiles& files, std::vector<std::string> arguments) {
  const std::string output = files.path(fmt::format("slurm/.{}-{}", arguments.front(), getpid()));
  std::error_code ignored;
  fs::remove(output, ignored);
  arguments.front() = in_path(arguments.front());
  ChildProcess process({arguments, {}, output});
  std::optional<ChildExit> exit;
  while (!(exit = process.ended())) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ToolResult result{exit->code, read_text_file(output)};
  fs::remove(output, ignored);
  return result;
}

std::string tasks_file(const SweepFiles& files, int number) {
  return files.path(fmt::format("slurm/tasks-{}.json", number));
}

std::string shell_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

class Follower {
 public:
  Follower(const Sweep& sweep, const SweepFiles& files, std::vector<RunStanding>& standings,
           const std::vector<std::size_t>& todo, const SlurmUse& use)
      : sweep_(sweep),
        files_(files),
        standings_(standings),
        todo_(todo),
        use_(use),
        prefix_(slurm_job_prefix(files)),
        index_(sweep, files),
        progress_(std::cerr, false, sweep, files, standings) {
    std::error_code error;
    fs::create_directories(files_.path("slurm"), error);
    for (std::size_t i = 0; i < sweep.runs.size(); ++i) place_[sweep.runs[i].name] = i;
    for (std::size_t i = 0; i < standings.size(); ++i) index_.set(i, standings[i]);
    while (fs::exists(tasks_file(files_, last_ + 1), error)) ++last_;
  }

  bool follow(const std::atomic<bool>& interrupt) {
    index_.write();
    const std::set<std::size_t> before = queued();  // of a call before this one
    submitted_.insert(before.begin(), before.end());
    submit(lost_among(todo_, before));
    while (!interrupt.load()) {
      const std::set<std::size_t> active = queued();
      read_standings();
      submit(lost_among(todo_, active));
      if (active.empty() && settled()) return true;
      say_state(active.size());
      const auto began = std::chrono::steady_clock::now();
      while (!interrupt.load() && seconds_since(began) < use_.poll_s) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    }
    read_standings();
    return false;
  }

 private:
  /// Runs whose task is in Slurm's queue, in whatever state. While Slurm does not answer all are taken to be.
  std::set<std::size_t> queued() {
    const ToolResult result = call(files_, {"squeue", "-h", "-r", "--me", "-o", "%j|%K|%T"});
    std::set<std::size_t> active;
    if (result.code != 0) {
      warn(fmt::format("squeue: {}", one_line(result.text)));
      for (const std::size_t run : todo_) {
        if (!standings_[run].is_result()) active.insert(run);
      }
      return active;
    }
    states_.clear();
    for (const QueuedTask& task : parse_queue(result.text, prefix_)) {
      ++states_[task.state];
      auto known = submissions_.find(task.submission);
      if (known == submissions_.end()) {
        known = submissions_.emplace(task.submission, load_tasks(files_, task.submission)).first;
      }
      if (task.task < 0 || static_cast<std::size_t>(task.task) >= known->second.size()) continue;
      for (const std::string& name : known->second[static_cast<std::size_t>(task.task)]) {
        const auto run = place_.find(name);
        if (run != place_.end()) active.insert(run->second);
      }
    }
    return active;
  }

  void read_standings() {
    bool changed = false;
    for (const std::size_t run : todo_) {
      if (standings_[run].is_result() || ended_.count(run) != 0) continue;
      const RunStanding before = standings_[run];
      standings_[run] = standing_of(sweep_.runs[run], files_);
      if (standings_[run].progress == before.progress && standings_[run].error == before.error) continue;
      changed = true;
      index_.set(run, standings_[run]);
      if (standings_[run].is_result() || standings_[run].progress == RunProgress::kFailed) {
        progress_.ended(run, standings_[run].wall_s);
        ended_.insert(run);
      }
    }
    if (changed) index_.write();
  }

  /// Those of `runs` that nobody works on and that are no results; they have failed if that happens too often.
  std::vector<std::size_t> lost_among(const std::vector<std::size_t>& runs, const std::set<std::size_t>& active) {
    std::vector<std::size_t> lost;
    for (const std::size_t run : runs) {
      const bool failed = submitted_.count(run) != 0 && standings_[run].progress == RunProgress::kFailed;
      if (active.count(run) != 0 || standings_[run].is_result() || failed) continue;
      if (submitted_.count(run) != 0) {
        Loss& loss = losses_[run];
        loss.times = standings_[run].epochs > loss.epochs ? 1 : loss.times + 1;
        loss.epochs = standings_[run].epochs;
        if (loss.times > use_.most_losses) {
          write_file_atomically(files_.failure(sweep_.runs[run]),
                                fmt::format("its Slurm task ended {} times without a new epoch: see {}\n", loss.times,
                                            files_.path("slurm")));
          continue;
        }
        std::cerr << fmt::format("{}: its task was lost after {} epochs; submitted again\n", sweep_.runs[run].name,
                                 standings_[run].epochs)
                  << std::flush;
      }
      lost.push_back(run);
    }
    return lost;
  }

  void submit(const std::vector<std::size_t>& runs) {
    const std::vector<Task> tasks = group_runs(sweep_, standings_, runs, use_.together);
    for (std::size_t first = 0; first < tasks.size(); first += kMostArrayTasks) {
      TaskNames names;
      for (std::size_t i = first; i < std::min(first + kMostArrayTasks, tasks.size()); ++i) {
        std::vector<std::string>& task = names.emplace_back();
        for (const std::size_t run : tasks[i].runs) {
          std::error_code ignored;
          fs::remove(files_.failure(sweep_.runs[run]), ignored);
          submitted_.insert(run);
          task.push_back(sweep_.runs[run].name);
        }
      }
      ++last_;
      write_file_atomically(tasks_file(files_, last_), nlohmann::json(names).dump(1) + "\n");
      const std::string script = files_.path(fmt::format("slurm/job-{}.sh", last_));
      write_file_atomically(script, slurm_script(files_, use_, last_, names.size()));
      std::vector<std::string> command = {"sbatch", "--parsable"};
      command.insert(command.end(), use_.args.begin(), use_.args.end());
      command.push_back(script);
      const ToolResult result = call(files_, command);
      if (result.code != 0) throw InputError(fmt::format("sbatch: {}", one_line(result.text)));
      std::string job = one_line(result.text);
      while (job.ends_with(' ')) job.pop_back();
      std::cerr << fmt::format("submitted {} task{} as job {}\n", names.size(), names.size() == 1 ? "" : "s", job)
                << std::flush;
      submissions_[last_] = std::move(names);
    }
    if (!runs.empty()) read_standings();
  }

  bool settled() const {
    return std::all_of(todo_.begin(), todo_.end(), [&](std::size_t run) {
      return standings_[run].is_result() || standings_[run].progress == RunProgress::kFailed;
    });
  }

  void say_state(std::size_t active) {
    std::string text = fmt::format("{} runs in Slurm's queue", active);
    for (const auto& [state, count] : states_) text += fmt::format(", {} {}", count, state);
    if (text != said_) std::cerr << text << "\n" << std::flush;
    said_ = text;
  }

  struct Loss {
    int times = 0;
    std::int32_t epochs = 0;
  };
  const Sweep& sweep_;
  const SweepFiles& files_;
  std::vector<RunStanding>& standings_;
  const std::vector<std::size_t>& todo_;
  const SlurmUse& use_;
  std::string prefix_, said_;
  Index index_;
  SweepProgress progress_;
  int last_ = 0;  // submission
  std::map<std::string, std::size_t> place_;
  std::map<int, TaskNames> submissions_;
  std::map<std::string, int> states_;
  std::map<std::size_t, Loss> losses_;
  std::set<std::size_t> submitted_, ended_;
};

}  // namespace

std::string slurm_job_prefix(const SweepFiles& files) {
  Sha256 hash;
  hash.add(fs::weakly_canonical(files.dir).string());
  return "splitsim-" + hash.hex().substr(0, 12);
}

std::string slurm_script(const SweepFiles& files, const SlurmUse& use, int number, std::size_t tasks) {
  const std::string dir = fs::absolute(files.dir).lexically_normal().string();
  std::string escaped;  // Slurm's own patterns
  for (const char c : dir) escaped += c == '%' ? std::string("%%") : std::string(1, c);
  return fmt::format(
      "#!/bin/bash\n"
      "#SBATCH --job-name={}-{}\n"
      "#SBATCH --array=0-{}{}\n"
      "#SBATCH --output=\"{}/slurm/job-{}_%a.out\"\n"
      "#SBATCH --open-mode=append\n"
      "#SBATCH --requeue\n"
      "exec {} {} --submission {} --task \"$SLURM_ARRAY_TASK_ID\" --device {}\n",
      slurm_job_prefix(files), number, tasks - 1, use.at_once > 0 ? fmt::format("%{}", use.at_once) : "", escaped,
      number, shell_quoted(use.sweep_program), shell_quoted(dir), number, use.device);
}

std::vector<QueuedTask> parse_queue(const std::string& squeue_output, const std::string& job_prefix) {
  std::vector<QueuedTask> tasks;
  std::istringstream lines(squeue_output);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find('|'), second = line.find('|', first + 1);
    if (second == std::string::npos || !line.starts_with(job_prefix + "-")) continue;
    const std::size_t number_at = job_prefix.size() + 1;
    const auto submission = csv_number<int>(std::string_view(line).substr(number_at, first - number_at));
    const auto task = csv_number<int>(std::string_view(line).substr(first + 1, second - first - 1));
    if (submission && task) tasks.push_back({*submission, *task, line.substr(second + 1)});
  }
  return tasks;
}

TaskNames load_tasks(const SweepFiles& files, int number) {
  const std::string path = tasks_file(files, number);
  try {
    return nlohmann::json::parse(read_text_file(path)).get<TaskNames>();
  } catch (const nlohmann::json::exception& error) {
    throw InputError(fmt::format("cannot read '{}': {}", path, error.what()));
  }
}

bool run_under_slurm(const Sweep& sweep, const SweepFiles& files, std::vector<RunStanding>& standings,
                     const std::vector<std::size_t>& todo, const SlurmUse& use, const std::atomic<bool>& interrupt) {
  for (const char* tool : {"sbatch", "squeue"}) in_path(tool);
  for (const std::size_t run : todo) {
    if (standings[run].foreign) {
      throw InputError(fmt::format("{}: --force with --slurm: allowed without it, or remove that folder",
                                   files.run(sweep.runs[run])));
    }
  }
  return Follower(sweep, files, standings, todo, use).follow(interrupt);
}

}  // namespace splitsim
