#include "runtime/sweep/index.hpp"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "base/files.hpp"

namespace splitsim {

namespace {

using Json = nlohmann::ordered_json;

void collect(const Json& json, const std::string& prefix, std::vector<std::pair<std::string, std::string>>& found) {
  for (const auto& [name, value] : json.items()) {
    if (value.is_object()) {
      collect(value, prefix + name + ".", found);
    } else if (value.is_string()) {
      found.emplace_back(prefix + name, value.get<std::string>());
    } else if (value.is_null()) {
      found.emplace_back(prefix + name, "");
    } else if (!value.is_array()) {
      found.emplace_back(prefix + name, value.dump());
    }
  }
}

std::string cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

std::vector<std::pair<std::string, std::string>> summary_scalars(const std::string& path) {
  std::vector<std::pair<std::string, std::string>> found;
  try {
    collect(Json::parse(read_text_file(path)), "", found);
  } catch (const Json::exception& error) {
    throw InputError(fmt::format("cannot read '{}': {}", path, error.what()));
  }
  return found;
}

void Index::set(std::size_t run, const RunStanding& standing) {
  Row& row = rows_[run];
  row = {name_of(standing.progress), standing.error, {}};
  if (standing.is_result()) row.scalars = summary_scalars(files_.run(sweep_.runs[run]) + "/summary.json");
}

std::string Index::csv() const {
  std::set<std::string> taken = {"run", "status", "error", "config_sha256"};
  std::string text = "run,status,error";
  for (const AxisLabels& axis : sweep_.axes) {
    taken.insert(axis.name);
    text += "," + cell(axis.name);
  }
  text += ",config_sha256";
  std::vector<std::string> columns;
  for (const Row& row : rows_) {
    for (const auto& [name, value] : row.scalars) {
      if (taken.insert(name).second) columns.push_back(name);
    }
  }
  for (const std::string& name : columns) text += "," + cell(name);
  text += "\n";
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const SweepRun& run = sweep_.runs[i];
    text += cell(run.name) + "," + rows_[i].status + "," + cell(rows_[i].error);
    for (const std::string& label : run.labels) text += "," + cell(label);
    text += "," + run.config_sha256;
    const std::map<std::string, std::string> scalars(rows_[i].scalars.begin(), rows_[i].scalars.end());
    for (const std::string& name : columns) {
      const auto found = scalars.find(name);
      text += "," + (found == scalars.end() ? "" : cell(found->second));
    }
    text += "\n";
  }
  return text;
}

void Index::write() const { write_file_atomically(files_.path("index.csv"), csv()); }

}  // namespace splitsim
