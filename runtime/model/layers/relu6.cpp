// The input clipped to [0, 6], as torch.nn.ReLU6.
#include "kernels/nn/layers/activations.hpp"
#include "runtime/model/layers/elementwise.hpp"

namespace splitsim::layers {

LayerKind relu6() { return activation_kind<activation::Relu6>("relu6"); }

}  // namespace splitsim::layers
