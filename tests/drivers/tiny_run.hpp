// What the tests of splitsim-run share: a tiny data set, its arguments, and what a refusal looks like.
#pragma once

#include <nlohmann/json.hpp>
#include <map>
#include <set>

#include "base/npy.hpp"
#include "tests/drivers/process.hpp"

namespace splitsim::test {

namespace fs = std::filesystem;

/// splitsim-run on a set so small that an epoch takes milliseconds.
class TinyRun : public CommandLine {
 protected:
  // 240 + 60 images of 6x6 in three classes, and a mlp: an epoch takes milliseconds.
  std::string tiny_data(const std::string& name = "data") {
    const std::string dir = in_folder(name);
    fs::create_directories(dir);
    const auto write = [&dir](const std::string& suffix, std::int64_t count) {
      NpyArray<std::uint8_t> x{{count, 6, 6}, {}};
      NpyArray<std::int32_t> y{{count}, {}};
      for (std::int64_t i = 0; i < count; ++i) {
        y.values.push_back(static_cast<std::int32_t>(i % 3));
        for (int j = 0; j < 36; ++j) x.values.push_back(static_cast<std::uint8_t>(j % 3 == i % 3 ? 200 : (i * j) % 60));
      }
      write_npy(dir + "/x" + suffix + ".npy", x);
      write_npy(dir + "/y" + suffix + ".npy", y);
    };
    write("", 240);
    write("_test", 60);
    return dir;
  }
  std::vector<std::string> tiny(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"--device",      "cpu",   "--set",
                                          "data.name=npy", "--set", "data.dir=" + tiny_data()};
    for (const char* text : {"model.name=mlp", "model.cut=fc1", "partition.kind=iid", "partition.clients=6",
                             "sampler.batch=24", "train.epochs=3"}) {
      arguments.insert(arguments.end(), {"--set", text});
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::set<std::string> files_in(const std::string& dir) const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir)) names.insert(entry.path().filename().string());
    return names;
  }
  nlohmann::json summary_of(const std::string& dir) const {
    return nlohmann::json::parse(slurp(dir + "/summary.json"));
  }

  // The command fails with this code and one line that has all the parts, and makes no run directory.
  void expect_refused(std::vector<std::string> arguments, int exit_code, const std::vector<std::string>& parts) {
    const std::string out = in_folder("new/run");
    if (std::find(arguments.begin(), arguments.end(), "--out") == arguments.end() &&
        std::find(arguments.begin(), arguments.end(), "--resume") == arguments.end()) {
      arguments.insert(arguments.end(), {"--out", out});
    }
    const Result result = execute("splitsim-run", arguments);
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_EQ(result.error_lines(), 1) << result.err;
    EXPECT_EQ(result.err.find("splitsim-run: "), 0u) << result.err;
    for (const std::string& part : parts) {
      EXPECT_NE(result.err.find(part), std::string::npos) << "no \"" << part << "\" in: " << result.err;
    }
    EXPECT_FALSE(fs::exists(in_folder("new"))) << result.err;
  }
};

}  // namespace splitsim::test
