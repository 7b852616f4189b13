#include "profiling/kernel_times.hpp"

#include <cxxabi.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>

namespace splitsim::bench {

namespace {

void erase_all(std::string& text, const std::string& part) {
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at)) text.erase(at, part.size());
}

/// Nanoseconds that at least one of them covers. Sorts them by start.
std::uint64_t covered(std::vector<DeviceActivity>& activities) {
  std::sort(activities.begin(), activities.end(),
            [](const DeviceActivity& a, const DeviceActivity& b) { return a.start_ns < b.start_ns; });
  std::uint64_t sum = 0, until = 0;
  for (const DeviceActivity& a : activities) {
    const std::uint64_t from = std::max(a.start_ns, until);
    if (a.end_ns > from) sum += a.end_ns - from;
    until = std::max(until, a.end_ns);
  }
  return sum;
}

}  // namespace

std::string short_name(const std::string& mangled) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> plain(abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status),
                                                     std::free);
  std::string name = status == 0 ? plain.get() : mangled;
  for (const char* part : {"(anonymous namespace)::", "splitsim::", "detail::", "implicit_gemm::"})
    erase_all(name, part);
  if (name.starts_with("void ")) name.erase(0, 5);
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    depth += (name[i] == '<') - (name[i] == '>');
    if (name[i] == '(' && depth == 0) {
      name.resize(i);
      break;
    }
  }
  return name;
}

ActivityTable summarise(std::vector<DeviceActivity> activities) {
  ActivityTable table;
  std::map<std::string, ActivityTable::Row> rows;
  for (const DeviceActivity& a : activities) {
    ActivityTable::Row& row = rows[a.name];
    row.launches += 1;
    row.total_us += static_cast<double>(a.end_ns - a.start_ns) * 1e-3;
    row.bytes += a.bytes;
  }
  for (auto& [name, row] : rows) {
    row.name = short_name(name);
    table.launches += row.launches;
    table.rows.push_back(std::move(row));
  }
  std::stable_sort(table.rows.begin(), table.rows.end(),
                   [](const auto& a, const auto& b) { return a.total_us > b.total_us; });
  if (std::any_of(activities.begin(), activities.end(), [](const DeviceActivity& a) { return a.in_graph; })) {
    std::erase_if(activities, [](const DeviceActivity& a) { return !a.in_graph; });
  }
  if (activities.empty()) return table;
  table.busy_us = static_cast<double>(covered(activities)) * 1e-3;
  std::uint64_t end = 0;
  for (const DeviceActivity& a : activities) end = std::max(end, a.end_ns);
  table.span_us = static_cast<double>(end - activities.front().start_ns) * 1e-3;
  return table;
}

std::string to_text(const ActivityTable& table, std::size_t most) {
  double total = 0.0;
  for (const auto& row : table.rows) total += row.total_us;
  std::string text = fmt::format("{} launches, {:.1f} us in sum; captured steps span {:.1f} us, {:.2f} % of it idle\n",
                                 table.launches, total, table.span_us, 100.0 * table.idle_share());
  text += fmt::format("{:>12} {:>7} {:>9} {:>10} {:>10}  {}\n", "us", "share", "launches", "us each", "MB", "what");
  for (std::size_t i = 0; i < std::min(most, table.rows.size()); ++i) {
    const auto& row = table.rows[i];
    text += fmt::format("{:12.1f} {:6.1f}% {:9} {:10.2f} {:>10}  {:.64}\n", row.total_us,
                        total > 0.0 ? 100.0 * row.total_us / total : 0.0, row.launches,
                        row.total_us / static_cast<double>(row.launches),
                        row.bytes > 0 ? fmt::format("{:.2f}", static_cast<double>(row.bytes) * 1e-6) : "", row.name);
  }
  if (table.rows.size() > most) text += fmt::format("{} more\n", table.rows.size() - most);
  return text;
}

}  // namespace splitsim::bench
