// A CSV of latencies for 1 to 8 clients, and which columns are read, by the first byte.
#include <cmath>

#include "samplers/latency/latency_trace.hpp"
#include "tests/fuzz/targets.hpp"

namespace splitsim::fuzz {

void fuzz_trace(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto first = static_cast<unsigned char>(bytes[0]);
  const std::int32_t clients = 1 + first % 8;
  TraceColumns columns;
  int bit = 3;
  for (const auto column : {&Trace::compute_ms_per_sample, &Trace::up_mbps, &Trace::down_mbps, &Trace::delay_ms}) {
    if ((first >> bit++ & 1) != 0) columns.push_back(column);
  }
  const Trace trace = load_trace(scratch_file("trace.csv", bytes.substr(1)), clients, columns);
  for (const auto column : columns) {
    const std::vector<double>& values = trace.*column;
    require(values.size() == static_cast<std::size_t>(clients), "a value for every client");
    const bool is_time = column == &Trace::compute_ms_per_sample || column == &Trace::delay_ms;
    for (const double value : values) {
      require(std::isfinite(value) && (is_time ? value >= 0.0 : value > 0.0), "values are finite and in range");
    }
  }
}

}  // namespace splitsim::fuzz
