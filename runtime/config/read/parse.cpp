#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "base/files.hpp"
#include "runtime/config/keys/short_keys.hpp"
#include "runtime/config/read/paths.hpp"
#include "runtime/config/read/reader.hpp"

namespace splitsim {

namespace {

// One "key=value" of an option.
void apply_override(Reader& reader, const std::string& option, const std::string& text) {
  const std::size_t equals = text.find('=');
  const auto trimmed = [](const std::string& s) {
    const std::size_t first = s.find_first_not_of(" \t");
    return first == std::string::npos ? std::string() : s.substr(first, s.find_last_not_of(" \t") - first + 1);
  };
  const std::string path = trimmed(text.substr(0, equals));
  if (equals == std::string::npos || path.empty()) {
    throw InputError(
        fmt::format("{} {}: allowed: key=value, as in sampler.kind=fpls", option, quoted(shortened(text))));
  }
  const std::string value = trimmed(text.substr(equals + 1));

  // A bare word is a string, and for keys that take strings so is all that is not written as one (12, true, a/path).
  const std::vector<std::string> meant = meant_by(path);
  const Key* key = find_key(meant.empty() ? path : meant.front());
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
    if (!whole) throw InputError(fmt::format("{} {}: allowed: one TOML value", option, quoted(shortened(text))));
  };
  try {
    if (structured || !takes_text) parse(value);
  } catch (const toml::parse_error& error) {
    document.clear();
    if (structured) {
      throw InputError(
          fmt::format("{} {}: {}", option, quoted(shortened(text)), one_line(std::string(error.description()))));
    }
  }
  if (document.empty()) {
    try {
      parse(quoted(value));
    } catch (const toml::parse_error&) {
      throw InputError(fmt::format("{} {}: allowed: UTF-8 text", option, shown_key(path)));
    }
  }
  reader.apply(path, document.begin()->second, {});
}

void apply_overrides(Config& config, const ConfigVariant& variant, std::vector<GivenKey>& given) {
  for (const Override& setting : variant.overrides) {
    const std::string& place = setting.place.empty() ? variant.option : setting.place;
    Reader reader(config, {place, setting.folder.empty() ? folder_of_paths("") : setting.folder, false}, given);
    apply_override(reader, place, setting.text);
  }
}

// Of losses and weights.
void check_loss(const TrainSettings& train) {
  if (train.loss == LossKind::kFocal && train.label_smoothing != 0.0) {
    throw InputError(fmt::format("train.label_smoothing = {}: allowed: 0.0, since train.loss = \"focal\"",
                                 number(train.label_smoothing)));
  }
  constexpr double kLeast = 1e-6;  // quotients with it stay within double, and their logarithms are exact enough
  if (train.weights == SampleWeights::kAbsgd && std::abs(train.absgd_lambda) < kLeast) {
    throw InputError(fmt::format("train.absgd_lambda = {}: allowed: a finite number >= {:g} or <= -{:g}",
                                 number(train.absgd_lambda), kLeast, kLeast));
  }
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
    if (optimizer->schedule == RateSchedule::kMultistep && optimizer->milestones.empty()) {
      throw InputError(fmt::format(
          "train.{0}.milestones = []: allowed: at least one epoch, since train.{0}.schedule = \"multistep\"", side));
    }
  }
  if (config.eval.replicas == EvalReplicas::kOne && config.eval.client >= config.partition.clients) {
    throw InputError(fmt::format("eval.client = {}: allowed: an integer in [0, {}], since partition.clients = {}",
                                 config.eval.client, config.partition.clients - 1, config.partition.clients));
  }
  const SamplerSettings& sampler = config.sampler;
  if (config.cut.error_feedback &&
      (sampler.kind == "file" || sampler.kind == "callable" || (sampler.kind == "relay" && sampler.local_epochs > 1))) {
    throw InputError(fmt::format(
        "cut.error_feedback = true: allowed for samplers that never give a sample twice in one step; sampler.kind = "
        "\"{}\"{} may",
        sampler.kind, sampler.kind == "relay" ? " with local_epochs > 1" : ""));
  }
  check_loss(config.train);
  need_momentum("client_optimizer", config.train.client_optimizer);
  need_momentum("server_optimizer", config.train.server_optimizer);
}

