#include "runtime/sweep/tasks.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <thread>

#include "base/error.hpp"
#include "base/files.hpp"
#include "runtime/config/seeds.hpp"
#include "runtime/config/together.hpp"
#include "runtime/plan/data_cache.hpp"

namespace splitsim {

std::vector<Task> group_runs(const Sweep& sweep, const std::vector<RunStanding>& standings,
                             const std::vector<std::size_t>& runs, int most) {
  std::vector<Task> tasks;
  std::map<std::string, std::size_t> open;  // by what its runs agree on
  for (const std::size_t run : runs) {
    const RunStanding& standing = standings[run];
    if (most > 1 && standing.progress != RunProgress::kFailed && !standing.foreign &&
        standing.resume_overrides.empty()) {
      const auto [place, fresh] = open.try_emplace(together_key(sweep.runs[run].config), tasks.size());
      if (!fresh && tasks[place->second].runs.size() < static_cast<std::size_t>(most)) {
        tasks[place->second].runs.push_back(run);
        continue;
      }
      place->second = tasks.size();
    }
    tasks.push_back({{run}});
  }
  return tasks;
}

std::string data_key(const SweepRun& run) { return cache_key(run.config.data, seeds_of(run.config).data); }

namespace {

// What splitsim-run --together reads.
std::string write_list(const Task& task, const Sweep& sweep, const SweepFiles& files) {
  std::string text;
  for (const std::size_t at : task.runs) {
    text += files.config(sweep.runs[at]) + "\t" + files.run(sweep.runs[at]) + "\n";
  }
  const std::string path = files.path("together/" + sweep.runs[task.runs.front()].name + ".txt");
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  write_file_atomically(path, text);
  return path;
}

}  // namespace

Command command_of(const Task& task, const Sweep& sweep, const SweepFiles& files,
                   const std::vector<RunStanding>& standings, const Seat& seat) {
  const SweepRun& run = sweep.runs[task.runs.front()];
  const RunStanding& standing = standings[task.runs.front()];
  Command command;
  command.arguments = {seat.program};
  if (task.runs.size() > 1) {
    command.arguments.insert(command.arguments.end(), {"--together", write_list(task, sweep, files)});
  } else if (standing.begun && !standing.foreign) {
    command.arguments.insert(command.arguments.end(), {"--resume", files.run(run)});
    for (const std::string& text : standing.resume_overrides) {
      command.arguments.insert(command.arguments.end(), {"--set", text});
    }
  } else {
    command.arguments.insert(command.arguments.end(), {files.config(run), "--out", files.run(run)});
    if (standing.foreign) command.arguments.emplace_back("--force");
  }
  command.arguments.insert(command.arguments.end(),
                           {"--device", seat.device, "--threads", fmt::to_string(seat.threads)});
  if (!seat.data_cache.empty() && task.runs.size() == 1) {
    command.arguments.insert(command.arguments.end(), {"--data-cache", seat.data_cache});
  }
  if (!seat.cuda_device.empty()) command.environment.emplace_back("CUDA_VISIBLE_DEVICES", seat.cuda_device);
  command.output = files.log(run);
  return command;
}

void note_end(const Task& task, const Sweep& sweep, const SweepFiles& files, const ChildExit& exit, bool asked) {
  // Who kills all processes of a job kills this one too, a moment later: then the run has not failed.
  if (exit.code == 128 + SIGKILL && !asked) std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const bool failed = exit.code != 0 && exit.code != 4 && exit.code != 130 && !asked;
  for (const std::size_t at : task.runs) {
    const SweepRun& run = sweep.runs[at];
    std::error_code ignored;
    std::filesystem::remove(files.failure(run), ignored);
    if (failed && !standing_of(run, files).is_result()) write_file_atomically(files.failure(run), exit.error + "\n");
  }
}

}  // namespace splitsim
