// The kinds of layers by name: one per file of layers/, listed by the build.
#include <stdexcept>

#include "runtime/model/layer_kind.hpp"
#include "layer_list.hpp"

namespace splitsim {

namespace layers {
#define SPLITSIM_DECLARE(kind) LayerKind kind();
SPLITSIM_LAYERS(SPLITSIM_DECLARE)
}  // namespace layers

const std::vector<LayerKind>& layer_kinds() {
#define SPLITSIM_ROW(kind) layers::kind(),
  static const std::vector<LayerKind> kinds = {SPLITSIM_LAYERS(SPLITSIM_ROW)};
  return kinds;
}

std::vector<std::string> key_names(const LayerKind& kind) {
  std::vector<std::string> names;
  for (const LayerKey& key : kind.keys) names.push_back(key.name);
  return names;
}

const LayerKind& layer_kind(const std::string& name) {
  for (const LayerKind& kind : layer_kinds()) {
    if (kind.name == name) return kind;
  }
  throw std::out_of_range("no kind of layer is named " + name);
}

}  // namespace splitsim
