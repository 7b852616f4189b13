// Data sets of CSV files (fast-cpp-csv-parser reads lines and quotes).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#define CSV_IO_NO_THREAD  // the text is in memory already
#include <csv.h>

#include "base/csv_text.hpp"
#include "base/error.hpp"
#include "runtime/data/loaders.hpp"

namespace splitsim {
namespace {

using Trim = io::trim_chars<' ', '\t'>;
using Quotes = io::double_quote_escape<',', '"'>;

/// The cells of a line, which is changed.
std::vector<std::string_view> cells_of(char* line) {
  std::vector<std::string_view> cells;
  while (line != nullptr) {
    char *begin = nullptr, *end = nullptr;
    io::detail::chop_next_column<Quotes>(line, begin, end);
    Trim::trim(begin, end);
    Quotes::unescape(begin, end);
    cells.emplace_back(begin, static_cast<std::size_t>(end - begin));
  }
  return cells;
}

/// A file: numbers of all columns but two, which are texts.
struct Table {
  std::string path;
  std::vector<std::string> columns;  ///< [D]
  std::vector<float> values;         ///< [N, D]
  std::vector<std::string> labels, clients;
};

/// order: the columns in the order wanted, or empty for the file's.
Table read_table(const std::string& path, const DataSettings& settings, const std::vector<std::string>& order,
                 bool needs_clients) {
  Table table;
  table.path = path;
  const std::string text = csv_text("data.dir", path);
  io::LineReader lines(path, text.data(), text.data() + text.size());
  const auto fail = [&](const std::string& message) {
    throw InputError(fmt::format("{}:{}: {}", path, std::max(lines.get_file_line(), 1u), message));
  };
  try {
    char* line = lines.next_line();
    if (line == nullptr) fail("is empty; allowed: a line with the names of the columns, then a line per sample");
    if (std::string_view(line).starts_with("\xef\xbb\xbf")) line += 3;  // what spreadsheets begin UTF-8 with
    std::vector<std::string> names;
    for (const std::string_view cell : cells_of(line)) names.emplace_back(cell);
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) !=
          names.begin() + static_cast<std::ptrdiff_t>(i)) {
        fail(fmt::format("has the column \"{:.40}\" twice", names[i]));
      }
      const bool given = names[i] == settings.label_column ||
                         (!settings.client_column.empty() && names[i] == settings.client_column);
      if (!given) table.columns.push_back(names[i]);
    }
    const auto index_of = [&](const std::string& name) { return std::find(names.begin(), names.end(), name); };
    const auto need = [&](const char* key, const std::string& name) {
      if (index_of(name) == names.end()) fail(fmt::format("has no column \"{:.40}\" ({})", name, key));
      return static_cast<std::size_t>(index_of(name) - names.begin());
    };
    const std::size_t label = need("data.label_column", settings.label_column);
    const std::size_t client = needs_clients ? need("data.client_column", settings.client_column) : names.size();
    if (table.columns.empty()) fail("has no columns of numbers beside the label");
    if (!order.empty()) {
      for (const std::string& name : table.columns) {
        if (std::find(order.begin(), order.end(), name) == order.end()) {
          fail(fmt::format("has the column \"{:.40}\", which the training file lacks", name));
        }
      }
      table.columns = order;
    }
    std::vector<std::size_t> from;
    for (const std::string& name : table.columns) from.push_back(need("as in the training file", name));
    if (static_cast<std::int64_t>(from.size()) > kMaxSampleValues) fail("has too many columns");

    while ((line = lines.next_line()) != nullptr) {
      if (*line == '\0') continue;
      const std::vector<std::string_view> cells = cells_of(line);
      if (cells.size() != names.size()) fail(fmt::format("has {} cells; allowed: {}", cells.size(), names.size()));
      for (std::size_t d = 0; d < from.size(); ++d) {
        const auto value = csv_number<double>(cells[from[d]]);
        const auto number = static_cast<float>(value.value_or(HUGE_VAL));
        if (!std::isfinite(number)) {
          fail(fmt::format("{:.40} = \"{:.40}\": allowed: a finite number", table.columns[d], cells[from[d]]));
        }
        table.values.push_back(number);
      }
      if (cells[label].empty()) fail(fmt::format("{:.40} = \"\": allowed: a class", settings.label_column));
      table.labels.emplace_back(cells[label]);
      if (!needs_clients) continue;
      if (cells[client].empty()) fail(fmt::format("{:.40} = \"\": allowed: a client", settings.client_column));
      table.clients.emplace_back(cells[client]);
    }
  } catch (const io::error::escaped_string_not_closed&) {
    fail("a quote is not closed; allowed: quotes that end in their line");
  } catch (const io::error::base& error) {
    throw InputError(fmt::format("{}: cannot be read as CSV: {}", path, error.what()));
  }
  if (table.labels.empty()) throw InputError(fmt::format("{}: has no samples", path));
  return table;
}

