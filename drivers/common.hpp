// What the drivers share: errors become one line and an exit code, devices are chosen here and nowhere below, Ctrl-C is
// a flag.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "drivers/command_line.hpp"
#include "kernels/device/context.hpp"
#include "kernels/device/machine.hpp"

namespace splitsim {

/// Prints to stdout. Text that cannot be written is remembered, and what the program does goes on: run_driver() reports
/// it in the end.
void say_text(const std::string& text);
template <class... T>
void say(fmt::format_string<T...> format, T&&... values) {
  say_text(fmt::format(format, std::forward<T>(values)...));
}
void flush_output();

/// Runs a driver and gives its exit code. Whatever escapes `body` becomes one line on stderr, "program: message", and
/// the code of its Error, 1 for anything else. Output that could not be written is an error too, exit code 1; a pipe
/// that nobody reads any more needs no message.
int run_driver(const std::string& program, const std::function<int()>& body);

/// Parses the command line. True: go on. False: --help, --version and their like have been answered. Errors: InputError.
bool parse_arguments(CLI::App& app, int argc, char** argv, const Manual& manual = {});

/// --set takes all that follows it, maybe also the config file: moves that to `config_file` if it is still empty.
void take_config_file(std::vector<std::string>& overrides, std::string& config_file);

/// Makes a folder and its parents if it is not there. Errors: InputError.
void make_folder(const std::string& path);

/// Adds --device and --threads.
struct DeviceOptions {
  std::string device = "auto";
  int threads = 0;
  void add_to(CLI::App& app);
};

/// Whether to use the GPU. Errors: NoDevice if the user insists on a GPU and there is none.
bool use_cuda(const DeviceOptions& options);

/// Calls f(context) with the backend that the options choose. `threads` is the team of host code on either backend.
template <class F>
auto with_context(const DeviceOptions& options, F f) {
  if (use_cuda(options)) {
#if SPLITSIM_WITH_CUDA
    claim_threads(options.threads);
    CudaContext ctx;
    return f(ctx);
#endif
  }
  CpuContext ctx(options.threads);
  return f(ctx);
}

/// Call before any other thread is made. Gives SIGINT, SIGTERM and SIGHUP to a thread of their own: oneDNN's kernels use the
/// stack pointer as an ordinary register, so a handler that interrupts one of them writes its frame into the heap.
void watch_interrupts();

/// Needs watch_interrupts(). From here on the first of them sets the flag, a second one ends the process as
/// usual.
const std::atomic<bool>& catch_interrupts();

/// Of an option that is "auto" (0) or a number from 1 to 9999. Errors: InputError.
int number_or_auto(const char* option, const std::string& text);

}  // namespace splitsim
