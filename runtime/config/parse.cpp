#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "kernels/device/error.hpp"
#include "runtime/config/keys.hpp"
#include "runtime/config/nearest.hpp"
#include "runtime/record/files.hpp"

namespace splitsim {

namespace {

const Key* find_key(const std::string& path) {
  for (const Key& key : config_keys()) {
    if (key.path == path) return &key;
  }
  return nullptr;
}

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
    if (names.empty() || names.back() != name) names.push_back(name);
  }
  return names;
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
  return paths;
}

// A key as it may stand in a message: plain if it is plain, else quoted, so that a message is one line.
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

// A value as it may stand in a message.
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

// Applies TOML values to a config. `source` is the file's name, or empty for overrides, which have no line.
class Reader {
 public:
  Reader(Config& config, std::string source) : config_(config), source_(std::move(source)) {}

  // The value `node` of the key or table `path`; `at` is where to point when the key itself is wrong.
  void apply(const std::string& path, const toml::node& node, const toml::source_region& at) {
    if (const Key* key = find_key(path)) {
      std::visit([&](const auto& rule) { read(*key, rule, node); }, key->rule);
    } else if (is_table_of_keys(path)) {
      const toml::table* table = node.as_table();
      if (table == nullptr) {
        fail(node.source(), fmt::format("{} = {}: allowed: a table with the keys {}", path, shown_value(node),
                                        joined(names_in(path))));
      }
      apply(path + ".", *table);
    } else if (!apply_parameter(path, node)) {
      unknown(path, at);
    }
  }
  void apply(const std::string& prefix, const toml::table& table) {
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      // A quoted "sampler.batch" is one name with a point in it.
      if (name.find('.') != std::string::npos) fail(key.source(), "unknown key " + quoted(prefix + name));
      apply(prefix + name, node, key.source());
    }
  }

 private:
  [[noreturn]] void fail(const toml::source_region& at, const std::string& message) const {
    if (source_.empty()) throw InputError("--set: " + message);
    throw InputError(fmt::format("{}:{}:{}: {}", source_, at.begin.line, at.begin.column, message));
  }
  [[noreturn]] void refuse(const Key& key, const toml::node& node, const std::string& note = "") const {
    fail(node.source(),
         fmt::format("{} = {}: allowed: {}{}", key.path, shown_value(node), allowed_values(key.rule), note));
  }

  [[noreturn]] void unknown(const std::string& path, const toml::source_region& at) const {
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
    const std::string meant = nearest(wrong, all_paths());
    fail(at, fmt::format("unknown key {}{}", shown_key(wrong),
                         meant.empty() ? fmt::format("; known{}: {}", table.empty() ? "" : " in " + table,
                                                     joined(names_in(table)))
                                       : did_you_mean(meant)));
  }

  // clock.delay_ms.base = 3.0: the parent is a distribution.
  bool apply_parameter(const std::string& path, const toml::node& node) {
    const std::size_t dot = path.rfind('.');
    const Key* key = dot == std::string::npos ? nullptr : find_key(path.substr(0, dot));
    if (key == nullptr || !std::holds_alternative<DistributionRule>(key->rule)) return false;
    read(*key, std::get<DistributionRule>(key->rule), toml::table{{path.substr(dot + 1), node}});
    return true;
  }

  void read(const Key& key, const IntegerRule& rule, const toml::node& node) {
    const auto* value = node.as_integer();
    if (value == nullptr || value->get() < rule.low || value->get() > rule.high) refuse(key, node);
    std::visit(
        [&](auto field) {
          auto& target = field(config_);
          target = static_cast<std::decay_t<decltype(target)>>(value->get());
        },
        rule.field);
  }

  void read(const Key& key, const RealRule& rule, const toml::node& node) {
    const double value = number_of(node);
    const bool inside =
        std::isfinite(value) && value <= rule.high && (rule.above ? value > rule.low : value >= rule.low);
    if (!inside) refuse(key, node);
    rule.field(config_) = value;
  }

  void read(const Key& key, const FlagRule& rule, const toml::node& node) {
    const auto* value = node.as_boolean();
    if (value == nullptr) refuse(key, node);
    rule.field(config_) = value->get();
  }

  void read(const Key& key, const ChoiceRule& rule, const toml::node& node) {
    const auto* value = node.as_string();
    if (value == nullptr) refuse(key, node);
    std::vector<std::string> names;
    for (const Choice& choice : rule.choices) names.push_back(choice.name);
    if (std::find(names.begin(), names.end(), value->get()) == names.end()) {
      refuse(key, node, did_you_mean(nearest(value->get(), names)));
    }
    rule.field(config_) = value->get();
  }

  void read(const Key& key, const TextRule& rule, const toml::node& node) {
    const auto* value = node.as_string();
    if (value == nullptr || value->get().find('\0') != std::string::npos) refuse(key, node);
    rule.field(config_) = value->get();
  }

  void read(const Key& key, const IntegersRule& rule, const toml::node& node) {
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

  void read(const Key& key, const LayersRule& rule, const toml::node& node) {
    const toml::array* list = node.as_array();
    if (list == nullptr) refuse(key, node);
    std::vector<LayerSpec> layers;
    for (const toml::node& item : *list) {
      const toml::table* table = item.as_table();
      if (table == nullptr) refuse(key, item);
      layers.push_back(layer(key, *table));
    }
    rule.field(config_) = std::move(layers);
  }

  LayerSpec layer(const Key& key, const toml::table& table) const {
    const std::string path = key.path + ".";
    std::vector<std::string> kinds;
    const LayerKindInfo* info = nullptr;
    const toml::node* kind = table.get("kind");
    const auto* text = kind == nullptr ? nullptr : kind->as_string();
    for (const LayerKindInfo& known : layer_kind_infos()) {
      if (text != nullptr && text->get() == known.name) info = &known;
      kinds.push_back(known.name);
    }
    if (info == nullptr) {
      fail(table.source(),
           fmt::format("{}kind = {}: allowed: {}{}", path, kind == nullptr ? "none" : shown_value(*kind), joined(kinds),
                       did_you_mean(text == nullptr ? "" : nearest(text->get(), kinds))));
    }
    LayerSpec spec{.kind = info->kind, .name = ""};
    for (const auto& [name, value] : table) {
      const std::string number_key(name.str());
      const auto* number = value.as_integer();
      if (number_key == "kind") continue;
      if (number_key == "name") {
        const auto* given = value.as_string();
        if (given == nullptr || given->get().empty()) {
          fail(value.source(), fmt::format("{}name = {}: allowed: a string", path, shown_value(value)));
        }
        spec.name = given->get();
      } else if (std::find(info->keys.begin(), info->keys.end(), number_key) == info->keys.end()) {
        fail(name.source(), fmt::format("unknown key {}: kind = \"{}\" takes {}{}", shown_key(path + number_key),
                                        info->name, info->keys.empty() ? "none" : joined(info->keys),
                                        did_you_mean(nearest(number_key, info->keys))));
      } else if (number_key == "bias") {
        const auto* flag = value.as_boolean();
        if (flag == nullptr)
          fail(value.source(), fmt::format("{}bias = {}: allowed: true, false", path, shown_value(value)));
        spec.bias = flag->get();
      } else {
        const bool from_zero = number_key == "padding" || number_key == "groups" || info->kind == LayerKind::kLinear;
        if (number == nullptr || number->get() < (from_zero ? 0 : 1) || number->get() > 65536) {
          fail(value.source(), fmt::format("{}{} = {}: allowed: an integer in [{}, 65536]", path, number_key,
                                           shown_value(value), from_zero ? 0 : 1));
        }
        layer_number(spec, number_key) = static_cast<std::int32_t>(number->get());
      }
    }
    return complete(spec, path, table.source());
  }

  // What a layer cannot do without.
  LayerSpec complete(const LayerSpec& spec, const std::string& path, const toml::source_region& at) const {
    const bool pool = spec.kind == LayerKind::kMaxPool || spec.kind == LayerKind::kAvgPool;
    if (spec.kind == LayerKind::kConv2d && spec.out == 0) fail(at, path + "out: a conv needs its output channels");
    if ((spec.kind == LayerKind::kConv2d || pool) && spec.kernel == 0) fail(at, path + "kernel: missing");
    if (spec.kind == LayerKind::kMaxPool && (spec.kernel > 15 || 2 * spec.padding > spec.kernel)) {
      fail(at, fmt::format(
                   "{}kernel = {}, padding = {}: allowed for max_pool: windows up to 15, padding up to half of them",
                   path, spec.kernel, spec.padding));
    }
    return spec;
  }

  // Parameters left out keep their values while the kind stays; a new kind starts from its own defaults.
  void read(const Key& key, const DistributionRule& rule, const toml::node& node) {
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

  const DistributionInfo& kind_of(const Key& key, const DistributionRule& rule, const toml::node& node) const {
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

  // NaN, which every rule refuses, if the node is no number.
  static double number_of(const toml::node& node) {
    if (const auto* value = node.as_integer()) return static_cast<double>(value->get());
    if (const auto* value = node.as_floating_point()) return value->get();
    return std::numeric_limits<double>::quiet_NaN();
  }

  Config& config_;
  std::string source_;
};

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return text;
}

void apply_override(Config& config, const std::string& text) {
  const std::size_t equals = text.find('=');
  const auto trimmed = [](const std::string& s) {
    const std::size_t first = s.find_first_not_of(" \t");
    return first == std::string::npos ? std::string() : s.substr(first, s.find_last_not_of(" \t") - first + 1);
  };
  const std::string path = trimmed(text.substr(0, equals));
  if (equals == std::string::npos || path.empty()) {
    throw InputError(fmt::format("--set {}: allowed: key=value, as in sampler.kind=fpls", quoted(shortened(text))));
  }
  const std::string value = trimmed(text.substr(equals + 1));

  // A bare word is a string, and for keys that take strings so is all that is not written as one (12, true, a/path).
  const Key* key = find_key(path);
  const bool takes_text =
      key != nullptr && (std::holds_alternative<ChoiceRule>(key->rule) || std::holds_alternative<TextRule>(key->rule));
  const bool structured = !value.empty() && std::strchr("\"'[{", value.front()) != nullptr;
  toml::table document;
  const auto parse = [&](const std::string& literal) {
    document = toml::parse("value = " + literal);
    // A comment or a second line would otherwise be dropped silently. Columns count characters, not bytes.
    const auto characters = std::count_if(literal.begin(), literal.end(), [](char c) { return (c & 0xc0) != 0x80; });
    const bool whole = document.size() == 1 && literal.find('\n') == std::string::npos &&
                       document.begin()->second.source().end.column == 9 + characters;
    if (!whole) throw InputError(fmt::format("--set {}: allowed: one TOML value", quoted(shortened(text))));
  };
  try {
    if (structured || !takes_text) parse(value);
  } catch (const toml::parse_error& error) {
    document.clear();
    if (structured) {
      throw InputError(
          fmt::format("--set {}: {}", quoted(shortened(text)), one_line(std::string(error.description()))));
    }
  }
  if (document.empty()) {
    try {
      parse(quoted(value));
    } catch (const toml::parse_error&) {
      throw InputError(fmt::format("--set {}: allowed: UTF-8 text", shown_key(path)));
    }
  }
  Reader(config, "").apply(path, document.begin()->second, {});
}

// What only the whole config can tell.
void check(const Config& config) {
  for (const Key& key : config_keys()) {
    if (const auto* rule = std::get_if<DistributionRule>(&key.rule)) {
      const Distribution& distribution = get(rule->field, config);
      check_distribution(distribution, key.path, rule->use == DistributionUse::kTime);
      if (distribution.kind == DistributionKind::kTrace && config.clock.trace_file.empty()) {
        throw InputError(fmt::format("clock.trace_file = \"\": allowed: a path, since {}.kind = \"trace\"", key.path));
      }
    }
  }
  const auto need_file = [](const char* table, const std::string& kind, const std::string& file) {
    if (kind == "file" && file.empty()) {
      throw InputError(fmt::format("{0}.file = \"\": allowed: a path, since {0}.kind = \"file\"", table));
    }
  };
  need_file("partition", config.partition.kind, config.partition.file);
  need_file("sampler", config.sampler.kind, config.sampler.file);
  const auto need_momentum = [](const char* side, const OptimizerSettings& optimizer) {
    if (optimizer.nesterov && optimizer.momentum == 0.0) {
      throw InputError(
          fmt::format("train.{0}.momentum = 0.0: allowed: a number in (0, 1), since train.{0}.nesterov = true", side));
    }
  };
  for (const auto& [side, optimizer] : {std::pair{"client_optimizer", &config.train.client_optimizer},
                                        std::pair{"server_optimizer", &config.train.server_optimizer}}) {
    if (optimizer->nesterov && optimizer->dampening != 0.0) {
      throw InputError(fmt::format("train.{0}.dampening = {1}: allowed: 0.0, since train.{0}.nesterov = true", side,
                                   number(optimizer->dampening)));
    }
    if (optimizer->schedule == "multistep" && optimizer->milestones.empty()) {
      throw InputError(fmt::format(
          "train.{0}.milestones = []: allowed: at least one epoch, since train.{0}.schedule = \"multistep\"", side));
    }
  }
  if (config.eval.replicas == "one" && config.eval.client >= config.partition.clients) {
    throw InputError(fmt::format("eval.client = {}: allowed: an integer in [0, {}], since partition.clients = {}",
                                 config.eval.client, config.partition.clients - 1, config.partition.clients));
  }
  need_momentum("client_optimizer", config.train.client_optimizer);
  need_momentum("server_optimizer", config.train.server_optimizer);
}

}  // namespace

Config parse_config(const std::string& toml_text, const std::string& source_name,
                    const std::vector<std::string>& overrides, const Config& base) {
  Config config = base;
  const std::string source = one_line(source_name);
  try {
    const toml::table document = toml::parse(toml_text);
    Reader(config, source).apply("", document);
  } catch (const toml::parse_error& error) {
    throw InputError(fmt::format("{}:{}:{}: {}", source, error.source().begin.line, error.source().begin.column,
                                 one_line(std::string(error.description()))));
  }
  for (const std::string& text : overrides) apply_override(config, text);
  check(config);
  return config;
}

Config load_config(const std::string& path, const std::vector<std::string>& overrides) {
  return parse_config(read_text_file(path), path, overrides);
}

}  // namespace splitsim