/// Texts that are all whole numbers from `low`, as those.
std::vector<std::int64_t> whole_numbers(const std::vector<std::string>& texts, std::int64_t low) {
  std::vector<std::int64_t> numbers;
  for (const std::string& text : texts) {
    const auto number = csv_number<std::int64_t>(text);
    if (!number || *number < low) return {};
    numbers.push_back(*number);
  }
  return numbers;
}

void set_labels(Dataset& set, const Table& train, const Table& test) {
  const std::vector<std::int64_t> numbers = whole_numbers(train.labels, 0), others = whole_numbers(test.labels, 0);
  if (!numbers.empty() && !others.empty()) {
    for (const auto& [values, labels, table] : {std::tuple{&numbers, &set.train_labels, &train},
                                                std::tuple{&others, &set.test_labels, &test}}) {
      for (const std::int64_t value : *values) {
        if (value >= kMaxClasses) {
          throw InputError(fmt::format("{}: label {} is out of range; allowed: 0 to {}", table->path, value,
                                       kMaxClasses - 1));
        }
        labels->push_back(static_cast<std::int32_t>(value));
        set.classes = std::max(set.classes, 1 + labels->back());
      }
    }
    return;
  }
  std::vector<std::string> names = train.labels;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  set.classes = static_cast<std::int32_t>(names.size());
  for (const auto& [table, labels] : {std::pair{&train, &set.train_labels}, std::pair{&test, &set.test_labels}}) {
    for (const std::string& label : table->labels) {
      const auto at = std::lower_bound(names.begin(), names.end(), label);
      if (at == names.end() || *at != label) {
        throw InputError(fmt::format("{}: label \"{:.40}\": allowed: a class of the training file", table->path, label));
      }
      labels->push_back(static_cast<std::int32_t>(at - names.begin()));
    }
  }
}

/// train.csv and test.csv, with a line of names. Labels are whole numbers from 0 in both, or else texts, classes in
/// their order. Clients likewise. All other columns are finite numbers; the test file may have them in another order.
Dataset load(const DataSettings& settings, std::uint64_t) {
  const std::filesystem::path dir(settings.dir);
  std::error_code ignored;
  for (const char* name : {"train.csv", "test.csv"}) {
    if (!std::filesystem::exists(dir / name, ignored)) {
      throw InputError(fmt::format("data.dir = '{}': {}'{}' is missing; data.name = 'csv' needs train.csv and test.csv",
                                   settings.dir,
                                   std::filesystem::is_directory(dir, ignored) ? "" : "no such folder, so ", name));
    }
  }
  if (settings.label_column == settings.client_column) {
    throw InputError(fmt::format("data.client_column = \"{}\": allowed: another column than data.label_column",
                                 settings.client_column));
  }
  const Table train = read_table((dir / "train.csv").string(), settings, {}, !settings.client_column.empty());
  const Table test = read_table((dir / "test.csv").string(), settings, train.columns, false);
  Dataset set;
  set.name = settings.name;
  set.kind = SampleKind::kRows;
  set.type = FeatureType::kFloat32;
  set.channels = static_cast<std::int32_t>(train.columns.size());
  set.height = set.width = 1;
  set.train_features = bytes_of(train.values);
  set.test_features = bytes_of(test.values);
  set_labels(set, train, test);
  if (train.clients.empty()) return set;
  const std::vector<std::int64_t> numbers = whole_numbers(train.clients, std::numeric_limits<std::int64_t>::min());
  if (numbers.empty()) {
    set_natural_clients(set, train.clients);
  } else {
    set_natural_clients(set, numbers);
  }
  return set;
}

}  // namespace

namespace datasets {

DatasetInfo csv() {
  return {"csv",
          "train.csv and test.csv in data.dir: a line of names, columns of numbers, data.label_column and perhaps "
          "data.client_column",
          load};
}

}  // namespace datasets

}  // namespace splitsim
