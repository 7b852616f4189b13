#include "runtime/sweep/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.hpp"
#include "base/stopwatch.hpp"

extern char** environ;

namespace splitsim {

namespace {

// What the child's side of fork() needs, made before it: there nothing may allocate.
struct Prepared {
  std::vector<std::string> words;
  std::vector<char*> pointers;

  explicit Prepared(std::vector<std::string> texts) : words(std::move(texts)) {
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
  }
};

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& more) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry, name = text.substr(0, text.find('='));
    bool replaced = false;
    for (const auto& [key, value] : more) replaced = replaced || key == name;
    if (!replaced) all.push_back(text);
  }
  for (const auto& [key, value] : more) all.push_back(key + "=" + value);
  return all;
}

std::string text_from(const std::string& path, std::int64_t from) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(0, std::ios::end);
  constexpr std::int64_t kMost = 64 * 1024;  // the last words are enough
  const auto end = static_cast<std::int64_t>(file.tellg());
  file.seekg(std::max(from, end - kMost));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

ChildProcess::ChildProcess(const Command& command)
    : output_(command.output),
      program_(std::filesystem::path(command.arguments.front()).filename().string()),
      began_(std::chrono::steady_clock::now()) {
  const std::string path = output_.empty() ? "/dev/null" : output_;
  const int out = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (out < 0) throw InputError(fmt::format("cannot open '{}': {}", path, std::strerror(errno)));
  output_from_ = static_cast<std::int64_t>(::lseek(out, 0, SEEK_END));
  const int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  int failure[2] = {-1, -1};  // closed by a successful exec()
  if (in < 0 || ::pipe2(failure, O_CLOEXEC) != 0) {
    const int reason = errno;
    ::close(out);
    if (in >= 0) ::close(in);
    throw InputError(fmt::format("cannot start '{}': {}", command.arguments.front(), std::strerror(reason)));
  }
  Prepared arguments(command.arguments), environment(environment_with(command.environment));
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);  // it died in between
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::dup2(in, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::execve(arguments.pointers[0], arguments.pointers.data(), environment.pointers.data());
    const int reason = errno;
    static_cast<void>(!::write(failure[1], &reason, sizeof reason));
    ::_exit(127);
  }
  int reason = pid_ < 0 ? errno : 0;
  ::close(out);
  ::close(in);
  ::close(failure[1]);
  if (pid_ > 0) {
    ::setpgid(pid_, pid_);  // here as well: who comes first
    ssize_t got = 0;
    do got = ::read(failure[0], &reason, sizeof reason);
    while (got < 0 && errno == EINTR);
    if (got != static_cast<ssize_t>(sizeof reason)) reason = 0;
  }
  ::close(failure[0]);
  if (reason == 0) return;
  if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
  throw InputError(fmt::format("cannot start '{}': {}", command.arguments.front(), std::strerror(reason)));
}

ChildProcess::~ChildProcess() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::optional<ChildExit> ChildProcess::ended() {
  int status = 0;
  if (pid_ <= 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) return {};
  pid_ = -1;
  ChildExit exit{WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), seconds_since(began_)};
  if (WIFSIGNALED(status)) {
    exit.error = fmt::format("killed by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  } else if (exit.code != 0) {
    exit.error = output_.empty() ? "" : last_message(text_from(output_, output_from_), program_);
    if (exit.error.empty()) exit.error = fmt::format("ended with exit code {}", exit.code);
  }
  return exit;
}

void ChildProcess::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

std::string last_message(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  std::string found;
  const std::string start = name + ": ";
  for (std::string line; std::getline(lines, line);) {
    const std::size_t at = line.rfind('\r') == std::string::npos ? 0 : line.rfind('\r') + 1;
    line = line.substr(at);
    if (line.starts_with(start) && !line.starts_with(start + "warning: ")) found = line.substr(start.size());
  }
  return one_line(found);
}

std::string program_beside(const std::string& name) {
  std::error_code error;
  const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) throw InputError(fmt::format("cannot find {}: /proc/self/exe: {}", name, error.message()));
  const std::filesystem::path path = own.parent_path() / name;
  if (!std::filesystem::exists(path, error)) {
    throw InputError(fmt::format("cannot find '{}': it belongs beside this program", path.string()));
  }
  return path.string();
}

}  // namespace splitsim
