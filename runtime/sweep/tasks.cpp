#include "runtime/sweep/tasks.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "base/error.hpp"
#include "base/files.hpp"

namespace splitsim {

std::vector<Task> group_runs(const std::vector<std::size_t>& runs) {
  std::vector<Task> tasks;
  for (const std::size_t run : runs) tasks.push_back({{run}});
  return tasks;
}

Command command_of(const Task& task, const Sweep& sweep, const SweepFiles& files,
                   const std::vector<RunStanding>& standings, const Seat& seat) {
  const SweepRun& run = sweep.runs[task.runs.front()];
  const RunStanding& standing = standings[task.runs.front()];
  Command command;
  command.arguments = {seat.program};
  if (standing.begun && !standing.foreign) {
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
