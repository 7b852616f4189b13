#include "runtime/sweep/read/sweep_spec.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.hpp"
#include "runtime/config/keys/keys.hpp"
#include "runtime/sweep/read/axis_values.hpp"

namespace splitsim {

namespace {

// "a,b,[1,2],{x=1,y=2}" at the commas that no bracket or quote holds.
std::vector<std::string> pieces_of(const std::string& text) {
  std::vector<std::string> pieces(1);
  int depth = 0;
  char quote = 0;
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if (c == ']' || c == '}') {
      --depth;
    } else if (c == ',' && depth == 0) {
      pieces.emplace_back();
      continue;
    }
    pieces.back() += c;
  }
  for (std::string& piece : pieces) {
    const std::size_t first = piece.find_first_not_of(' ');
    piece = first == std::string::npos ? "" : piece.substr(first, piece.find_last_not_of(' ') - first + 1);
  }
  return pieces;
}

// The label of one value as an option has it: a bare word is a text.
std::string label_of_text(const std::string& text) {
  try {
    const toml::table document = toml::parse("value = " + text);
    if (document.size() == 1) return label_of(document.begin()->second);
  } catch (const toml::parse_error&) {
  }
  return one_line(text);
}

Axis axis_of(const std::string& option, const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string key = text.substr(0, equals), place = fmt::format("{} {}", option, key);
  if (equals == std::string::npos || key.empty() || text.size() == equals + 1) {
    throw InputError(fmt::format("{} {}: allowed: key=a,b,c or key=1..5", option, quoted(text)));
  }
  Axis axis{key, {key}, {}, takes_words(key)};
  for (const std::string& piece : pieces_of(text.substr(equals + 1))) {
    if (piece.empty()) throw InputError(fmt::format("{}: allowed: values between the commas", place));
    if (const auto range = range_of(piece, place)) {
      for (const std::int64_t value : *range) {
        axis.values.push_back({fmt::to_string(value), {{fmt::format("{}={}", key, value), place, ""}}});
      }
    } else {
      axis.values.push_back({label_of_text(piece), {{key + "=" + piece, place, ""}}});
    }
  }
  return axis;
}

std::string key_of(const Override& setting) { return setting.text.substr(0, setting.text.find('=')); }

}  // namespace

bool Axis::is_seed() const {
  return !keys.empty() && std::all_of(keys.begin(), keys.end(),
                                      [](const std::string& key) { return key == "seed" || key.ends_with(".seed"); });
}

void add_grid(SweepSpec& spec, const std::string& grid) { spec.axes.push_back(axis_of("--grid", grid)); }

void add_zip(SweepSpec& spec, const std::vector<std::string>& zips) {
  if (zips.empty()) return;
  Axis zipped;
  for (const std::string& text : zips) {
    const Axis column = axis_of("--zip", text);
    if (!zipped.keys.empty() && column.values.size() != zipped.values.size()) {
      throw InputError(fmt::format("--zip: {} has {} values and {} has {}: allowed: equally many", column.name,
                                   column.values.size(), zipped.keys.front(), zipped.values.size()));
    }
    const bool first = zipped.keys.empty();
    zipped.values.resize(column.values.size());
    for (std::size_t i = 0; i < column.values.size(); ++i) {
      zipped.values[i].label += (first ? "" : "+") + column.values[i].label;
      zipped.values[i].overrides.push_back(column.values[i].overrides.front());
    }
    zipped.name += (first ? "" : "+") + column.name.substr(column.name.rfind('.') + 1);
    zipped.keys.push_back(column.name);
  }
  if (zipped.keys.size() == 1) zipped.name = zipped.keys.front();
  spec.axes.push_back(std::move(zipped));
}

void check_axes(const SweepSpec& spec) {
  static const std::set<std::string> columns = {"run", "status", "error", "config_sha256"};
  std::set<std::string> names, common;
  std::map<std::string, std::string> axis_of_key;
  for (const Override& setting : spec.common) common.insert(key_of(setting));
  for (const Axis& axis : spec.axes) {
    if (columns.count(axis.name) != 0) {
      throw InputError(fmt::format("{}: axis {}: index.csv has a column of this name; allowed: another one",
                                   spec.source, axis.name));
    }
    if (!names.insert(axis.name).second) {
      throw InputError(fmt::format("{}: two axes have the name {}; allowed: one", spec.source, axis.name));
    }
    for (const std::string& key : axis.keys) {
      if (common.count(key) != 0) {
        throw InputError(fmt::format("{}: {} is set for every run and varied by axis {}; allowed: one of the two",
                                     spec.source, key, axis.name));
      }
      if (!axis_of_key.emplace(key, axis.name).second) {
        throw InputError(fmt::format("{}: {} is varied by the axes {} and {}; allowed: one", spec.source, key,
                                     axis_of_key[key], axis.name));
      }
    }
    std::set<std::string> labels;
    for (const AxisValue& value : axis.values) {
      if (!labels.insert(value.label).second) {
        throw InputError(
            fmt::format("{}: axis {}: two values {}; allowed: one", spec.source, axis.name, quoted(value.label)));
      }
    }
  }
}

}  // namespace splitsim
