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
  std::vector<double> gflops;                 ///< [K]

  /// Of the columns that are there: which they are, K and their values. The same for every spelling of the file.
  std::string sha256() const;
};

/// Columns by where their values go.
using TraceColumns = std::vector<std::vector<double> Trace::*>;

/// Reads the columns asked for from a CSV file; the others are left empty. Its first line names its columns, of client,
/// compute_ms_per_sample, up_mbps, down_mbps, delay_ms, gflops, in any order; `client` and those asked for must be
/// there, and the cells of others are not looked at. Every other line is a client, in any order. A UTF-8 byte order
/// mark, line ends of any system, cells in double quotes and blanks around cells are understood; blank lines and lines
/// that start with '#' are skipped. Rows of clients >= `clients` are checked and ignored with one warning, so that one
/// trace serves experiments of any smaller size. Errors: InputError "FILE:LINE: ..." (from 1) for a column missing
/// (names the key that reads it), unknown or repeated, a missing or extra cell, a cell that is not a number of its
/// range (times >= 0, speeds > 0), a client twice, a NUL byte, a line of 2^24 characters; InputError naming the file if
/// it cannot be read or a client in [0, clients) has no row.
Trace load_trace(const std::string& path, std::int32_t clients, const TraceColumns& columns);

}  // namespace splitsim
