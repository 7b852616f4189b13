#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <map>

#include "runtime/config/keys/keys.hpp"
#include "runtime/model/layer_kind.hpp"

namespace splitsim {

namespace {

std::string allowed(const IntegerRule& rule) { return fmt::format("an integer in [{}, {}]", rule.low, rule.high); }

std::string allowed(const RealRule& rule) {
  constexpr double kUnbounded = std::numeric_limits<double>::infinity();
  if (rule.low == -kUnbounded && rule.high == kUnbounded) return "a finite number";
  if (rule.high == kUnbounded) return fmt::format("a finite number {} {:g}", rule.above ? ">" : ">=", rule.low);
  // The number next below 1 stands for "less than 1".
  const bool below = rule.high == std::nextafter(1.0, 0.0);
  return fmt::format("a number in {}{:g}, {:g}{}", rule.above ? "(" : "[", rule.low, below ? 1.0 : rule.high,
                     below ? ")" : "]");
}

std::string allowed(const SeedRule&) { return "an integer in [0, 9223372036854775807]"; }

std::string allowed(const FlagRule&) { return "true, false"; }

std::string allowed(const ChoiceRule& rule) {
  std::vector<std::string> names;
  for (const Choice& choice : rule.choices) names.push_back(choice.name);
  return joined(names);
}

std::string allowed(const TextRule& rule) { return rule.is_path ? "a path (a string)" : "a string"; }

std::string allowed(const DistributionRule&) { return "a table { kind = \"...\", parameters }"; }

std::string allowed(const IntegersRule& rule) {
  return fmt::format("a list of ascending integers in [{}, {}]", rule.low, rule.high);
}

std::string allowed(const LayersRule&) { return "a list of tables { kind = \"...\", numbers }"; }

bool same(const Distribution& a, const Distribution& b) {
  return a.kind == b.kind && a.a == b.a && a.b == b.b && a.c == b.c;
}
template <class T>
bool same(const T& a, const T& b) {
  return a == b;
}

std::string toml(std::int64_t value) { return fmt::to_string(value); }
std::string toml(std::uint64_t value) { return fmt::to_string(value); }
std::string toml(std::int32_t value) { return fmt::to_string(value); }
std::string toml(double value) { return number(value); }
std::string toml(bool value) { return value ? "true" : "false"; }
std::string toml(const std::string& value) { return quoted(value); }
std::string toml(const std::optional<std::uint64_t>& value) { return value ? fmt::to_string(*value) : ""; }
std::string toml(const Distribution& value) {
  Distribution copy = value;
  const DistributionInfo& info = distribution_info(value.kind);
  std::string text = "{ kind = " + quoted(info.name);
  for (std::size_t i = 0; i < info.parameters.size(); ++i) {
    text += fmt::format(", {} = {}", info.parameters[i], number(parameter(copy, i)));
  }
  return text + " }";
}

std::string toml(const std::vector<std::int64_t>& values) {
  std::string text;
  for (const std::int64_t value : values) text += (text.empty() ? "" : ", ") + fmt::to_string(value);
  return "[" + text + "]";
}
std::string toml(Size2 size) {
  return size.height == size.width ? fmt::to_string(size.height) : fmt::format("[{}, {}]", size.height, size.width);
}
std::string toml(const std::vector<LayerSpec>& layers) {
  std::string text;
  for (const LayerSpec& layer : layers) {
    text += (text.empty() ? "{ kind = " : ", { kind = ") + quoted(layer.kind->name);
    if (!layer.name.empty()) text += ", name = " + quoted(layer.name);
    for (const LayerKey& key : layer.kind->keys) {
      std::visit(
          [&](auto field) {
            if (key.quiet && layer.*field == LayerSpec{.kind = layer.kind, .name = ""}.*field) return;
            text += fmt::format(", {} = {}", key.name, toml(layer.*field));
          },
          key.field);
    }
    text += " }";
  }
  return "[" + text + "]";
}

// Calls use(get) where get(config) is the key's value, whatever its type.
template <class Use>
auto with_field(const Key& key, Use use) {
  return std::visit(
      [&](const auto& rule) {
        if constexpr (std::is_same_v<std::decay_t<decltype(rule)>, IntegerRule>) {
          return std::visit([&](auto field) { return use([field](const Config& c) { return get(field, c); }); },
                            rule.field);
        } else if constexpr (std::is_same_v<std::decay_t<decltype(rule)>, ChoiceRule>) {
          return use(rule.get);
        } else {
          return use([&rule](const Config& c) { return get(rule.field, c); });
        }
      },
      key.rule);
}

}  // namespace

std::string allowed_values(const Key::Rule& rule) {
  return std::visit([](const auto& typed) { return allowed(typed); }, rule);
}

bool same_value(const Key& key, const Config& a, const Config& b) {
  return with_field(key, [&](const auto& value) { return same(value(a), value(b)); });
}

void copy_value(const Key& key, const Config& from, Config& to) {
  std::visit(
      [&](const auto& rule) {
        if constexpr (std::is_same_v<std::decay_t<decltype(rule)>, IntegerRule>) {
          std::visit([&](auto field) { field(to) = get(field, from); }, rule.field);
        } else if constexpr (std::is_same_v<std::decay_t<decltype(rule)>, ChoiceRule>) {
          rule.set(to, rule.get(from));
        } else {
          rule.field(to) = get(rule.field, from);
        }
      },
      key.rule);
}

std::string value_toml(const Key& key, const Config& config) {
  return with_field(key, [&](const auto& value) { return toml(value(config)); });
}

Distribution default_distribution(const DistributionInfo& info) {
  static const std::map<std::string, double> defaults = {
      {"value", 1.0}, {"low", 0.5},       {"high", 1.5},    {"mean", 1.0},  {"shift", 1.0},
      {"cv", 0.5},    {"scale", 1.0},     {"alpha", 2.0},   {"cap", 100.0}, {"base", 1.0},
      {"share", 0.1}, {"slowdown", 10.0}, {"exponent", 1.0}};
  Distribution distribution;
  distribution.kind = info.kind;
  for (std::size_t i = 0; i < info.parameters.size(); ++i) {
    parameter(distribution, i) = defaults.at(info.parameters[i]);
  }
  return distribution;
}

double& parameter(Distribution& distribution, std::size_t place) {
  return place == 0 ? distribution.a : place == 1 ? distribution.b : distribution.c;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04X}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string number(double value) {
  std::string text = fmt::format("{}", value);
  if (std::isfinite(value) && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

}  // namespace splitsim
