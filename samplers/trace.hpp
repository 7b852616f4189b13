// Measured latencies of real devices, from a CSV file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace splitsim {

/// One value per client, in client order.
struct Trace {
  std::vector<double> compute_ms_per_sample;  ///< [K] forward, per sample
  std::vector<double> up_mbps;                ///< [K]
  std::vector<double> down_mbps;              ///< [K]
  std::vector<double> delay_ms;               ///< [K] per participation

  /// Of the columns that are there: which they are, K and their values. The same for every spelling of the file.
  std::string sha256() const;
};

/// Columns by where their values go.
using TraceColumns = std::vector<std::vector<double> Trace::*>;

/// Reads a CSV file whose first line names the columns client, compute_ms_per_sample, up_mbps, down_mbps, delay_ms in
/// any order, and whose other lines hold one client each, in any order. Blank lines and lines that start with '#' are
/// skipped. The other columns than those asked for are left empty. Rows of clients >= `clients` are checked and ignored, so one trace serves experiments of any smaller size.
/// Errors: InputError "FILE:LINE:COLUMN: ..." (line and character column count from 1) for a missing, unknown or
/// repeated column, a missing or extra cell, a cell that is not a number of its range (times >= 0, speeds > 0), a
/// client twice; InputError naming the file if it cannot be read or a client in [0, clients) has no row.
Trace load_trace(const std::string& path, std::int32_t clients, const TraceColumns& columns);

}  // namespace splitsim
