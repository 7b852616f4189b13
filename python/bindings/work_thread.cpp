#include "python/bindings/work_thread.hpp"

#include <chrono>
#include <csignal>
#include <thread>
#include <utility>

namespace splitsim::python {

namespace nb = nanobind;

namespace {

constexpr std::chrono::milliseconds kAttend{50};

/// Threads made while this lives take no signals but those of their own mistakes.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t signals;
    sigfillset(&signals);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&signals, own);
    pthread_sigmask(SIG_SETMASK, &signals, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

void WorkThread::keep(nb::python_error& error) {
  if (!raised_) raised_.emplace(std::move(error));  // the first one is why
  interrupt_.store(true);
}

void WorkThread::answer(Request& request) {
  const nb::gil_scoped_acquire lock;
  try {
    if (raised_) {
      request.refused = true;
    } else {
      (*request.task)();
    }
  } catch (nb::python_error& error) {
    keep(error);
    request.refused = true;
  } catch (...) {
    request.error = std::current_exception();
  }
}

void WorkThread::attend_now(const std::function<void()>& attend) {
  const nb::gil_scoped_acquire lock;
  try {
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    if (attend && !raised_) attend();
  } catch (nb::python_error& error) {
    keep(error);
  }
}

void WorkThread::wait(const std::function<void()>& attend) {
  std::unique_lock lock(mutex_);
  while (!ended_) {
    changed_.wait_for(lock, kAttend, [this] { return ended_ || request_ != nullptr; });
    Request* request = std::exchange(request_, nullptr);
    lock.unlock();
    if (request != nullptr) {
      answer(*request);
    } else {
      attend_now(attend);
    }
    lock.lock();
    if (request != nullptr) {
      request->done = true;
      changed_.notify_all();
    }
  }
}

void WorkThread::run(const std::function<void()>& work, const std::function<void()>& attend) {
  std::exception_ptr error;
  {
    const nb::gil_scoped_release unlocked;
    std::thread thread;
    {
      const SignalsBlocked blocked;
      thread = std::thread([&] {
        try {
          work();
        } catch (...) {
          error = std::current_exception();
        }
        const std::lock_guard lock(mutex_);
        ended_ = true;
        changed_.notify_all();
      });
    }
    wait(attend);
    thread.join();
  }
  if (raised_) throw nb::python_error(std::move(*raised_));
  if (error) std::rethrow_exception(error);
}

void WorkThread::ask(const std::function<void()>& task) {
  Request request{&task, nullptr};
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return request_ == nullptr; });
    request_ = &request;
    changed_.notify_all();
    changed_.wait(lock, [&request] { return request.done; });
    changed_.notify_all();
  }
  if (request.error) std::rethrow_exception(request.error);
  if (request.refused) throw Refused{};
}

}  // namespace splitsim::python
