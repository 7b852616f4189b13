// max(x, 0), as torch.nn.ReLU.
#include "runtime/model/layers/elementwise.hpp"

namespace splitsim::layers {

namespace {
struct Relu {
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    copy_input(ctx, io);
    relu_forward(ctx, io.map.valid(), io.layer.out.size(), io.y);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    relu_backward(ctx, io.map.valid(), io.layer.out.size(), View<const float>(io.y), io.dy);
  }
};
}  // namespace

LayerKind relu() {
  return with_passes<Relu>({.name = "relu", .in_place = true, .reads_output = true, .rectifies = true});
}

}  // namespace splitsim::layers
