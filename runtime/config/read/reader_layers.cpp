// model.layers: a list of tables.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/nearest.hpp"
#include "runtime/config/read/reader.hpp"

namespace splitsim {

void Reader::read(const Key& key, const LayersRule& rule, const toml::node& node) {
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

LayerSpec Reader::layer(const Key& key, const toml::table& table) const {
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
    fail(table.source(), fmt::format("{}kind = {}: allowed: {}{}", path, kind == nullptr ? "none" : shown_value(*kind),
                                     joined(kinds), did_you_mean(text == nullptr ? "" : nearest(text->get(), kinds))));
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
LayerSpec Reader::complete(const LayerSpec& spec, const std::string& path, const toml::source_region& at) const {
  const bool pool = spec.kind == LayerKind::kMaxPool || spec.kind == LayerKind::kAvgPool;
  if (spec.kind == LayerKind::kConv2d && spec.out == 0) fail(at, path + "out: a conv needs its output channels");
  if ((spec.kind == LayerKind::kConv2d || pool) && spec.kernel == 0) fail(at, path + "kernel: missing");
  if (spec.kind == LayerKind::kMaxPool && (spec.kernel > 15 || 2 * spec.padding > spec.kernel)) {
    fail(at,
         fmt::format("{}kernel = {}, padding = {}: allowed for max_pool: windows up to 15, padding up to half of them",
                     path, spec.kernel, spec.padding));
  }
  return spec;
}

}  // namespace splitsim
