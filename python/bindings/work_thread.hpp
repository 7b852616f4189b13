// Long work beside Python. The work runs on a thread of its own while the caller waits without the interpreter's lock, so
// that other threads of Python go on. Whatever is Python's is done by the caller: signals (Ctrl-C), progress, and what the
// work asks Python for. The work's threads take no signals: oneDNN's kernels use the stack pointer as an ordinary
// register, so a handler that interrupts one of them writes its frame into the heap (drivers/common.hpp).
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>

namespace splitsim::python {

class WorkThread {
 public:
  /// Runs `work` and returns when it has ended. `attend` is called by the caller, with the interpreter's lock, about
  /// twenty times a second and once at the end. What `work` throws is thrown here; a Python error of `attend`, of a
  /// signal's handler or of ask() sets interrupt() and is thrown once `work` has ended, before what that has thrown.
  void run(const std::function<void()>& work, const std::function<void()>& attend = {});

  /// For the work, on any of its threads: the caller does `task` with the interpreter's lock; waits for it. Throws what
  /// `task` throws; for a Python error Refused, and so from then on without a call.
  void ask(const std::function<void()>& task);
  struct Refused {};  ///< the caller knows why

  /// Becomes true when the work shall end early.
  const std::atomic<bool>& interrupt() const { return interrupt_; }

 private:
  struct Request {
    const std::function<void()>* task;
    std::exception_ptr error;
    bool refused = false, done = false;
  };
  void wait(const std::function<void()>& attend);
  void answer(Request& request);
  void attend_now(const std::function<void()>& attend);
  void keep(nanobind::python_error& error);

  std::mutex mutex_;
  std::condition_variable changed_;
  Request* request_ = nullptr;
  bool ended_ = false;
  std::atomic<bool> interrupt_{false};
  std::optional<nanobind::python_error> raised_;  // touched by the caller only
};

}  // namespace splitsim::python
