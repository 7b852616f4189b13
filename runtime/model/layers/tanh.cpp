// Hyperbolic tangent, as torch.nn.Tanh.
#include "kernels/nn/layers/activations.hpp"
#include "runtime/model/layers/elementwise.hpp"

namespace splitsim::layers {

namespace {
struct Tanh {
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    copy_input(ctx, io);
    tanh_forward(ctx, io.map.valid(), io.layer.out.size(), io.y);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    tanh_backward(ctx, io.map.valid(), io.layer.out.size(), View<const float>(io.y), io.dy);
  }
};
}  // namespace

LayerKind tanh() { return with_passes<Tanh>({.name = "tanh", .in_place = true, .reads_output = true}); }

}  // namespace splitsim::layers
