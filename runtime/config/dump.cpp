#include <fmt/format.h>

#include "runtime/config/keys.hpp"
#include "samplers/hash.hpp"

namespace splitsim {

namespace {

// The parts of a key's path: table, inline table within it, name; the first two may be empty.
struct Parts {
  std::string table, inner, name;
};
Parts parts_of(const std::string& path) {
  const std::size_t first = path.find('.'), last = path.rfind('.');
  if (first == std::string::npos) return {"", "", path};
  if (first == last) return {path.substr(0, first), "", path.substr(first + 1)};
  return {path.substr(0, first), path.substr(first + 1, last - first - 1), path.substr(last + 1)};
}

// A seed that is absent, or, for the hash, that is the experiment's anyway.
bool says_nothing(const Key& key, const Config& config, bool for_hash) {
  const auto* rule = std::get_if<SeedRule>(&key.rule);
  if (rule == nullptr) return false;
  const std::optional<std::uint64_t>& seed = get(rule->field, config);
  return !seed.has_value() || (for_hash && *seed == config.seed);
}

std::string dump(const Config& config, bool with_paths) {
  std::string text, table, inner;
  const auto close_inner = [&] {
    if (!inner.empty()) text += " }\n";
    inner.clear();
  };
  for (const Key& key : config_keys()) {
    if ((key.is_path() && !with_paths) || !is_read(key, config)) continue;
    if (says_nothing(key, config, !with_paths)) continue;
    const Parts parts = parts_of(key.path);
    if (parts.inner != inner || parts.table != table) close_inner();
    if (parts.table != table) text += fmt::format("\n[{}]\n", parts.table);
    if (parts.inner.empty()) {
      text += fmt::format("{} = {}\n", parts.name, value_toml(key, config));
    } else {
      text += inner.empty() ? fmt::format("{} = {{ ", parts.inner) : ", ";
      text += fmt::format("{} = {}", parts.name, value_toml(key, config));
    }
    table = parts.table;
    inner = parts.inner;
  }
  close_inner();
  return text;
}

std::string help_of(const ChoiceRule& rule, const std::string& help) {
  if (rule.registry) return fmt::format("{}: {}", help, allowed_values(rule));
  std::vector<std::string> choices;
  for (const Choice& choice : rule.choices) choices.push_back(fmt::format("{} ({})", choice.name, choice.summary));
  return fmt::format("{}: {}", help, joined(choices));
}
std::string help_of(const SeedRule&, const std::string& help) { return help + "; absent: the experiment's seed"; }
std::string help_of(const DistributionRule&, const std::string& help) { return help + ": a distribution"; }
std::string help_of(const LayersRule&, const std::string& help) { return help; }
std::string help_of(const TextRule&, const std::string& help) { return help; }
std::string help_of(const FlagRule&, const std::string& help) { return help; }
template <class Rule>
std::string help_of(const Rule& rule, const std::string& help) {
  return fmt::format("{}; {}", help, allowed_values(rule));
}

}  // namespace

std::string to_toml(const Config& config) { return dump(config, true); }

std::string config_sha256(const Config& config) {
  Sha256 hash;
  hash.add(dump(config, false));
  return hash.hex();
}

std::string config_help() {
  const Config defaults;
  std::string text = "Keys of the configuration, with their defaults (units in brackets):\n";
  for (const Key& key : config_keys()) {
    const std::string help = std::visit([&](const auto& rule) { return help_of(rule, key.help); }, key.rule);
    text += fmt::format("  {} = {}{}  {}\n", key.path, value_toml(key, defaults),
                        key.unit.empty() ? "" : fmt::format(" [{}]", key.unit), help);
  }
  for (const Key& key : config_keys()) {
    const auto* rule = std::get_if<ChoiceRule>(&key.rule);
    if (rule == nullptr || !rule->registry) continue;
    text += fmt::format("\n{}, {}:\n", key.path, key.help);
    for (const Choice& choice : rule->choices) text += fmt::format("  {:<20} {}\n", choice.name, choice.summary);
  }
  text += "\nmodel.layers, a list of { kind = ..., name = ... } with these keys (linear without out: the classes):\n";
  for (const LayerKindInfo& info : layer_kind_infos())
    text += fmt::format("  {:<20} {}\n", info.name, joined(info.keys));
  text +=
      "\nDistributions, { kind = ..., parameters }. Parameters left out keep their values; a new kind starts from:\n";
  for (const DistributionInfo& info : distribution_infos()) {
    Distribution distribution = default_distribution(info);
    std::string parameters;
    for (std::size_t i = 0; i < info.parameters.size(); ++i) {
      parameters += fmt::format(" {} = {:g}", info.parameters[i], parameter(distribution, i));
    }
    text += fmt::format("  {:<20} {}{}{}\n", info.name, info.summary, parameters.empty() ? "" : ";", parameters);
  }
  return text;
}

}  // namespace splitsim
