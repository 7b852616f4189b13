// One experiment as a value: what a TOML file, its defaults and `--set key=value` resolve to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/data/dataset.hpp"
#include "runtime/mode/settings.hpp"
#include "runtime/model/cut_settings.hpp"
#include "runtime/model/models.hpp"
#include "samplers/latency/profile.hpp"
#include "samplers/population/client_settings.hpp"
#include "samplers/population/partition.hpp"
#include "samplers/schedule/sampler.hpp"

namespace splitsim {

/// Keys data.seed, partition.seed, sampler.seed, model.seed, clock.seed; absent: the experiment's seed (seeds.hpp).
struct SeedSettings {
  std::optional<std::uint64_t> data, partition, sampler, model, clock;
};

/// Keys of [record].
struct RecordSettings {
  bool waiting = false;  ///< waiting.csv: how long each client of each step waited
};

struct Config {
  std::uint64_t seed = 1;
  SeedSettings seeds;
  DataSettings data;
  PartitionSettings partition;
  SamplerSettings sampler;
  ModelSettings model;
  CutSettings cut;
  TrainSettings train;
  EvalSettings eval;
  ClientSettings clients;
  LatencySettings clock;
  RecordSettings record;
  std::vector<std::string> notes = {};  ///< what reading it found worth a line: old names
};

/// Parses TOML text over `base` (the defaults), then applies overrides of the form "sampler.kind=fpls" (the value is a
/// TOML value, a bare word is taken as a string; inline tables work too). Relative paths in the text count from the
/// folder of `source_name`, those in overrides from the working directory; the config has absolute ones. Short keys
/// ("train.lr", short_keys.hpp) set several keys. A key that the chosen kinds do not read has its default in the
/// result. Errors: InputError, one line: unknown key (with the nearest known one), wrong type, value out of range or
/// not in the list, NaN; a key that nothing reads: one of the text neither under the text alone nor under the result,
/// one of the overrides not under the result; two names of one key with different values; syntax errors with line and
/// column of `source_name`.
Config parse_config(const std::string& toml_text, const std::string& source_name,
                    const std::vector<std::string>& overrides, const Config& base = {});

/// Reads a file and parses it. Errors: as parse_config, and a file that cannot be read.
Config load_config(const std::string& path, const std::vector<std::string>& overrides);

struct ConfigText {
  std::string toml;
  std::string source;  ///< its file, for messages and paths
};

/// One setting over a config, as on the command line, and where it stands.
struct Override {
  std::string text;         ///< "sampler.kind=fpls"; the value is a TOML value, a bare word is a string
  std::string place = {};   ///< "sweep.toml:3:8", for messages; empty: the variant's option
  std::string folder = {};  ///< absolute; relative paths count from it; empty: the working directory

  Override(std::string setting) : text(std::move(setting)) {}  // NOLINT: overrides without a place are texts
  Override(const char* setting) : text(setting) {}             // NOLINT
  Override(std::string setting, std::string where, std::string paths_from)
      : text(std::move(setting)), place(std::move(where)), folder(std::move(paths_from)) {}
};

/// Overrides of one of several configs, the option that they came from, and what to call this config, for messages.
struct ConfigVariant {
  std::string option;
  std::vector<Override> overrides;
  std::string name = {};  ///< "run ugs-seed=1": goes before every message about this config
};

/// Several configs at once, each with further overrides over the same text and overrides. A key of the common ones must
/// be read by at least one config. Errors: as parse_config.
std::vector<Config> parse_variants(const ConfigText& text, const std::vector<Override>& overrides,
                                   const std::vector<ConfigVariant>& variants);

/// Fully resolved TOML of the keys that are read: parse_config(to_toml(c)) is the same experiment, and the same config
/// if c came from parse_config.
std::string to_toml(const Config& config);

/// SHA-256 of the resolved config without paths and without
/// keys that are not read: the same experiment has the same hash wherever its files lie and however many threads or
/// GPUs run it.
std::string config_sha256(const Config& config);

}  // namespace splitsim
