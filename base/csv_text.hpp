// What readers of CSV files share beside the library (fast-cpp-csv-parser): the text as it reads it, and numbers as
// they are written. Determinism: exact.
#pragma once

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

namespace splitsim {

/// The file with one kind of line end: a carriage return alone, as old spreadsheets write it, becomes a line feed, and
/// the last line gets one. key: the setting that names the file. Errors: InputError for a file that cannot be read or
/// holds NUL.
std::string csv_text(const std::string& key, const std::string& path);

/// A cell that is one number, with blanks around it. Not the library's own: those are not rounded to the nearest
/// double, and take an empty cell for 0.
template <class T>
std::optional<T> csv_number(std::string_view cell) {
  const std::size_t first = std::min(cell.find_first_not_of(" \t"), cell.size());  // blanks within quotes
  cell = cell.substr(first, cell.find_last_not_of(" \t") + 1 - first);
  T value{};
  const char* end = cell.data() + cell.size();
  const auto [stop, status] = std::from_chars(cell.data(), end, value);
  if (status != std::errc() || stop != end) return {};
  return value;
}

}  // namespace splitsim
