// Lines of the table of keys: one function per kind of value. For keys*.cpp only.
#pragma once

#include <iterator>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/names.hpp"
#include "runtime/config/keys/keys.hpp"
#include "runtime/mode/mode.hpp"

namespace splitsim::key_table {

inline constexpr std::int64_t kMaxInt32 = std::numeric_limits<std::int32_t>::max();
inline constexpr std::int64_t kMaxInt64 = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t kMaxEpochs = (std::int64_t{1} << 24) - 1;  // an epoch has 24 bits in a random address
inline constexpr double kUnbounded = std::numeric_limits<double>::infinity();
inline constexpr double kBelowOne = 1.0 - 0x1p-53;  // the largest number < 1
inline constexpr double kMaxServerMs = 1e6;         // a run's sum of nanoseconds stays within 63 bits

// at<&SamplerSettings::batch>: the field of that section in a config.
template <class S, class T>
S section_type(T S::*);
template <class Section>
Section& section(Config& c) {
  if constexpr (std::is_same_v<Section, Config>) return c;
  if constexpr (std::is_same_v<Section, SeedSettings>) return c.seeds;
  if constexpr (std::is_same_v<Section, DataSettings>) return c.data;
  if constexpr (std::is_same_v<Section, PartitionSettings>) return c.partition;
  if constexpr (std::is_same_v<Section, SamplerSettings>) return c.sampler;
  if constexpr (std::is_same_v<Section, ModelSettings>) return c.model;
  if constexpr (std::is_same_v<Section, CutSettings>) return c.cut;
  if constexpr (std::is_same_v<Section, TrainSettings>) return c.train;
  if constexpr (std::is_same_v<Section, EvalSettings>) return c.eval;
  if constexpr (std::is_same_v<Section, ClientSettings>) return c.clients;
  if constexpr (std::is_same_v<Section, LatencySettings>) return c.clock;
  if constexpr (std::is_same_v<Section, RecordSettings>) return c.record;
}
template <auto Member>
auto& at(Config& c) {
  return section<decltype(section_type(Member))>(c).*Member;
}
template <auto Side, auto Member>
auto& optimizer_at(Config& c) {
  return c.train.*Side.*Member;
}

template <class T>
Key integer(std::string path, T& (*field)(Config&), std::int64_t low, std::int64_t high, std::string unit,
            std::string help) {
  return {std::move(path), IntegerRule{field, low, high}, std::move(unit), std::move(help)};
}
inline Key real(std::string path, Field<double> field, double low, double high, std::string unit, std::string help) {
  return {std::move(path), RealRule{field, low, high}, std::move(unit), std::move(help)};
}
inline Key positive(std::string path, Field<double> field, std::string unit, std::string help) {
  return {std::move(path), RealRule{field, 0.0, kUnbounded, true}, std::move(unit), std::move(help)};
}
/// In (0, 1].
inline Key share(std::string path, Field<double> field, std::string help) {
  return {std::move(path), RealRule{field, 0.0, 1.0, true}, "", std::move(help)};
}
inline Key seed(std::string path, Field<std::optional<std::uint64_t>> field, std::string help) {
  return {std::move(path), SeedRule{field}, "", std::move(help)};
}
inline Key flag(std::string path, Field<bool> field, std::string help) {
  return {std::move(path), FlagRule{field}, "", std::move(help)};
}
inline ChoiceRule text_choice(Field<std::string> field, std::vector<Choice> choices, bool registry) {
  return {[field](const Config& c) { return get(field, c); },
          [field](Config& c, const std::string& name) { field(c) = name; }, std::move(choices), registry};
}
/// A name of an enum's table.
template <class E>
Key choice(std::string path, E& (*field)(Config&), std::string help) {
  ChoiceRule rule{[field](const Config& c) { return std::string(name_of(get(field, c))); },
                  [field, path](Config& c, const std::string& name) { set_named(field(c), path, name); },
                  {},
                  false};
  for (const ValueName& value : names_of(E{})) rule.choices.push_back({value.name, value.summary});
  return {std::move(path), std::move(rule), "", std::move(help)};
}
/// A name of a registry whose lines are short.
inline Key listed(std::string path, Field<std::string> field, std::vector<Choice> choices, std::string help) {
  return {std::move(path), text_choice(field, std::move(choices), false), "", std::move(help)};
}
inline Key text(std::string path, Field<std::string> field, std::string help) {
  return {std::move(path), TextRule{field, false}, "", std::move(help)};
}
inline Key path_to(std::string path, Field<std::string> field, std::string help) {
  return {std::move(path), TextRule{field, true}, "", std::move(help)};
}
inline Key draw(std::string path, Field<Distribution> field, DistributionUse use, std::string unit, std::string help) {
  return {std::move(path), DistributionRule{field, use}, std::move(unit), std::move(help)};
}

template <class Infos>
std::vector<Choice> choices_of(const Infos& registry) {
  std::vector<Choice> choices;
  for (const auto& info : registry) choices.push_back({info.name, info.summary});
  return choices;
}
template <class Infos>
Key named(std::string path, Field<std::string> field, const Infos& registry, std::string help) {
  return {std::move(path), text_choice(field, choices_of(registry), true), "", std::move(help)};
}

/// The modes whose map, under default settings, is so.
template <class Is>
std::vector<std::string> modes_where(Is is) {
  std::vector<std::string> names;
  for (const ModeInfo& info : mode_infos()) {
    TrainSettings settings;
    settings.mode = info.name;
    if (is(mode_map(settings))) names.push_back(info.name);
  }
  return names;
}

/// [train] and its optimizers (keys_train.cpp).
std::vector<Key> cut_keys();
std::vector<Key> train_keys();
/// [clients] (keys_clients.cpp).
std::vector<Key> client_keys();
/// [clock] (keys_clock.cpp).
std::vector<Key> clock_keys();

}  // namespace splitsim::key_table
