#include "runtime/config/read/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/nearest.hpp"
#include "runtime/config/keys/short_keys.hpp"

namespace splitsim {

namespace {

bool is_table_of_keys(const std::string& path) {
  return std::any_of(config_keys().begin(), config_keys().end(),
                     [&](const Key& key) { return key.path.starts_with(path + "."); });
}

// What may stand directly below a table, or at the top with table = "".
std::vector<std::string> names_in(const std::string& table) {
  const std::string prefix = table.empty() ? "" : table + ".";
  std::vector<std::string> names;
  for (const Key& key : config_keys()) {
    if (!key.path.starts_with(prefix)) continue;
    const std::string name = key.path.substr(prefix.size(), key.path.find('.', prefix.size()) - prefix.size());
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

// A key of another table that is called like this one.
std::string named_so(const std::string& table) {
  for (const Key& key : config_keys()) {
    if (key.path.ends_with("." + table)) return key.path;
  }
  return {};
}

std::vector<std::string> all_paths() {
  std::vector<std::string> paths;
  std::set<std::string> tables;
  for (const Key& key : config_keys()) {
    for (std::size_t dot = key.path.find('.'); dot != std::string::npos; dot = key.path.find('.', dot + 1)) {
      if (tables.insert(key.path.substr(0, dot)).second) paths.push_back(key.path.substr(0, dot));
    }
    paths.push_back(key.path);
  }
  for (const ShortKey& key : short_keys()) paths.push_back(key.path);
  return paths;
}

}  // namespace

void Reader::apply(const std::string& path, const toml::node& node, const toml::source_region& at) {
  if (const Key* key = find_key(path)) {
    apply_key(*key, node, at);
    return;
  }
  const std::vector<std::string> meant = meant_by(path);
  if (!meant.empty() && node.is_table()) {  // train.optimizer = { lr = 0.1 }
    apply(path + ".", *node.as_table());
  } else if (!meant.empty()) {
    if (find_key(meant.front()) == nullptr) unknown(meant.front(), at);
    short_ = path;
    for (const std::string& each : meant) apply(each, node, at);
    short_.clear();
  } else if (is_table_of_keys(path)) {
    const toml::table* table = node.as_table();
    if (table == nullptr) {
      const std::string kind = path + (find_key(path + ".kind") != nullptr ? ".kind" : ".name");
      const bool names_one = node.is_string() && find_key(kind) != nullptr;  // sampler = "ugs"
      const std::string meant_key = names_one ? kind : named_so(path);
      fail(node.source(),
           fmt::format("{} = {}: allowed: a table with the keys {}{}", path, shown_value(node), joined(names_in(path)),
                       did_you_mean(find_key(meant_key) != nullptr ? meant_key : "")));
    }
    apply(path + ".", *table);
  } else if (!apply_parameter(path, node, at)) {
    unknown(path, at);
  }
}

void Reader::apply(const std::string& prefix, const toml::table& table) {
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    // A quoted "sampler.batch" is one name with a point in it.
    if (name.find('.') != std::string::npos) fail(key.source(), "unknown key " + quoted(prefix + name));
    apply(prefix + name, node, key.source());
  }
}

void Reader::apply_key(const Key& key, const toml::node& node, const toml::source_region& at) {
  std::visit([&](const auto& rule) { read(key, rule, node); }, key.rule);
  note(key, at);
}

// Keeps what was given. One source may give a key under its own and under a short name, but not two values.
void Reader::note(const Key& key, const toml::source_region& at) {
  const std::string value = value_toml(key, config_), written = name_of(key);
  for (const GivenKey& earlier : given_) {
    const bool same_key = std::find(earlier.keys.begin(), earlier.keys.end(), &key) != earlier.keys.end();
    if (!same_key || earlier.written == written || earlier.value == value) continue;
    fail(at, fmt::format("{} = {} and {} = {} both set {}: allowed: one of them", earlier.written, earlier.value,
                         written, value, key.path));
  }
  if (!short_.empty() && !given_.empty() && given_.back().written == written && given_.back().keys.back() != &key) {
    given_.back().keys.push_back(&key);
  } else {
    std::erase_if(given_, [&](const GivenKey& earlier) { return earlier.written == written; });  // the last one counts
    given_.push_back({{&key}, written, value, place(at)});
  }
}

std::string Reader::place(const toml::source_region& at) const {
  return source_.has_lines ? fmt::format("{}:{}:{}: ", source_.name, at.begin.line, at.begin.column)
                           : source_.name + ": ";
}

void Reader::fail(const toml::source_region& at, const std::string& message) const {
  throw InputError(place(at) + message);
}

void Reader::refuse(const Key& key, const toml::node& node, const std::string& note) const {
  fail(node.source(),
       fmt::format("{} = {}: allowed: {}{}", name_of(key), shown_value(node), allowed_values(key.rule), note));
}

void Reader::unknown(const std::string& path, const toml::source_region& at) const {
  // The shortest prefix that leads nowhere is what was mistyped.
  std::string wrong = path, table;
  for (std::size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1)) {
    const std::string prefix = path.substr(0, dot);
    if (find_key(prefix) != nullptr) {
      fail(at, fmt::format("unknown key {}: {} is not a table", shown_key(path), prefix));
    }
    if (!is_table_of_keys(prefix)) {
      wrong = prefix;
      break;
    }
    table = prefix;
  }
  std::string meant = meant_by_unknown(wrong);
  if (meant.empty()) meant = nearest(wrong, all_paths());
  fail(at, fmt::format("unknown key {}{}", shown_key(wrong),
                       meant.empty()
                           ? fmt::format("; known{}: {}", table.empty() ? "" : " in " + table, joined(names_in(table)))
                           : did_you_mean(meant)));
}

// clock.delay_ms.base = 3.0: the parent is a distribution.
bool Reader::apply_parameter(const std::string& path, const toml::node& node, const toml::source_region& at) {
  const std::size_t dot = path.rfind('.');
  const Key* key = dot == std::string::npos ? nullptr : find_key(path.substr(0, dot));
  if (key == nullptr || !std::holds_alternative<DistributionRule>(key->rule)) return false;
  apply_key(*key, toml::table{{path.substr(dot + 1), node}}, at);
  return true;
}

std::string shown_key(const std::string& path) {
  const bool plain = std::all_of(path.begin(), path.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
  return plain && !path.empty() ? path : quoted(path);
}

std::string shortened(const std::string& text) {
  constexpr std::size_t kMost = 80;
  return text.size() <= kMost ? text : text.substr(0, kMost) + "...";
}

std::string shown_value(const toml::node& node) {
  if (const auto* text = node.as_string()) return quoted(shortened(text->get()));
  if (const auto* value = node.as_integer()) return fmt::to_string(value->get());
  if (const auto* value = node.as_floating_point()) return number(value->get());
  if (const auto* value = node.as_boolean()) return value->get() ? "true" : "false";
  if (node.is_array()) return "[...]";
  if (node.is_table()) return "{...}";
  return "a date or time";
}

std::string did_you_mean(const std::string& name) {
  return name.empty() ? "" : fmt::format("; did you mean {}?", name);
}

}  // namespace splitsim
