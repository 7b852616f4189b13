// A child process that cannot outlive this one: its own process group, no signals of the terminal, output into a file.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace splitsim {

struct Command {
  std::vector<std::string> arguments = {};                            ///< the program's path first
  std::vector<std::pair<std::string, std::string>> environment = {};  ///< beside what this process has
  std::string output = {};  ///< file that stdout and stderr are added to; empty: thrown away
};

struct ChildExit {
  int code = 0;            ///< of exit(); of a signal 128 + it
  double seconds = 0.0;    ///< of wall time
  std::string error = {};  ///< one line: the program's last "name: message", or what the signal was; empty for code 0
};

class ChildProcess {
 public:
  /// Starts it. The kernel kills the child when the calling thread ends (PR_SET_PDEATHSIG), so start children from a
  /// thread that lasts as long as the process. Errors: InputError if the program cannot be started or the output cannot
  /// be written.
  explicit ChildProcess(const Command& command);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();  ///< kills it if it still runs

  /// Whether it has ended, and how. Does not wait.
  std::optional<ChildExit> ended();
  void signal(int number) const;
  pid_t pid() const { return pid_; }

 private:
  std::string output_;
  std::string program_;           // its name, as its messages begin
  std::int64_t output_from_ = 0;  // bytes that were there before
  std::chrono::steady_clock::time_point began_;
  pid_t pid_ = -1;
};

/// The last line "name: message" of a text that is no warning, without the name; empty if there is none.
std::string last_message(const std::string& text, const std::string& name);

/// The path of an executable that is installed beside this one.
std::string program_beside(const std::string& name);

}  // namespace splitsim
