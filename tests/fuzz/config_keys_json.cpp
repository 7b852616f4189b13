// Prints the table of configuration keys as JSON, for whole_program.py: [{"key", "type", "default", ...}].
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>

#include "runtime/config/keys/keys.hpp"
#include "runtime/model/layer_kind.hpp"

namespace splitsim {
namespace {

using Json = nlohmann::ordered_json;

// Numbers that JSON lacks are left out: no bound.
Json bound(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

void describe(const IntegerRule& rule, Json& key) {
  key.update({{"type", "integer"}, {"low", rule.low}, {"high", rule.high}});
}
void describe(const RealRule& rule, Json& key) {
  key.update({{"type", "real"}, {"low", bound(rule.low)}, {"high", bound(rule.high)}, {"above", rule.above}});
}
void describe(const SeedRule&, Json& key) {
  key.update({{"type", "integer"}, {"low", 0}, {"high", std::numeric_limits<std::int64_t>::max()}});
}
void describe(const FlagRule&, Json& key) { key["type"] = "flag"; }
void describe(const ChoiceRule& rule, Json& key) {
  key["type"] = "choice";
  for (const Choice& choice : rule.choices) key["choices"].push_back(choice.name);
}
void describe(const TextRule& rule, Json& key) { key["type"] = rule.is_path ? "path" : "text"; }
void describe(const IntegersRule& rule, Json& key) {
  key.update({{"type", "integers"}, {"low", rule.low}, {"high", rule.high}});
}
void describe(const LayersRule&, Json& key) {
  key["type"] = "layers";
  for (const LayerKind& kind : layer_kinds()) {
    if (kind.listed) key["kinds"][kind.name] = key_names(kind);
  }
}
void describe(const DistributionRule& rule, Json& key) {
  key["type"] = "distribution";
  for (const DistributionInfo& info : distribution_infos()) {
    if (rule.use == DistributionUse::kJitter && !info.jitter) continue;
    key["kinds"][info.name] = info.parameters;
  }
}

}  // namespace
}  // namespace splitsim

int main() {
  using namespace splitsim;
  const Config defaults;
  Json keys = Json::array();
  for (const Key& key : config_keys()) {
    Json line = {{"key", key.path}, {"default", value_toml(key, defaults)}};
    std::visit([&line](const auto& rule) { describe(rule, line); }, key.rule);
    keys.push_back(line);
  }
  std::puts(keys.dump(1).c_str());
}
