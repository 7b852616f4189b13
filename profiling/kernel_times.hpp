// What a GPU did while a run trained: kernels, copies and fills with their times, as CUPTI's activity records tell. Needs
// libcupti.so.13 (a part of the toolkit, loaded at run time) and no profiler.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/device/context.hpp"
#include "runtime/config/config.hpp"

namespace splitsim::bench {

struct DeviceActivity {
  std::string name;  ///< a kernel's mangled one, or "copy", "fill"
  std::uint64_t start_ns = 0, end_ns = 0;
  std::uint64_t bytes = 0;  ///< of copies and fills
  bool in_graph = false;
};

struct ActivityTable {
  struct Row {
    std::string name;
    std::int64_t launches = 0;
    double total_us = 0.0;
    std::uint64_t bytes = 0;
  };
  std::vector<Row> rows;  ///< by total time, the longest first
  std::int64_t launches = 0;
  double span_us = 0.0;  ///< from the first start to the last end of what ran in graphs, or of all if nothing did
  double busy_us = 0.0;  ///< of it, some activity was running
  double idle_share() const { return span_us > 0.0 ? 1.0 - busy_us / span_us : 0.0; }
};

ActivityTable summarise(std::vector<DeviceActivity> activities);
/// Of the `most` longest, in lines of at most 120 characters.
std::string to_text(const ActivityTable& table, std::size_t most);
/// A kernel's name as people read it: the functor, without namespaces and parameters.
std::string short_name(const std::string& mangled);

/// Trains the config and prints the table. Errors: BackendError where CUPTI is not at hand or may not record.
void kernel_times(CudaContext& ctx, const Config& config);

}  // namespace splitsim::bench
