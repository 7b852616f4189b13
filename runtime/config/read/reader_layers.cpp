// model.layers: a list of tables.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.hpp"
#include "base/nearest.hpp"
#include "runtime/config/read/reader.hpp"
#include "runtime/model/layer_kind.hpp"

namespace splitsim {

namespace {

// The value of a layer's key, by its type; refuse(allowed) throws.
template <class Refuse>
void set_layer_value(const toml::node& value, const LayerKey&, bool& field, const Refuse& refuse) {
  const auto* flag = value.as_boolean();
  if (flag == nullptr) refuse("true, false");
  field = flag->get();
}
template <class Refuse>
void set_layer_value(const toml::node& value, const LayerKey& key, std::int32_t& field, const Refuse& refuse) {
  const auto* number = value.as_integer();
  if (number == nullptr || number->get() < key.low || number->get() > LayerKey::kMost) {
    refuse(fmt::format("an integer in [{}, {}]", key.low, LayerKey::kMost));
  }
  field = static_cast<std::int32_t>(number->get());
}
template <class Refuse>
void set_layer_value(const toml::node& value, const LayerKey&, double& field, const Refuse& refuse) {
  const std::optional<double> number = value.is_number() ? value.value<double>() : std::nullopt;
  if (!number || !std::isfinite(*number)) refuse("a finite number");
  field = *number;
}
template <class Refuse>
void set_layer_value(const toml::node& value, const LayerKey& key, Size2& field, const Refuse& refuse) {
  const auto refuse_size = [&](const std::string& allowed) { refuse(allowed + ", or two: [height, width]"); };
  const toml::array* two = value.as_array();
  if (two != nullptr && two->size() != 2) refuse("an integer, or two: [height, width]");
  const toml::node& height = two == nullptr ? value : *two->get(0);
  const toml::node& width = two == nullptr ? value : *two->get(1);
  set_layer_value(height, key, field.height, refuse_size);
  set_layer_value(width, key, field.width, refuse_size);
}

}  // namespace

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
  const LayerKind* found = nullptr;
  const toml::node* kind = table.get("kind");
  const auto* text = kind == nullptr ? nullptr : kind->as_string();
  for (const LayerKind& known : layer_kinds()) {
    if (!known.listed) continue;
    if (text != nullptr && text->get() == known.name) found = &known;
    kinds.push_back(known.name);
  }
  if (found == nullptr) {
    fail(table.source(), fmt::format("{}kind = {}: allowed: {}{}", path, kind == nullptr ? "none" : shown_value(*kind),
                                     joined(kinds), did_you_mean(text == nullptr ? "" : nearest(text->get(), kinds))));
  }
  LayerSpec spec{.kind = found, .name = ""};
  for (const auto& entry : table) {
    const toml::key& name = entry.first;
    const toml::node& value = entry.second;  // not a structured binding: lambdas below read it
    const std::string given(name.str());
    if (given == "kind") continue;
    const auto of_kind =
        std::find_if(found->keys.begin(), found->keys.end(), [&](const LayerKey& k) { return k.name == given; });
    if (given == "name") {
      const auto* string = value.as_string();
      if (string == nullptr || string->get().empty()) {
        fail(value.source(), fmt::format("{}name = {}: allowed: a string", path, shown_value(value)));
      }
      spec.name = string->get();
    } else if (of_kind == found->keys.end()) {
      const std::vector<std::string> names = key_names(*found);
      fail(name.source(), fmt::format("unknown key {}: kind = \"{}\" takes {}{}", shown_key(path + given), found->name,
                                      names.empty() ? "none" : joined(names), did_you_mean(nearest(given, names))));
    } else {
      const auto refuse_value = [&](const std::string& allowed) {
        fail(value.source(), fmt::format("{}{} = {}: allowed: {}", path, given, shown_value(value), allowed));
      };
      std::visit([&](auto field) { set_layer_value(value, *of_kind, spec.*field, refuse_value); }, of_kind->field);
    }
  }
  if (const std::string lacking = found->lacks(spec); !lacking.empty()) fail(table.source(), path + lacking);
  return spec;
}

}  // namespace splitsim