// Refuses a key that none of the configs reads.
void check_read(const std::vector<GivenKey>& given, const std::vector<Config>& readers) {
  for (const GivenKey& one : given) {
    const bool read = std::any_of(readers.begin(), readers.end(), [&](const Config& config) {
      return std::any_of(one.keys.begin(), one.keys.end(), [&](const Key* key) { return is_read(*key, config); });
    });
    if (read) continue;
    throw InputError(
        fmt::format("{}{} = {}: {}", one.place, one.written, one.value, why_unread(*one.keys.front(), readers.back())));
  }
}

Config finished(Config config) {
  reset_unread(config);
  check(config);
  return config;
}

// Names that once were values still mean what they meant.
void replace_old_names(Config& config) {
  if (config.sampler.kind != "central") return;
  config.sampler.kind = "ugs";
  config.train.mode = "central";
  config.notes.push_back(
      "sampler.kind = \"central\" is an old name: it is read as sampler.kind = \"ugs\" with train.mode = \"central\"");
}

// A file and the overrides over it, before anything is known about variants.
struct Layers {
  Config file_config, config;
  std::vector<GivenKey> in_file, in_overrides;
};

Layers read_layers(const ConfigText& text, const std::vector<Override>& overrides, const Config& base) {
  Layers layers{base, base, {}, {}};
  const std::string source = one_line(text.source);
  try {
    const toml::table document = toml::parse(text.toml);
    Reader(layers.file_config, {source, folder_of_paths(text.source), true}, layers.in_file).apply("", document);
  } catch (const toml::parse_error& error) {
    throw InputError(fmt::format("{}:{}:{}: {}", source, error.source().begin.line, error.source().begin.column,
                                 one_line(std::string(error.description()))));
  }
  layers.config = layers.file_config;
  apply_overrides(layers.config, {"--set", overrides}, layers.in_overrides);
  replace_old_names(layers.file_config);
  replace_old_names(layers.config);
  return layers;
}

// A key of the file may also serve the file's own config: --set sampler.kind=ugs over a file for lds.
void check_read(const Layers& layers, std::vector<Config> finals) {
  check_read(layers.in_overrides, finals);
  finals.insert(finals.begin(), layers.file_config);
  check_read(layers.in_file, finals);
}

}  // namespace

Config parse_config(const std::string& toml_text, const std::string& source_name,
                    const std::vector<std::string>& overrides, const Config& base) {
  const Layers layers = read_layers({toml_text, source_name}, {overrides.begin(), overrides.end()}, base);
  check_read(layers, {layers.config});
  return finished(layers.config);
}

Config load_config(const std::string& path, const std::vector<std::string>& overrides) {
  return parse_config(read_text_file(path), path, overrides);
}

std::vector<Config> parse_variants(const ConfigText& text, const std::vector<Override>& overrides,
                                   const std::vector<ConfigVariant>& variants) {
  const Layers layers = read_layers(text, overrides, {});
  const auto naming = [](const ConfigVariant& variant, const auto& f) {
    try {
      f();
    } catch (const InputError& error) {
      if (variant.name.empty()) throw;
      throw InputError(fmt::format("{}: {}", variant.name, error.what()));
    }
  };
  std::vector<Config> configs;
  for (const ConfigVariant& variant : variants) {
    Config& config = configs.emplace_back(layers.config);
    naming(variant, [&] {
      std::vector<GivenKey> given;
      apply_overrides(config, variant, given);
      replace_old_names(config);
      check_read(given, {config});
    });
  }
  check_read(layers, configs);
  for (std::size_t i = 0; i < configs.size(); ++i) {
    naming(variants[i], [&] { configs[i] = finished(std::move(configs[i])); });
  }
  return configs;
}

}  // namespace splitsim
