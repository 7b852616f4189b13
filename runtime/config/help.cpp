#include "runtime/config/help.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/nearest.hpp"
#include "runtime/config/keys/keys.hpp"
#include "runtime/config/keys/short_keys.hpp"
#include "runtime/model/layer_kind.hpp"

namespace splitsim {

namespace {

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

std::string help_of(const Key& key) {
  return std::visit([&](const auto& rule) { return help_of(rule, key.help); }, key.rule);
}

std::string default_of(const Key& key, const Config& config) {
  const std::string value = value_toml(key, config);
  return value.empty() ? fmt::to_string(config.seed) : value;  // of a seed: the experiment's
}

bool in_section(const Key& key, const std::string& section) {
  return section == "all" || key.path == section || key.path.starts_with(section + ".");
}

std::string keys_help(const std::string& section) {
  const Config defaults;
  std::string text;
  for (const Key& key : config_keys()) {
    if (!in_section(key, section)) continue;
    const std::string where = read_where(key);
    text += fmt::format("  {} = {}{}  {}{}\n", key.path, default_of(key, defaults),
                        key.unit.empty() ? "" : fmt::format(" [{}]", key.unit), help_of(key),
                        where.empty() ? "" : fmt::format(" (only with {})", where));
  }
  for (const Key& key : config_keys()) {
    const auto* rule = std::get_if<ChoiceRule>(&key.rule);
    if (rule == nullptr || !rule->registry || !in_section(key, section)) continue;
    text += fmt::format("\n{}, {}:\n", key.path, key.help);
    for (const Choice& choice : rule->choices) text += fmt::format("  {:<20} {}\n", choice.name, choice.summary);
  }
  return text;
}

std::string layers_help() {
  std::string text =
      "model.layers, a list of { kind = ..., name = ... } with these keys (linear without out: the classes):\n";
  for (const LayerKind& kind : layer_kinds()) {
    if (kind.listed) text += fmt::format("  {:<20} {}\n", kind.name, joined(key_names(kind)));
  }
  return text;
}

std::string distributions_help() {
  std::string text =
      "Distributions, { kind = ..., parameters }. Parameters left out keep their values; a new kind starts from:\n";
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

std::string short_help() {
  std::string text = "Short keys, for both sides at once (train.optimizer may be a table too):\n";
  for (const ShortKey& key : short_keys()) text += fmt::format("  {:<24} {}\n", key.path, joined(key.means));
  return text;
}

void add_comment(std::string& text, const std::string& comment) {
  constexpr std::size_t kWidth = 100;
  for (std::size_t first = 0; first < comment.size();) {
    std::size_t end = comment.size();
    if (end - first > kWidth) {
      end = comment.rfind(' ', first + kWidth);
      if (end == std::string::npos || end <= first) end = std::min(comment.find(' ', first), comment.size());
    }
    text += fmt::format("# {}\n", comment.substr(first, end - first));
    first = end + 1;
  }
}

}  // namespace

const std::vector<HelpSection>& help_sections() {
  static const std::vector<HelpSection> sections = {
      {"data", "data sets, where their files are, augmentation"},
      {"partition", "how samples are dealt to clients"},
      {"sampler", "who trains on what, in which step"},
      {"model", "networks, cuts, norms, initial weights"},
      {"cut", "compression and noise on the link at the cut"},
      {"train", "modes, epochs, optimizers, checkpoints"},
      {"eval", "when and on what is tested"},
      {"clients", "groups of clients, and when clients are there"},
      {"clock", "delays, compute times, links, barriers"},
      {"record", "files that are written on request"},
      {"distributions", "kinds of delays, times, speeds and their parameters"},
      {"layers", "what model.layers may hold"},
      {"short", "short keys for both sides: train.lr"},
      {"all", "everything"},
  };
  return sections;
}

std::string config_help(const std::string& section) {
  std::vector<std::string> names;
  for (const HelpSection& known : help_sections()) names.push_back(known.name);
  if (std::find(names.begin(), names.end(), section) == names.end()) {
    const std::string meant = nearest(section, names);
    throw InputError(fmt::format("--help {}: allowed: {}{}", quoted(section), joined(names),
                                 meant.empty() ? "" : fmt::format("; did you mean {}?", meant)));
  }
  if (section == "layers") return layers_help();
  if (section == "distributions") return distributions_help();
  if (section == "short") return short_help();
  std::string text = "Keys of the configuration, with their defaults (units in brackets):\n" + keys_help(section);
  const bool all = section == "all";
  if (all || section == "model") text.append("\n").append(layers_help());
  if (all || section == "clock") text.append("\n").append(distributions_help());
  if (all || section == "train") text.append("\n").append(short_help());
  return text;
}

std::string commented_toml(const Config& config) {
  std::string text =
      "# A configuration of splitsim: every key, as it is unless something else is said. A key that nothing reads here "
      "is\n"
      "# a comment, with what would read it.\n";
  std::string table;
  for (const Key& key : config_keys()) {
    const std::size_t dot = key.path.find('.');
    const std::string now = dot == std::string::npos ? "" : key.path.substr(0, dot);
    if (now != table) text += fmt::format("\n[{}]\n", now);
    table = now;
    text += "\n";
    std::string comment = help_of(key);
    if (!key.unit.empty()) comment += fmt::format(" [{}]", key.unit);
    const std::string where = read_where(key);
    if (!where.empty()) comment += fmt::format(" (only with {})", where);
    add_comment(text, comment);
    const bool absent = value_toml(key, config).empty();
    text += fmt::format("{}{} = {}\n", absent || !is_read(key, config) ? "# " : "",
                        dot == std::string::npos ? key.path : key.path.substr(dot + 1), default_of(key, config));
  }
  return text;
}

}  // namespace splitsim
