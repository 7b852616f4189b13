// The table of every configuration key, declared once: parsing, errors, the resolved dump, the hash, the help and
// equality all come from it. A new setting is a field in its struct and one line in keys.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "runtime/config/config.hpp"

namespace splitsim {

/// Where a key's value lives in a Config.
template <class T>
using Field = T& (*)(Config&);

/// A name that a key accepts, with its line for --help.
struct Choice {
  std::string name;
  std::string summary;
};

struct IntegerRule {
  std::variant<Field<std::int32_t>, Field<std::int64_t>, Field<std::uint64_t>> field;
  std::int64_t low, high;  ///< inclusive
};

/// Finite numbers in [low, high], or in (low, high] with `above`. Integers are taken as numbers.
struct RealRule {
  Field<double> field;
  double low, high;
  bool above = false;  ///< low itself is refused
};

/// An integer >= 0, or absent: then the key is not in the dump.
struct SeedRule {
  Field<std::optional<std::uint64_t>> field;
};

struct FlagRule {
  Field<bool> field;
};

/// One of several names: of a registry (text), or of an enum's values (base/names.hpp).
struct ChoiceRule {
  std::function<std::string(const Config&)> get;
  std::function<void(Config&, const std::string&)> set;  ///< takes a name of `choices`
  std::vector<Choice> choices;
  bool registry;  ///< the help lists the choices one per line
};

/// Free text. Paths are left out of the hash.
struct TextRule {
  Field<std::string> field;
  bool is_path = false;
};

/// A list of integers in [low, high], ascending.
struct IntegersRule {
  Field<std::vector<std::int64_t>> field;
  std::int64_t low, high;
};

/// A list of tables { kind = "conv", out = 32, ... }, see layer_kinds().
struct LayersRule {
  Field<std::vector<LayerSpec>> field;
};

/// What a distribution is for: times may be 0, rates may not, jitter is drawn per step and client (no traces, no 0).
enum class DistributionUse : std::uint8_t { kTime, kRate, kJitter };

/// An inline table { kind = ..., parameters }, see distribution_infos().
struct DistributionRule {
  Field<Distribution> field;
  DistributionUse use;
};

/// What another key must be for a key to be read.
struct Condition {
  std::string key;                  ///< its path
  std::vector<std::string> values;  ///< any of these (of a distribution: kinds); empty: any but 0, false and ""
};

struct Key {
  using Rule =
      std::variant<IntegerRule, RealRule, SeedRule, FlagRule, ChoiceRule, TextRule, DistributionRule, IntegersRule,
                   LayersRule>;

  std::string path;  ///< dotted, as in --set
  Rule rule;
  std::string unit;  ///< empty if the value has none
  std::string help;
  /// Read if all conditions of any of these hold; none: always.
  std::vector<std::vector<Condition>> conditions = {};

  /// The same key, read also (first call: only) where all of these hold.
  Key when(std::vector<Condition> all) && {
    conditions.push_back(std::move(all));
    return std::move(*this);
  }

  bool is_path() const {
    const TextRule* text = std::get_if<TextRule>(&rule);
    return text != nullptr && text->is_path;
  }
};

/// All keys, grouped by table, in the order in which to_toml() writes them.
const std::vector<Key>& config_keys();

/// The key of this path, or nullptr.
const Key* find_key(const std::string& path);

/// What a rule allows, as the end of "key = value: allowed: ".
std::string allowed_values(const Key::Rule& rule);

/// Whether anything reads the key where the other keys are as in `config`.
bool is_read(const Key& key, const Config& config);

/// Of a key that is not read: "sampler.kind = "ugs" does not read it; urn and lds do".
std::string why_unread(const Key& key, const Config& config);

/// What a key is read with: "sampler.kind = urn, lds"; empty: always.
std::string read_where(const Key& key);

/// Gives every key that is not read its default.
void reset_unread(Config& config);

/// Whether a key has the same value in both.
bool same_value(const Key& key, const Config& a, const Config& b);

/// Makes a key's value in `to` that in `from`.
void copy_value(const Key& key, const Config& from, Config& to);

/// The value of a key as TOML; empty for a seed that is absent.
std::string value_toml(const Key& key, const Config& config);

/// A distribution of this kind with every parameter at its default: what a table gets that names only a new kind.
Distribution default_distribution(const DistributionInfo& info);

/// The parameter at a place of DistributionInfo::parameters.
double& parameter(Distribution& distribution, std::size_t place);

/// Text as a TOML basic string, quotes included: one line whatever is in it.
std::string quoted(const std::string& text);

/// "a, b, c".
std::string joined(const std::vector<std::string>& names);

/// A number as TOML: the shortest text that gives the same double, with a point or an exponent.
std::string number(double value);

/// Member access through a const Config: a Field only forms a reference, it never writes.
template <class T>
const T& get(Field<T> field, const Config& config) {
  return field(const_cast<Config&>(config));
}

}  // namespace splitsim
