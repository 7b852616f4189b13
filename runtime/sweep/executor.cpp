#include "runtime/sweep/executor.hpp"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <list>
#include <thread>

#include "base/error.hpp"

namespace splitsim {

namespace {

struct Running {
  Running(const Task& what, std::string device, const Command& command)
      : task(&what), cuda_device(std::move(device)), process(command) {}
  const Task* task;
  std::string cuda_device;
  ChildProcess process;
};

// The device with the fewest processes on it, the first of equals.
std::string free_device(const Pool& pool, const std::list<Running>& running) {
  std::string best;
  std::ptrdiff_t fewest = -1;
  for (const std::string& device : pool.cuda_devices) {
    const auto there =
        std::count_if(running.begin(), running.end(), [&](const Running& one) { return one.cuda_device == device; });
    if (fewest >= 0 && there >= fewest) continue;
    fewest = there;
    best = device;
  }
  return best;
}

bool fits(const Pool& pool, const std::list<Running>& running, const Task& task) {
  if (running.empty() || pool.memory_bytes == 0) return true;
  std::uint64_t used = task.memory_bytes;
  for (const Running& one : running) used += one.task->memory_bytes;
  return used <= pool.memory_bytes;
}

}  // namespace

int threads_of_next(const Pool& pool, std::size_t left) {
  if (pool.threads > 0) return pool.threads;
  const auto beside = static_cast<int>(std::min<std::size_t>(left, static_cast<std::size_t>(std::max(pool.jobs, 1))));
  return std::max(1, pool.cores / std::max(beside, 1));
}

bool run_tasks(const std::vector<Task>& tasks, const Pool& pool, const ExecutorHooks& hooks,
               const std::atomic<bool>& interrupt) {
  using namespace std::chrono_literals;
  std::list<Running> running;
  std::size_t next = 0;
  bool asked = false;
  auto ticked = std::chrono::steady_clock::now() - 1s;
  while (next < tasks.size() || !running.empty()) {
    if (interrupt.load() && !asked) {
      asked = true;
      next = tasks.size();
      for (const Running& one : running) one.process.signal(SIGTERM);
    }
    while (next < tasks.size() && running.size() < static_cast<std::size_t>(pool.jobs) &&
           fits(pool, running, tasks[next])) {
      const Task& task = tasks[next];
      const std::size_t left = running.size() + tasks.size() - next;
      ++next;
      const std::string device = free_device(pool, running);
      try {
        hooks.on_start(task);
        const Command command = hooks.command(task, threads_of_next(pool, left), device);
        running.emplace_back(task, device, command);
      } catch (const InputError& error) {
        hooks.on_end(task, {127, 0.0, error.what()}, false);
      }
    }
    bool changed = false;
    for (auto at = running.begin(); at != running.end();) {
      const std::optional<ChildExit> exit = at->process.ended();
      if (!exit) {
        ++at;
        continue;
      }
      const Task& task = *at->task;
      at = running.erase(at);
      hooks.on_end(task, *exit, asked);
      changed = true;
    }
    const auto now = std::chrono::steady_clock::now();
    if (changed || now - ticked >= 200ms) {
      hooks.on_tick(running.size());
      ticked = now;
    }
    if (!changed && !running.empty()) std::this_thread::sleep_for(5ms);
  }
  return !asked;
}

}  // namespace splitsim
