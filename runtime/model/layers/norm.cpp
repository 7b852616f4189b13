// A norm that its side's settings make a group_norm, a batch_norm or nothing when a network is built.
#include "runtime/model/layer_kind.hpp"

namespace splitsim::layers {

LayerKind norm() { return {.name = "norm", .keys = {{"groups", &LayerSpec::groups, 0}}}; }

}  // namespace splitsim::layers
