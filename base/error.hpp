// Typed errors, sorted by what the caller can still do. Every driver maps an Error to one line on stderr and
// `exit_code()`; anything else that escapes is an internal error (exit 1).
#pragma once

#include <stdexcept>
#include <string>

namespace splitsim {

/// Text that may quote what somebody else wrote, as one line that leaves a terminal alone: control characters become
/// blanks.
inline std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return text;
}

/// Process exit codes: 0 success, 1 internal error, 2 bad input, 3 no GPU, 4 diverged, 130 interrupted.
class Error : public std::runtime_error {
 public:
  Error(int exit_code, const std::string& message) : std::runtime_error(one_line(message)), exit_code_(exit_code) {}
  int exit_code() const noexcept { return exit_code_; }

 private:
  int exit_code_;
};

/// A mistake in the input: a key, a value, a file. The message is one line naming it, its value and what is allowed.
class InputError : public Error {
 public:
  explicit InputError(const std::string& message) : Error(2, message) {}
};

/// The experiment needs more memory than there is; thrown before the run starts, with the planned bytes.
class OutOfMemory : public Error {
 public:
  explicit OutOfMemory(const std::string& message) : Error(2, message) {}
};

/// The CUDA backend was asked for, but there is no usable GPU or this build has no CUDA backend.
class NoDevice : public Error {
 public:
  explicit NoDevice(const std::string& message) : Error(3, message) {}
};

/// A loss became non-finite and the run was told to stop on that.
class Diverged : public Error {
 public:
  explicit Diverged(const std::string& message) : Error(4, message) {}
};

/// The run was interrupted (SIGINT, SIGTERM, SIGHUP) after its state had been saved.
class Interrupted : public Error {
 public:
  explicit Interrupted(const std::string& message) : Error(130, message) {}
};

/// A library or driver call failed; nothing the user typed can be blamed.
class BackendError : public Error {
 public:
  explicit BackendError(const std::string& message) : Error(1, message) {}
};

}  // namespace splitsim
