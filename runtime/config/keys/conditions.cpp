// Which keys are read: a key says for which values of other keys (its conditions in the table).
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "runtime/config/keys/keys.hpp"

namespace splitsim {

namespace {

const Key& key_of(const Condition& condition) {
  const Key* key = find_key(condition.key);
  if (key == nullptr) throw std::logic_error("the table of keys has a condition on " + condition.key);
  return *key;
}

// The value as conditions name it.
std::string plain_value(const Key& key, const Config& config) {
  if (const auto* rule = std::get_if<ChoiceRule>(&key.rule)) return rule->get(config);
  if (const auto* rule = std::get_if<TextRule>(&key.rule)) return get(rule->field, config);
  if (const auto* rule = std::get_if<DistributionRule>(&key.rule)) {
    return distribution_info(get(rule->field, config).kind).name;
  }
  return value_toml(key, config);
}

bool holds(const Condition& condition, const Config& config) {
  const Key& key = key_of(condition);
  if (!is_read(key, config)) return false;
  const std::string value = plain_value(key, config);
  if (condition.values.empty()) return value != "0" && value != "0.0" && value != "false" && !value.empty();
  return std::find(condition.values.begin(), condition.values.end(), value) != condition.values.end();
}

// "a, b and c".
std::string list(const std::vector<std::string>& names, const std::string& last) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == names.size() ? " " + last + " " : ", ") + names[i];
  }
  return text;
}

std::string is_now(const Condition& condition, const Config& config) {
  const Key& key = key_of(condition);
  const bool draw = std::holds_alternative<DistributionRule>(key.rule);
  return fmt::format("{} = {}", draw ? key.path + ".kind" : key.path,
                     draw ? quoted(plain_value(key, config)) : value_toml(key, config));
}

std::string wanted(const Condition& condition, const std::string& last) {
  if (!condition.values.empty()) return list(condition.values, last);
  return std::holds_alternative<FlagRule>(key_of(condition).rule) ? "true" : "a number > 0";
}

}  // namespace

bool is_read(const Key& key, const Config& config) {
  return key.conditions.empty() ||
         std::any_of(key.conditions.begin(), key.conditions.end(), [&](const std::vector<Condition>& all) {
           return std::all_of(all.begin(), all.end(), [&](const Condition& one) { return holds(one, config); });
         });
}

std::string why_unread(const Key& key, const Config& config) {
  // Of every alternative what is in its way, but for those whose own key is not read: another one is nearer.
  std::vector<Condition> in_the_way;
  const Key* parent = nullptr;
  for (const std::vector<Condition>& all : key.conditions) {
    const auto failing = std::find_if(all.begin(), all.end(), [&](const Condition& c) { return !holds(c, config); });
    if (failing == all.end()) continue;
    if (is_read(key_of(*failing), config)) {
      in_the_way.push_back(*failing);
    } else {
      parent = &key_of(*failing);
    }
  }
  if (in_the_way.empty()) return parent == nullptr ? "is read" : why_unread(*parent, config);
  std::vector<std::string> now, other;
  bool alike = true;
  for (const Condition& condition : in_the_way) {
    now.push_back(is_now(condition, config));
    other.push_back(condition.key + " = " + wanted(condition, "or"));
    alike = alike && condition.values == in_the_way.front().values;
  }
  const bool one = in_the_way.size() == 1;
  const bool several = alike && in_the_way.front().values.size() > 1;
  return fmt::format("{} {} not read it; {} {}", list(now, "and"), one ? "does" : "do",
                     alike ? wanted(in_the_way.front(), "and") : list(other, "or with"), several ? "do" : "does");
}

std::string read_where(const Key& key) {
  std::string text;
  for (const std::vector<Condition>& all : key.conditions) {
    if (!text.empty()) text += ", or with ";
    for (std::size_t i = 0; i < all.size(); ++i) {
      text += fmt::format("{}{} {}", i == 0 ? "" : " and ", all[i].key,
                          all[i].values.empty() ? "> 0" : "= " + joined(all[i].values));
    }
  }
  return text;
}

void reset_unread(Config& config) {
  static const Config defaults;
  // By the values as they are: what a key that is reset itself says of others does not count anyway.
  std::vector<const Key*> unread;
  for (const Key& key : config_keys()) {
    if (!is_read(key, config)) unread.push_back(&key);
  }
  for (const Key* key : unread) copy_value(*key, defaults, config);
}

}  // namespace splitsim
