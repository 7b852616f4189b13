#include "base/report.hpp"

#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <set>

#include "base/error.hpp"

namespace splitsim {

namespace {

std::mutex mutex;

std::string& program_name() {
  static std::string name = "splitsim";
  return name;
}

std::set<std::string>& warnings() {
  static std::set<std::string> texts;
  return texts;
}

// Not through stdio: a stream that failed once keeps its error, and flushing it at exit would try again.
void write_stderr(std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = ::write(STDERR_FILENO, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
}

}  // namespace

void set_program_name(const std::string& name) {
  const std::lock_guard lock(mutex);
  program_name() = name;
}

void report_line(std::string_view message) noexcept try {
  const std::lock_guard lock(mutex);
  write_stderr(one_line(program_name() + ": " + std::string(message)) + '\n');
} catch (...) {
}

void warn(const std::string& message) noexcept try {
  {
    const std::lock_guard lock(mutex);
    if (!warnings().insert(message).second) return;
  }
  report_line("warning: " + message);
} catch (...) {
}

std::size_t warning_count() noexcept {
  const std::lock_guard lock(mutex);
  return warnings().size();
}

}  // namespace splitsim
