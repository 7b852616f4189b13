#include "samplers/latency/latency_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#define CSV_IO_NO_THREAD  // the text is in memory already
#include <csv.h>

#include "base/csv_text.hpp"
#include "base/error.hpp"
#include "base/files.hpp"
#include "base/hash.hpp"
#include "base/report.hpp"

namespace splitsim {

namespace {

struct Column {
  const char* name;
  std::vector<double> Trace::*values;
  const char* key;  // of the quantity that reads it
  bool positive;    // 0 is refused
};

constexpr std::array<Column, 5> kColumns = {{
    {"compute_ms_per_sample", &Trace::compute_ms_per_sample, "clock.compute_ms", false},
    {"up_mbps", &Trace::up_mbps, "clock.uplink_mbps", true},
    {"down_mbps", &Trace::down_mbps, "clock.downlink_mbps", true},
    {"delay_ms", &Trace::delay_ms, "clock.delay_ms", false},
    {"gflops", &Trace::gflops, "clock.client_gflops", true},
}};
constexpr const char* kNames = "client, compute_ms_per_sample, up_mbps, down_mbps, delay_ms, gflops";

using Reader = io::CSVReader<1 + kColumns.size(), io::trim_chars<' ', '\t'>, io::double_quote_escape<',', '"'>,
                             io::throw_on_overflow, io::single_and_empty_line_comment<'#'>>;

class TraceReader {
 public:
  TraceReader(const std::string& path, std::int32_t clients, const TraceColumns& columns)
      : path_(path),
        text_(csv_text("clock.trace_file", path)),
        reader_(path, text_.data(), text_.data() + text_.size()),
        seen_(static_cast<std::size_t>(clients), 0) {
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      needed_[i] = std::find(columns.begin(), columns.end(), kColumns[i].values) != columns.end();
      if (needed_[i]) (trace_.*kColumns[i].values).resize(seen_.size());
    }
  }

  Trace read() {
    try {
      read_header();
      while (read_row()) {
      }
    } catch (const io::error::header_missing&) {
      throw InputError(fmt::format("{}: empty: must start with a line that names its columns, of {}", path_, kNames));
    } catch (const io::error::extra_column_in_header& error) {
      fail(fmt::format("unknown column \"{}\": the columns are {}", error.column_name, kNames));
    } catch (const io::error::duplicated_column_in_header& error) {
      fail(fmt::format("column \"{}\" appears twice", error.column_name));
    } catch (const io::error::too_few_columns&) {
      fail("fewer cells than columns");
    } catch (const io::error::too_many_columns&) {
      fail("more cells than columns");
    } catch (const io::error::escaped_string_not_closed&) {
      fail("a quote that is not closed in its line");
    } catch (const io::error::line_length_limit_exceeded&) {
      fail("the line is too long: allowed are 2^24 - 1 characters");
    }
    const auto missing = std::find(seen_.begin(), seen_.end(), 0u);
    if (missing != seen_.end()) {
      throw InputError(fmt::format("{}: no row for client {}: clients 0..{} must all be there", path_,
                                   missing - seen_.begin(), seen_.size() - 1));
    }
    if (beyond_ > 0) {
      warn(fmt::format("clock.trace_file = \"{}\": {} row(s) of clients beyond partition.clients = {} are not read",
                       path_, beyond_, seen_.size()));
    }
    return std::move(trace_);
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    throw InputError(fmt::format("{}:{}: {}", path_, reader_.get_file_line(), message));
  }

  void read_header() {
    reader_.read_header(io::ignore_missing_column, "client", kColumns[0].name, kColumns[1].name, kColumns[2].name,
                        kColumns[3].name, kColumns[4].name);
    if (!reader_.has_column("client")) fail("column \"client\" is missing");
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      if (needed_[i] && !reader_.has_column(kColumns[i].name)) {
        fail(fmt::format("column \"{}\" is missing: {}.kind = \"trace\" reads it", kColumns[i].name, kColumns[i].key));
      }
    }
  }

  bool read_row() {
    char* id = nullptr;
    std::array<char*, kColumns.size()> cell{};
    if (!reader_.read_row(id, cell[0], cell[1], cell[2], cell[3], cell[4])) return false;
    const auto client =
        parse<std::int32_t>("client", id, "a client number >= 0", [](std::int32_t k) { return k >= 0; });
    std::array<double, kColumns.size()> value{};
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      if (!needed_[i]) continue;
      const bool positive = kColumns[i].positive;
      value[i] = parse<double>(kColumns[i].name, cell[i], positive ? "a finite number > 0" : "a finite number >= 0",
                               [=](double x) { return std::isfinite(x) && (positive ? x > 0 : x >= 0); });
    }
    const auto k = static_cast<std::size_t>(client);
    if (k >= seen_.size()) {
      ++beyond_;
      return true;
    }
    if (seen_[k] != 0) fail(fmt::format("client {} appears twice (first in line {})", client, seen_[k]));
    seen_[k] = reader_.get_file_line();
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      if (needed_[i]) (trace_.*kColumns[i].values)[k] = value[i];
    }
    return true;
  }

  template <class T, class Allowed>
  T parse(const char* column, std::string_view cell, const char* what, Allowed allowed) const {
    const std::optional<T> value = csv_number<T>(cell);
    if (!value || !allowed(*value)) fail(fmt::format("{} = \"{:.40}\": must be {}", column, cell, what));
    return *value;
  }

  const std::string& path_;
  const std::string text_;
  Reader reader_;
  std::array<bool, kColumns.size()> needed_{};
  std::vector<unsigned> seen_;  // line of each client's row, 0: none yet
  std::int64_t beyond_ = 0;     // rows of clients that there are not
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
  if (!gflops.empty()) hash.add(gflops);
  return hash.hex();
}

Trace load_trace(const std::string& path, std::int32_t clients, const TraceColumns& columns) {
  return TraceReader(path, clients, columns).read();
}

}  // namespace splitsim
