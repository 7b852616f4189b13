// x P(X <= x), as torch.nn.GELU (the exact form).
#include "kernels/nn/layers/activations.hpp"
#include "runtime/model/layer_kind.hpp"

namespace splitsim::layers {

namespace {
struct Gelu {
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    gelu_forward(ctx, io.map.valid(), io.layer.out.size(), io.x, io.y);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    if (!io.dx.empty()) gelu_backward(ctx, io.map.valid(), io.layer.out.size(), io.backprop());
  }
};
}  // namespace

LayerKind gelu() { return with_passes<Gelu>({.name = "gelu"}); }

}  // namespace splitsim::layers
