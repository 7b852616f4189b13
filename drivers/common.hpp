// What the drivers share: errors become one line and an exit code, Ctrl-C is a flag.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "drivers/command_line.hpp"
#include "drivers/device.hpp"

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

/// As --device and --threads say.
struct DeviceOptions : DeviceChoice {
  void add_to(CLI::App& app);
};

/// Call before any other thread is made. Gives SIGINT, SIGTERM and SIGHUP to a thread of their own: oneDNN's kernels use the
/// stack pointer as an ordinary register, so a handler that interrupts one of them writes its frame into the heap.
void watch_interrupts();

/// Needs watch_interrupts(). From here on the first of them sets the flag, a second one ends the process as
/// usual.
const std::atomic<bool>& catch_interrupts();

/// Of an option that is "auto" (0) or a number from 1 to 9999. Errors: InputError.
int number_or_auto(const char* option, const std::string& text);

}  // namespace splitsim
