// Values of every kind but layers.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "base/nearest.hpp"
#include "runtime/config/read/paths.hpp"
#include "runtime/config/read/reader.hpp"

namespace splitsim {

namespace {

// NaN, which every rule refuses, if the node is no number.
double number_of(const toml::node& node) {
  if (const auto* value = node.as_integer()) return static_cast<double>(value->get());
  if (const auto* value = node.as_floating_point()) return value->get();
  return std::numeric_limits<double>::quiet_NaN();
}

bool is_utf8(const std::string& text) {
  try {
    static_cast<void>(toml::parse("text = " + quoted(text)));
    return true;
  } catch (const toml::parse_error&) {
    return false;
  }
}

}  // namespace

void Reader::read(const Key& key, const IntegerRule& rule, const toml::node& node) {
  const auto* value = node.as_integer();
  if (value == nullptr || value->get() < rule.low || value->get() > rule.high) refuse(key, node);
  std::visit(
      [&](auto field) {
        auto& target = field(config_);
        target = static_cast<std::decay_t<decltype(target)>>(value->get());
      },
      rule.field);
}

void Reader::read(const Key& key, const RealRule& rule, const toml::node& node) {
  const double value = number_of(node);
  const bool inside = std::isfinite(value) && value <= rule.high && (rule.above ? value > rule.low : value >= rule.low);
  if (!inside) refuse(key, node);
  rule.field(config_) = value;
}

void Reader::read(const Key& key, const SeedRule& rule, const toml::node& node) {
  const auto* value = node.as_integer();
  if (value == nullptr || value->get() < 0) refuse(key, node);
  rule.field(config_) = static_cast<std::uint64_t>(value->get());
}

void Reader::read(const Key& key, const FlagRule& rule, const toml::node& node) {
  const auto* value = node.as_boolean();
  if (value == nullptr) refuse(key, node);
  rule.field(config_) = value->get();
}

void Reader::read(const Key& key, const ChoiceRule& rule, const toml::node& node) {
  const auto* value = node.as_string();
  if (value == nullptr) refuse(key, node);
  std::vector<std::string> names;
  for (const Choice& choice : rule.choices) names.push_back(choice.name);
  if (std::find(names.begin(), names.end(), value->get()) == names.end()) {
    refuse(key, node, did_you_mean(nearest(value->get(), names)));
  }
  rule.set(config_, value->get());
}

void Reader::read(const Key& key, const TextRule& rule, const toml::node& node) {
  const auto* value = node.as_string();
  if (value == nullptr || value->get().find('\0') != std::string::npos) refuse(key, node);
  std::string text = value->get();
  if (rule.is_path) {
    text = absolute_path(text, source_.folder);
    // The folder may have any bytes in its name; the saved configuration is TOML.
    if (!is_utf8(text))
      fail(node.source(), fmt::format("{}: allowed: a path in a folder named in UTF-8", name_of(key)));
  }
  rule.field(config_) = std::move(text);
}

void Reader::read(const Key& key, const IntegersRule& rule, const toml::node& node) {
  const toml::array* list = node.as_array();
  if (list == nullptr) refuse(key, node);
  std::vector<std::int64_t> values;
  for (const toml::node& item : *list) {
    const auto* value = item.as_integer();
    const bool ascends = values.empty() || (value != nullptr && value->get() > values.back());
    if (value == nullptr || value->get() < rule.low || value->get() > rule.high || !ascends) refuse(key, item);
    values.push_back(value->get());
  }
  rule.field(config_) = std::move(values);
}

// Parameters left out keep their values while the kind stays; a new kind starts from its own defaults.
void Reader::read(const Key& key, const DistributionRule& rule, const toml::node& node) {
  const toml::table* table = node.as_table();
  if (table == nullptr) refuse(key, node);
  Distribution& target = rule.field(config_);
  Distribution value = target;
  if (const toml::node* kind = table->get("kind")) {
    const DistributionInfo& info = kind_of(key, rule, *kind);
    if (info.kind != value.kind) value = default_distribution(info);
  }
  const DistributionInfo& info = distribution_info(value.kind);
  for (const auto& [name, given] : *table) {
    if (name.str() == "kind") continue;
    const auto found = std::find(info.parameters.begin(), info.parameters.end(), name.str());
    if (found == info.parameters.end()) {
      fail(name.source(), fmt::format("unknown parameter {}: kind = \"{}\" takes {}{}",
                                      shown_key(key.path + "." + std::string(name.str())), info.name,
                                      info.parameters.empty() ? "none" : joined(info.parameters),
                                      did_you_mean(nearest(std::string(name.str()), info.parameters))));
    }
    const double number = number_of(given);
    if (!std::isfinite(number)) {
      fail(given.source(),
           fmt::format("{}.{} = {}: allowed: a finite number", key.path, name.str(), shown_value(given)));
    }
    parameter(value, static_cast<std::size_t>(found - info.parameters.begin())) = number;
  }
  target = value;
}

const DistributionInfo& Reader::kind_of(const Key& key, const DistributionRule& rule, const toml::node& node) const {
  const auto* text = node.as_string();
  std::vector<std::string> names;
  for (const DistributionInfo& info : distribution_infos()) {
    if (rule.use == DistributionUse::kJitter && !info.jitter) continue;
    if (text != nullptr && text->get() == info.name) return info;
    names.push_back(info.name);
  }
  fail(node.source(), fmt::format("{}.kind = {}: allowed: {}{}", key.path, shown_value(node), joined(names),
                                  did_you_mean(text == nullptr ? "" : nearest(text->get(), names))));
}

}  // namespace splitsim
