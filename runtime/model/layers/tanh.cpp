// Hyperbolic tangent, as torch.nn.Tanh.
#include "kernels/nn/layers/activations.hpp"
#include "runtime/model/layers/elementwise.hpp"

namespace splitsim::layers {

LayerKind tanh() { return activation_kind<activation::Tanh>("tanh"); }

}  // namespace splitsim::layers
