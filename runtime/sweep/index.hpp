// index.csv: one row per run, in the order of the sweep.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "runtime/sweep/run_state.hpp"
#include "runtime/sweep/sweep.hpp"

namespace splitsim {

/// Every scalar of a summary.json by its dotted name, in the order of the file, lists left out; null is "". Errors:
/// InputError.
std::vector<std::pair<std::string, std::string>> summary_scalars(const std::string& path);

/// Columns: run, status, error, one per axis, config_sha256, then the scalars of the summaries of completed and diverged
/// runs, in the order in which the first rows have them; without those whose name is taken already. Cells are quoted
/// where CSV (RFC 4180) needs it.
class Index {
 public:
  Index(const Sweep& sweep, const SweepFiles& files) : sweep_(sweep), files_(files), rows_(sweep.runs.size()) {}

  /// Takes over how a run stands; reads its summary if it is a result.
  void set(std::size_t run, const RunStanding& standing);
  std::string csv() const;
  void write() const;

 private:
  struct Row {
    std::string status, error;
    std::vector<std::pair<std::string, std::string>> scalars;
  };
  const Sweep& sweep_;
  const SweepFiles& files_;
  std::vector<Row> rows_;
};

}  // namespace splitsim
