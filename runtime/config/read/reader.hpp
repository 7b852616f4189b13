// Applies TOML values to a config: types, ranges, names, and errors that name their place. For the parser only.
#pragma once

#include <toml++/toml.h>

#include <string>
#include <vector>

#include "runtime/config/keys/keys.hpp"

namespace splitsim {

/// Where values come from.
struct ValueSource {
  std::string name;    ///< a file, or the option whose values have no lines: "--set"
  std::string folder;  ///< absolute; relative paths count from it
  bool has_lines;
};

/// A key that a source gave, as it stands in messages.
struct GivenKey {
  std::vector<const Key*> keys;  ///< several if it was written as a short key
  std::string written;           ///< the key as it was written
  std::string value;             ///< as TOML
  std::string place;             ///< "exp.toml:3:1: ", "--set: "
};

class Reader {
 public:
  /// Every key that is applied is added to `given`, which outlives the reader.
  Reader(Config& config, ValueSource source, std::vector<GivenKey>& given)
      : config_(config), source_(std::move(source)), given_(given) {}

  /// The value `node` of the key or table `path`; `at` is where to point when the key itself is wrong.
  void apply(const std::string& path, const toml::node& node, const toml::source_region& at);
  void apply(const std::string& prefix, const toml::table& table);

 private:
  [[noreturn]] void fail(const toml::source_region& at, const std::string& message) const;
  [[noreturn]] void refuse(const Key& key, const toml::node& node, const std::string& note = "") const;
  [[noreturn]] void unknown(const std::string& path, const toml::source_region& at) const;
  std::string place(const toml::source_region& at) const;
  void apply_key(const Key& key, const toml::node& node, const toml::source_region& at);
  bool apply_parameter(const std::string& path, const toml::node& node, const toml::source_region& at);
  void note(const Key& key, const toml::source_region& at);
  const std::string& name_of(const Key& key) const { return short_.empty() ? key.path : short_; }

  void read(const Key& key, const IntegerRule& rule, const toml::node& node);
  void read(const Key& key, const RealRule& rule, const toml::node& node);
  void read(const Key& key, const SeedRule& rule, const toml::node& node);
  void read(const Key& key, const FlagRule& rule, const toml::node& node);
  void read(const Key& key, const ChoiceRule& rule, const toml::node& node);
  void read(const Key& key, const TextRule& rule, const toml::node& node);
  void read(const Key& key, const IntegersRule& rule, const toml::node& node);
  void read(const Key& key, const LayersRule& rule, const toml::node& node);
  void read(const Key& key, const DistributionRule& rule, const toml::node& node);
  LayerSpec layer(const Key& key, const toml::table& table) const;
  const DistributionInfo& kind_of(const Key& key, const DistributionRule& rule, const toml::node& node) const;

  Config& config_;
  ValueSource source_;
  std::vector<GivenKey>& given_;
  std::string short_ = {};  // the short key that is being applied
};

/// Text for messages: a key (quoted unless it is plain, so that a message is one line), a value, a long text cut.
std::string shown_key(const std::string& path);
std::string shown_value(const toml::node& node);
std::string shortened(const std::string& text);
/// "; did you mean NAME?", or nothing.
std::string did_you_mean(const std::string& name);

}  // namespace splitsim
