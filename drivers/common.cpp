#include "drivers/common.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>
#include <system_error>
#include <thread>

#include "base/error.hpp"
#include "base/report.hpp"
#include "runtime/config/version.hpp"

namespace splitsim {

namespace {

std::atomic<bool> catching{false}, interrupted{false};

int output_error = 0;  // errno of the first output that could not be written

int complain(const std::string& message, int exit_code) {
  report_line(message);
  return exit_code;
}

}  // namespace

void say_text(const std::string& text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() && output_error == 0) {
    output_error = errno != 0 ? errno : EIO;
  }
}

void flush_output() {
  errno = 0;
  if (std::fflush(stdout) != 0 && output_error == 0) output_error = errno != 0 ? errno : EIO;
}

int run_driver(const std::string& program, const std::function<int()>& body) {
  set_program_name(program);
  try {
    const int exit_code = body();
    flush_output();
    if (output_error == 0) return exit_code;
    if (output_error == EPIPE) return 1;
    return complain(fmt::format("cannot write to standard output: {}", std::strerror(output_error)), 1);
  } catch (const Error& error) {
    return complain(error.what(), error.exit_code());
  } catch (const std::bad_alloc&) {
    return complain("out of host memory", OutOfMemory("").exit_code());
  } catch (const std::filesystem::filesystem_error& error) {
    return complain(fmt::format("'{}': {}", error.path1().string(), error.code().message()), InputError("").exit_code());
  } catch (const std::system_error& error) {  // fmt, when a file cannot be written
    return complain(error.what(), 1);
  } catch (const std::exception& error) {
    return complain(fmt::format("internal error: {}", error.what()), 1);
  } catch (...) {
    return complain("internal error", 1);
  }
}

bool parse_arguments(CLI::App& app, int argc, char** argv, const Manual& manual) {
  app.set_version_flag("--version", fmt::format("{} {} ({})", app.get_name(), version(), git_commit()));
  if (answer_questions(app, argc, argv, manual)) return false;
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& answered) {  // --help, --version
    std::ostringstream text;
    app.exit(answered, text, text);
    say_text(text.str());
    return false;
  } catch (const CLI::ParseError& error) {
    throw InputError(fmt::format("{} (see --help)", error.what()));
  }
  return true;
}

void take_config_file(std::vector<std::string>& overrides, std::string& config_file) {
  for (auto it = overrides.begin(); config_file.empty() && it != overrides.end(); ++it) {
    if (it->find('=') != std::string::npos || !std::filesystem::exists(*it)) continue;
    config_file = *it;
    overrides.erase(it);
    return;
  }
}

void make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw InputError(fmt::format("cannot make folder '{}': {}", path, error.message()));
}

void DeviceOptions::add_to(CLI::App& app) {
  app.add_option("--device", device, "auto takes the GPU if there is one")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->type_name("auto|cpu|cuda")
      ->capture_default_str();
  app.add_option("--threads", threads, "threads of the host code (default: OMP_NUM_THREADS, or the cores that affinity and CPU quota leave)")
      ->check(CLI::Range(1, 4096))
      ->type_name("N");
}

void watch_interrupts() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction now {};
    // What the parent has told us to ignore stays ignored (nohup, jobs in the background of a script): waiting for it
    // would take it all the same.
    if (sigaction(signal, nullptr, &now) == 0 && now.sa_handler != SIG_IGN) sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // threads made from here on inherit this
  std::thread([signals] {
    while (true) {
      int signal = 0;
      if (sigwait(&signals, &signal) != 0) return;
      if (catching.load() && !interrupted.exchange(true)) continue;
      std::signal(signal, SIG_DFL);
      pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
      std::raise(signal);
    }
  }).detach();
}

const std::atomic<bool>& catch_interrupts() {
  catching.store(true);
  return interrupted;
}

int number_or_auto(const char* option, const std::string& text) {
  if (text == "auto") return 0;
  const bool digits = !text.empty() && text.size() < 5 && text.find_first_not_of("0123456789") == std::string::npos;
  const int number = digits ? std::stoi(text) : 0;
  if (number < 1) throw InputError(fmt::format("{} {}: allowed: auto, 1 to 9999", option, text));
  return number;
}

}  // namespace splitsim
