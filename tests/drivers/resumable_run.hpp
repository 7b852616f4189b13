// What the tests of --resume share: a run that is stopped, how to go on with it, and what its folder holds.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

#include "tests/drivers/tiny_run.hpp"

namespace splitsim::test {

/// splitsim-run on the tiny set, stopped and continued.
class ResumableRun : public TinyRun {
 protected:
  static std::vector<std::string> joined(std::vector<std::string> a, const std::vector<std::string>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  }
  // Starts a run and ends it with `signal` once `until` holds.
  Result stopped(const std::vector<std::string>& arguments, int signal, const std::function<bool()>& until) {
    const pid_t pid = start("splitsim-run", arguments, in_folder("out"));
    wait_for(until);
    kill(pid, signal);
    return finish(pid);
  }
  static bool wait_for(const std::function<bool()>& until) {
    for (int i = 0; i < 4000 && !until(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return until();
  }
  static std::function<bool()> has_lines(const std::string& path, int lines) {
    return [=] {
      const std::string text = slurp(path);
      return std::count(text.begin(), text.end(), '\n') >= lines;
    };
  }
  std::vector<std::string> resume(const std::string& dir, const std::vector<std::string>& more = {}) const {
    return joined({"--resume", dir, "--device", "cpu"}, more);
  }
  // Every file of a folder with its content and the time of its last change.
  static std::map<std::string, std::pair<std::string, fs::file_time_type>> state_of(const std::string& dir) {
    std::map<std::string, std::pair<std::string, fs::file_time_type>> state;
    for (const auto& entry : fs::recursive_directory_iterator(dir)) {
      const std::string name = entry.path().filename().string();
      if (entry.is_directory() || name == "run.lock") continue;
      state[entry.path().string()] = {slurp(entry.path().string()), entry.last_write_time()};
    }
    return state;
  }
  static std::vector<std::string> constant_rates() {
    return {"--set", "train.client_optimizer.schedule=constant", "--set", "train.server_optimizer.schedule=constant"};
  }
  void expect_same_results(const std::string& a, const std::string& b) {
    const nlohmann::json one = summary_of(a), two = summary_of(b);
    for (const char* key : {"model_sha256", "schedule_sha256", "timeline_sha256", "partition_sha256", "test_accuracy",
                            "epochs", "virtual_time_s", "inputs", "config_sha256"}) {
      EXPECT_EQ(one.at(key), two.at(key)) << key;
    }
    for (const char* name : {"steps.csv", "clients.csv", "partition.npy", "model.safetensors"}) {
      EXPECT_EQ(slurp(a + "/" + name), slurp(b + "/" + name)) << name;
    }
  }
};

}  // namespace splitsim::test
