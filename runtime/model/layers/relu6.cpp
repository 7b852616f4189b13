// The input clipped to [0, 6], as torch.nn.ReLU6.
#include "kernels/nn/layers/activations.hpp"
#include "runtime/model/layers/elementwise.hpp"

namespace splitsim::layers {

namespace {
struct Relu6 {
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    copy_input(ctx, io);
    relu6_forward(ctx, io.map.valid(), io.layer.out.size(), io.y);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    relu6_backward(ctx, io.map.valid(), io.layer.out.size(), View<const float>(io.y), io.dy);
  }
};
}  // namespace

LayerKind relu6() { return with_passes<Relu6>({.name = "relu6", .in_place = true, .reads_output = true}); }

}  // namespace splitsim::layers
