// Runs executables under faults that failing_io.cpp makes, and compares what they leave behind.
#pragma once

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/npy.hpp"
#include "tests/drivers/process.hpp"
#include "tests/paths.hpp"

namespace splitsim::test {

/// What failing_io.cpp is told; its comment explains the fields.
struct Fault {
  std::string under;
  std::string action = "none";
  long at = 0;
  int error = 0;
  bool sticky = false, short_writes = false, reads = false;
  long sleep_us = 0;
};

/// The files of a folder, those that differ from run to run by nothing but wall time made equal. Names are relative.
using Contents = std::map<std::string, std::string>;

inline bool is_wall_time(const std::string& name) {
  for (const char* part : {"wall", "per_s", "peak_memory"}) {
    if (name.find(part) != std::string::npos) return true;
  }
  return false;
}

inline void drop_wall_times(nlohmann::ordered_json& value) {
  if (value.is_object()) {
    for (auto it = value.begin(); it != value.end();) it = is_wall_time(it.key()) ? value.erase(it) : std::next(it);
  }
  if (value.is_structured()) {
    for (auto& part : value) drop_wall_times(part);
  }
}

/// JSON or lines of JSON without wall times. Text that is no JSON stays as it is.
inline std::string without_wall_times(const std::string& text) {
  const auto clean = [](const std::string& one) {
    auto value = nlohmann::ordered_json::parse(one, nullptr, false);
    if (value.is_discarded()) return one;
    drop_wall_times(value);
    return value.dump();
  };
  if (!nlohmann::ordered_json::parse(text, nullptr, false).is_discarded()) return clean(text);
  std::string lines, line;
  for (std::istringstream stream(text); std::getline(stream, line);) lines += clean(line) + "\n";
  return lines;
}

/// A table without the columns of wall times.
inline std::string csv_without_wall_times(const std::string& text) {
  std::vector<bool> kept;
  std::string lines, line;
  for (std::istringstream stream(text); std::getline(stream, line);) {
    std::string cell;
    std::istringstream cells(line);
    const bool header = kept.empty();
    for (std::size_t i = 0; std::getline(cells, cell, ','); ++i) {
      if (header) kept.push_back(!is_wall_time(cell));
      if (i >= kept.size() || kept[i]) lines += cell + ",";
    }
    lines += "\n";
  }
  return lines;
}

inline Contents contents_of(const std::string& folder) {
  namespace fs = std::filesystem;
  Contents contents;
  std::error_code absent;
  for (const auto& entry : fs::recursive_directory_iterator(folder, absent)) {
    if (!entry.is_regular_file() || entry.path().filename() == "run.lock") continue;  // names its last owner
    const std::string name = fs::relative(entry.path(), folder).string();
    if (name == "run.lock") continue;  // which process had the folder
    const std::string extension = entry.path().extension().string();
    const std::string text = slurp(entry.path().string());
    contents[name] = extension == ".json" || extension == ".jsonl" ? without_wall_times(text)
                     : extension == ".csv"                         ? csv_without_wall_times(text)
                                                                   : text;
  }
  return contents;
}

/// Fails for every file that is in one only or differs.
inline void expect_same(const Contents& found, const Contents& wanted, const std::string& context) {
  for (const auto& [name, text] : wanted) {
    const auto other = found.find(name);
    if (other == found.end()) {
      ADD_FAILURE() << context << ": no " << name;
    } else if (other->second != text) {
      ADD_FAILURE() << context << ": " << name << " differs" << (text.size() > 2000 ? "" : ":\n" + text + "\nfound:\n")
                    << (text.size() > 2000 ? "" : other->second);
    }
  }
  for (const auto& [name, text] : found) {
    if (!wanted.contains(name)) ADD_FAILURE() << context << ": " << name << " is left over";
  }
}

class FaultyProcess : public CommandLine {
 protected:
  struct Faulted : Result {
    long operations = 0;  ///< that the library counted
    std::string hit;      ///< name and file of the one that was hit; empty: none
  };

