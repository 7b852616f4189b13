#include "samplers/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <string_view>

#include "kernels/device/error.hpp"
#include "samplers/hash.hpp"

namespace splitsim {

namespace {

constexpr std::array<const char*, 5> kColumns = {"client", "compute_ms_per_sample", "up_mbps", "down_mbps", "delay_ms"};

struct Cell {
  std::string_view text;
  std::size_t column;  // of its first character, from 1
};

std::vector<Cell> split(std::string_view line) {
  std::vector<Cell> cells;
  for (std::size_t first = 0;;) {
    const std::size_t comma = std::min(line.find(',', first), line.size());
    const std::size_t begin = std::min(line.find_first_not_of(" \t", first), comma);
    std::size_t end = comma;
    while (end > begin && (line[end - 1] == ' ' || line[end - 1] == '\t')) --end;
    cells.push_back({line.substr(begin, end - begin), begin + 1});
    if (comma == line.size()) return cells;
    first = comma + 1;
  }
}

class TraceReader {
 public:
  TraceReader(const std::string& path, std::int32_t clients)
      : path_(path), clients_(clients), seen_(static_cast<std::size_t>(clients), 0) {
    for (std::vector<double>* values :
         {&trace_.compute_ms_per_sample, &trace_.up_mbps, &trace_.down_mbps, &trace_.delay_ms}) {
      values->resize(static_cast<std::size_t>(clients));
    }
  }

  Trace read() {
    std::ifstream file(path_);
    if (!file) throw InputError(fmt::format("clock.trace_file = \"{}\": cannot be opened", path_));
    bool have_header = false;
    for (std::string line; std::getline(file, line);) {
      ++line_;
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (line.find_first_not_of(" \t") == std::string::npos || line.front() == '#') continue;
      have_header ? read_row(line) : read_header(line);
      have_header = true;
    }
    if (file.bad()) throw InputError(fmt::format("clock.trace_file = \"{}\": cannot be read", path_));
    if (!have_header)
      throw InputError(fmt::format("{}: empty: must start with the line {}", path_, fmt::join(kColumns, ",")));
    const auto missing = std::find(seen_.begin(), seen_.end(), 0);
    if (missing != seen_.end()) {
      throw InputError(fmt::format("{}: no row for client {}: clients 0..{} must all be there", path_,
                                   missing - seen_.begin(), clients_ - 1));
    }
    return std::move(trace_);
  }

 private:
  [[noreturn]] void fail(std::size_t column, const std::string& message) const {
    throw InputError(fmt::format("{}:{}:{}: {}", path_, line_, column, message));
  }

  void read_header(std::string_view line) {
    for (const Cell& cell : split(line)) {
      const auto found = std::find(kColumns.begin(), kColumns.end(), cell.text);
      const auto index = static_cast<std::size_t>(found - kColumns.begin());
      if (found == kColumns.end()) {
        fail(cell.column,
             fmt::format("unknown column \"{}\": the columns are {}", cell.text, fmt::join(kColumns, ", ")));
      }
      if (std::find(order_.begin(), order_.end(), index) != order_.end()) {
        fail(cell.column, fmt::format("column \"{}\" appears twice", cell.text));
      }
      order_.push_back(index);
    }
    for (std::size_t index = 0; index < kColumns.size(); ++index) {
      if (std::find(order_.begin(), order_.end(), index) == order_.end()) {
        fail(line.size() + 1, fmt::format("column \"{}\" is missing", kColumns[index]));
      }
    }
  }

  void read_row(std::string_view line) {
    const std::vector<Cell> cells = split(line);
    if (cells.size() < order_.size()) {
      fail(line.size() + 1, fmt::format("{} cells: must be {}", cells.size(), order_.size()));
    }
    if (cells.size() > order_.size()) {
      fail(cells[order_.size()].column, fmt::format("{} cells: must be {}", cells.size(), order_.size()));
    }
    std::array<double, kColumns.size()> values{};
    std::int32_t client = 0;
    std::size_t client_column = 0;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (order_[i] == 0) {
        client = parse<std::int32_t>(cells[i], "a client number >= 0", [](std::int32_t k) { return k >= 0; });
        client_column = cells[i].column;
      } else if (order_[i] == 2 || order_[i] == 3) {
        values[order_[i]] =
            parse<double>(cells[i], "a finite number > 0", [](double x) { return std::isfinite(x) && x > 0; });
      } else {
        values[order_[i]] =
            parse<double>(cells[i], "a finite number >= 0", [](double x) { return std::isfinite(x) && x >= 0; });
      }
    }
    if (client >= clients_) return;
    const auto k = static_cast<std::size_t>(client);
    if (seen_[k] != 0) fail(client_column, fmt::format("client {} appears twice (first in line {})", client, seen_[k]));
    seen_[k] = line_;
    trace_.compute_ms_per_sample[k] = values[1];
    trace_.up_mbps[k] = values[2];
    trace_.down_mbps[k] = values[3];
    trace_.delay_ms[k] = values[4];
  }

  template <class T, class Allowed>
  T parse(const Cell& cell, const char* what, Allowed allowed) const {
    T value{};
    const char* end = cell.text.data() + cell.text.size();
    const auto [stop, status] = std::from_chars(cell.text.data(), end, value);
    if (status != std::errc() || stop != end || !allowed(value)) {
      fail(cell.column, fmt::format("\"{}\": must be {}", cell.text, what));
    }
    return value;
  }

  const std::string& path_;
  std::int32_t clients_;
  std::int64_t line_ = 0;
  std::vector<std::size_t> order_;  // position in a row -> index into kColumns
  std::vector<std::int64_t> seen_;  // line of each client's row, 0: none yet
  Trace trace_;
};

}  // namespace

std::string Trace::sha256() const {
  Sha256 hash;
  for (const std::vector<double>* values : {&compute_ms_per_sample, &up_mbps, &down_mbps, &delay_ms}) {
    const auto count = static_cast<std::int64_t>(values->size());
    hash.add(&count, sizeof count);
    hash.add(*values);
  }
  return hash.hex();
}

Trace load_trace(const std::string& path, std::int32_t clients, const TraceColumns& columns) {
  Trace all = TraceReader(path, clients).read(), trace;
  for (const auto column : columns) trace.*column = std::move(all.*column);
  return trace;
}

}  // namespace splitsim
