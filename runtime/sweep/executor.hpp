// Runs tasks as child processes, several at once, within cores, devices and memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/sweep/tasks.hpp"

namespace splitsim {

struct Pool {
  int jobs = 1;                           ///< processes at once, at most
  int cores = 1;                          ///< shared out: a process gets cores / (processes that will run) threads
  int threads = 0;                        ///< of every process; 0: as said above
  std::uint64_t memory_bytes = 0;         ///< of all processes together; 0: no limit
  std::vector<std::string> cuda_devices;  ///< jobs are spread over them; empty: none is chosen
};

struct ExecutorHooks {
  /// The process of a task: its threads and device are chosen.
  std::function<Command(const Task&, int threads, const std::string& cuda_device)> command;
  std::function<void(const Task&)> on_start = [](const Task&) {};
  /// asked: it was told to stop.
  std::function<void(const Task&, const ChildExit&, bool asked)> on_end;
  std::function<void(std::size_t running)> on_tick = [](std::size_t) {};  ///< some times a second
};

/// Threads of the next process while `left` tasks (it included) wait or run.
int threads_of_next(const Pool& pool, std::size_t left);

/// Runs all tasks in order; a task whose memory does not fit waits for others to end, and runs alone if it never does.
/// When `interrupt` becomes true nothing more is started and children get SIGTERM. False: it was interrupted. A task
/// whose process cannot be started ends with code 127.
bool run_tasks(const std::vector<Task>& tasks, const Pool& pool, const ExecutorHooks& hooks,
               const std::atomic<bool>& interrupt);

}  // namespace splitsim