  void SetUp() override {
    CommandLine::SetUp();
    setenv("OMP_NUM_THREADS", "1", 1);
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 0);
  }

  /// 200 + 40 images of 8x8 in ten classes; an epoch of a small net takes milliseconds.
  std::string tiny_data() {
    const std::string dir = in_folder("data");
    if (std::filesystem::exists(dir)) return dir;
    std::filesystem::create_directories(dir);
    for (const auto& [suffix, count] : {std::pair<std::string, std::int64_t>{"", 200}, {"_test", 40}}) {
      NpyArray<std::uint8_t> x{{count, 8, 8}, {}};
      NpyArray<std::int32_t> y{{count}, {}};
      for (std::int64_t i = 0; i < count; ++i) {
        y.values.push_back(static_cast<std::int32_t>(i % 10));
        for (int j = 0; j < 64; ++j) x.values.push_back(j % 10 == i % 10 ? 200 : (37 * i + 11 * j) % 60);
      }
      write_npy(dir + "/x" + suffix + ".npy", x);
      write_npy(dir + "/y" + suffix + ".npy", y);
    }
    return dir;
  }
  std::vector<std::string> tiny(const std::vector<std::string>& settings, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"--device",      "cpu",   "--set",
                                          "data.name=npy", "--set", "data.dir=" + tiny_data()};
    for (const char* text :
         {"model.name=mlp", "model.cut=fc1", "partition.kind=iid", "partition.clients=4", "sampler.batch=40"}) {
      arguments.insert(arguments.end(), {"--set", text});
    }
    for (const std::string& text : settings) arguments.insert(arguments.end(), {"--set", text});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  /// Starts a program under a fault; end it with finish_in_time().
  pid_t start_under(const Fault& fault, const std::string& program, const std::vector<std::string>& arguments) {
    std::filesystem::remove(in_folder("count"));
    const std::map<std::string, std::string> variables = {{"LD_PRELOAD", kFailingIo},
                                                          {"SPLITSIM_FAULT_UNDER", fault.under},
                                                          {"SPLITSIM_FAULT_AT", std::to_string(fault.at)},
                                                          {"SPLITSIM_FAULT_ACTION", fault.action},
                                                          {"SPLITSIM_FAULT_ERRNO", std::to_string(fault.error)},
                                                          {"SPLITSIM_FAULT_STICKY", fault.sticky ? "1" : "0"},
                                                          {"SPLITSIM_FAULT_SHORT", fault.short_writes ? "1" : "0"},
                                                          {"SPLITSIM_FAULT_SLEEP", std::to_string(fault.sleep_us)},
                                                          {"SPLITSIM_FAULT_READS", fault.reads ? "1" : "0"},
                                                          {"SPLITSIM_FAULT_COUNT", in_folder("count")}};
    for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
    const pid_t pid = start(program, arguments, in_folder("out"));
    for (const auto& [name, value] : variables) unsetenv(name.c_str());
    return pid;
  }

  /// A run that takes longer than a minute hangs.
  Faulted finish_in_time(pid_t pid) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    siginfo_t state{};
    while (waitid(P_PID, static_cast<id_t>(pid), &state, WEXITED | WNOHANG | WNOWAIT) == 0 && state.si_pid == 0) {
      if (std::chrono::steady_clock::now() > end) {
        ADD_FAILURE() << "the program hangs";
        kill(pid, SIGKILL);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    Faulted result{finish(pid), 0, ""};
    const std::string report = slurp(in_folder("count"));
    if (report.size() > sizeof(long)) {
      std::memcpy(&result.operations, report.data(), sizeof(long));
      result.hit = report.c_str() + sizeof(long);
    }
    return result;
  }

  Faulted execute_under(const Fault& fault, const std::string& program, const std::vector<std::string>& arguments) {
    return finish_in_time(start_under(fault, program, arguments));
  }
};

}  // namespace splitsim::test
