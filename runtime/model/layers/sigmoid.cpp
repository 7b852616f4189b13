// 1 / (1 + exp(-x)), as torch.nn.Sigmoid.
#include "kernels/nn/layers/activations.hpp"
#include "runtime/model/layers/elementwise.hpp"

namespace splitsim::layers {

LayerKind sigmoid() { return activation_kind<activation::Sigmoid>("sigmoid"); }

}  // namespace splitsim::layers
