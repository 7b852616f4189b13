#include "runtime/sweep/read/axis_values.hpp"

#include <fmt/format.h>

#include <charconv>
#include <regex>

#include "base/error.hpp"
#include "runtime/config/keys/keys.hpp"

namespace splitsim {

std::string inline_toml(const toml::node& node) {
  if (const auto* text = node.as_string()) return quoted(text->get());
  if (const auto* value = node.as_integer()) return fmt::to_string(value->get());
  if (const auto* value = node.as_floating_point()) return number(value->get());
  if (const auto* value = node.as_boolean()) return value->get() ? "true" : "false";
  std::string text;
  if (const auto* array = node.as_array()) {
    for (const toml::node& item : *array) text += (text.empty() ? "" : ", ") + inline_toml(item);
    return "[" + text + "]";
  }
  if (const auto* table = node.as_table()) {
    for (const auto& [key, value] : *table) {
      text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", quoted(std::string(key.str())), inline_toml(value));
    }
    return "{" + text + "}";
  }
  return "\"a date or time\"";
}

std::string label_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return one_line(text->get());
  if (const auto* value = node.as_floating_point()) {
    std::string text = number(value->get());
    if (text.ends_with(".0")) text.resize(text.size() - 2);
    return text;
  }
  std::string text;
  if (const auto* array = node.as_array()) {
    for (const toml::node& item : *array) text += (text.empty() ? "" : "+") + label_of(item);
    return text;
  }
  if (const auto* table = node.as_table()) {
    if (const toml::node* kind = table->get("kind")) text = label_of(*kind);
    for (const auto& [key, value] : *table) {
      if (key.str() == "kind") continue;
      text += fmt::format("{}{}={}", text.empty() ? "" : ":", std::string(key.str()), label_of(value));
    }
    return text;
  }
  return inline_toml(node);
}

std::optional<std::vector<std::int64_t>> range_of(const std::string& text, const std::string& place) {
  static const std::regex form(R"((-?\d{1,18})\.\.(-?\d{1,18})(:(\d{1,18}))?)");
  std::smatch match;
  if (!std::regex_match(text, match, form)) return {};
  const std::int64_t first = std::stoll(match[1]), last = std::stoll(match[2]);
  const std::int64_t step = match[4].matched ? std::stoll(match[4]) : 1;
  constexpr std::int64_t kMost = 100'000;
  if (step == 0 || last < first || (last - first) / step >= kMost) {
    throw InputError(
        fmt::format("{}: range {}: allowed: FIRST..LAST or FIRST..LAST:STEP with LAST >= FIRST, STEP >= 1 "
                    "and at most {} values",
                    place, quoted(text), kMost));
  }
  std::vector<std::int64_t> values;
  for (std::int64_t value = first; value <= last; value += step) values.push_back(value);
  return values;
}

bool takes_words(const std::string& key) {
  const Key* known = find_key(key);
  return known != nullptr && std::holds_alternative<ChoiceRule>(known->rule);
}

}  // namespace splitsim
