#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/files.hpp"
#include "runtime/record/ordinal.hpp"
#include "runtime/record/records.hpp"

namespace splitsim {
namespace {

template <class T>
const T& printed(const T& value) {
  return value;
}
template <class T>
std::int64_t printed(const Ordinal<T>& number) {
  return std::int64_t{number.value} + 1;
}
double printed(const std::optional<double>& value) { return value.value_or(std::numeric_limits<double>::quiet_NaN()); }

/// Takes one value and the ',' behind it, or nothing behind the last.
template <class T>
bool take(std::string_view& line, T& value) requires std::is_arithmetic_v<T> {
  const std::string_view field = line.substr(0, line.find(','));
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size()) return false;
  const bool last = field.size() == line.size();
  line.remove_prefix(last ? field.size() : field.size() + 1);
  return true;
}

template <class T>
bool take(std::string_view& line, const Ordinal<T>& number) {
  std::int64_t value = 0;
  if (!take(line, value) || value < 1 || value - 1 > std::numeric_limits<T>::max()) return false;
  number.value = static_cast<T>(value - 1);
  return true;
}

bool take(std::string_view& line, std::optional<double>& value) {
  double number = 0.0;
  if (!take(line, number)) return false;
  value = std::isnan(number) ? std::nullopt : std::optional<double>(number);
  return true;
}

}  // namespace

template <class Record>
std::string csv_header() {
  std::string names;
  Record none;
  Record::columns(none, [&](const char* name, const auto&) { names.append(names.empty() ? "" : ",").append(name); });
  return names + '\n';
}

template <class Record>
std::string to_csv(const std::vector<Record>& records) {
  std::string text;
  for (const Record& record : records) {
    const char* comma = "";
    Record::columns(record, [&](const char*, const auto& field) {
      fmt::format_to(std::back_inserter(text), "{}{}", comma, printed(field));
      comma = ",";
    });
    text += '\n';
  }
  return text;
}

template <class Record>
std::vector<Record> read_csv(const std::string& path) {
  const std::string text = read_text_file(path), header = csv_header<Record>();
  if (!text.starts_with(header)) {
    throw InputError(fmt::format("'{}' line 1: the columns must be {}", path, header.substr(0, header.size() - 1)));
  }
  std::vector<Record> records;
  std::size_t at = header.size();
  for (std::size_t end = text.find('\n', at); end != std::string::npos; end = text.find('\n', at)) {
    std::string_view line = std::string_view(text).substr(at, end - at);
    const std::string_view whole = line;
    bool fits = true;
    Record::columns(records.emplace_back(), [&](const char*, auto&& field) { fits = fits && take(line, field); });
    if (!fits || !line.empty() || whole.back() == ',') {
      throw InputError(fmt::format("'{}' line {}: '{}' does not fit the columns {}", path, records.size() + 1, whole,
                                   header.substr(0, header.size() - 1)));
    }
    at = end + 1;
  }
  return records;
}

#define SPLITSIM_CSV(Record)                                       \
  template std::string csv_header<Record>();                       \
  template std::string to_csv<Record>(const std::vector<Record>&); \
  template std::vector<Record> read_csv<Record>(const std::string&);
SPLITSIM_CSV(StepRecord)
SPLITSIM_CSV(ClientRecord)
SPLITSIM_CSV(ClientTest)
SPLITSIM_CSV(WaitingRecord)
#undef SPLITSIM_CSV

}  // namespace splitsim
