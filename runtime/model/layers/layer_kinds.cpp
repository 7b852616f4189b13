// The kinds of layers by name.
#include <stdexcept>

#include "runtime/model/layers/layer_kind.hpp"

namespace splitsim {

namespace layers {
LayerKind conv(), linear(), relu(), max_pool(), avg_pool(), global_avg_pool(), norm();
LayerKind tanh(), sigmoid(), gelu(), relu6(), layer_norm(), dropout();
LayerKind group_norm(), batch_norm(), add(), scale();
}  // namespace layers

const std::vector<LayerKind>& layer_kinds() {
  using namespace layers;
  static const std::vector<LayerKind> kinds = {
      conv(), linear(), relu(),       max_pool(), avg_pool(),   global_avg_pool(), norm(), tanh(), sigmoid(),
      gelu(), relu6(),  layer_norm(), dropout(),  group_norm(), batch_norm(),      add(),  scale()};
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
