// What the tests of splitsim-sweep share: a sweep of tiny runs, and its index without what a clock decides.
#pragma once

#include <signal.h>

#include <set>
#include <sstream>

#include "tests/drivers/resumable_run.hpp"

namespace splitsim::test {

class SweepRuns : public ResumableRun {
 protected:
  /// Two samplers and two seeds of the tiny set, each of `epochs` epochs of milliseconds.
  std::string sweep_file(const std::string& name, int epochs, const std::string& more = "") {
    const std::string path = in_folder(name);
    std::ofstream(path) << "base = \"base.toml\"\n[set]\ntrain.epochs = " << epochs
                        << "\n[grid]\nsampler.kind = [\"ugs\", \"fls\"]\nseed = \"1..2\"\n"
                        << more;
    std::ofstream(in_folder("base.toml"))
        << "[data]\nname = \"npy\"\ndir = \"" << tiny_data() << "\"\n[model]\nname = \"mlp\"\ncut = \"fc1\"\n"
        << "[partition]\nkind = \"iid\"\nclients = 6\n[sampler]\nbatch = 24\n";
    return path;
  }
  Result sweep(const std::vector<std::string>& arguments) const {
    return execute("splitsim-sweep", joined(arguments, {"--device", "cpu", "--no-measure"}));
  }
  pid_t start_sweep(const std::vector<std::string>& arguments) const {
    return start("splitsim-sweep", joined(arguments, {"--device", "cpu", "--no-measure"}), in_folder("out"));
  }
  using Table = std::vector<std::map<std::string, std::string>>;
  /// Cells of these files hold no commas but in errors, which are the last thing looked for.
  static Table index_of(const std::string& dir) {
    std::istringstream lines(slurp(dir + "/index.csv"));
    std::vector<std::string> names;
    Table rows;
    for (std::string line; std::getline(lines, line);) {
      std::vector<std::string> cells(1);
      bool quoted = false;
      for (const char c : line) {
        if (c == '"') {
          quoted = !quoted;
        } else if (c == ',' && !quoted) {
          cells.emplace_back();
        } else {
          cells.back() += c;
        }
      }
      if (names.empty()) {
        names = cells;
        continue;
      }
      EXPECT_EQ(cells.size(), names.size()) << line;
      auto& row = rows.emplace_back();
      for (std::size_t i = 0; i < names.size(); ++i) row[names[i]] = cells[i];
    }
    return rows;
  }
  /// The index but for the columns that wall time decides.
  static Table lasting(const std::string& dir) {
    Table rows = index_of(dir);
    for (auto& row : rows) {
      for (const char* column : {"wall_time_s", "train_samples_per_s"}) row.erase(column);
    }
    return rows;
  }
  static std::vector<std::string> column(const Table& rows, const std::string& name) {
    std::vector<std::string> cells;
    for (const auto& row : rows) cells.push_back(row.count(name) != 0 ? row.at(name) : "no such column");
    return cells;
  }
  static int lines_in(const std::string& path) {
    const std::string text = slurp(path);
    return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  }
  /// Epochs that the processes of a run have reported, those trained twice counted twice.
  static int epochs_trained(const std::string& dir, const std::string& run) {
    std::istringstream lines(slurp(dir + "/logs/" + run + ".log"));
    int epochs = 0;
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string first, second;
      words >> first >> second;
      const auto number = [](const std::string& word) {
        return !word.empty() && word.find_first_not_of("0123456789") == std::string::npos;
      };
      if (number(first) && number(second)) ++epochs;
    }
    return epochs;
  }
};

}  // namespace splitsim::test
