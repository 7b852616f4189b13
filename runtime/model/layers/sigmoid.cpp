// 1 / (1 + exp(-x)), as torch.nn.Sigmoid.
#include "kernels/nn/layers/activations.hpp"
#include "runtime/model/layers/elementwise.hpp"

namespace splitsim::layers {

namespace {
struct Sigmoid {
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    copy_input(ctx, io);
    sigmoid_forward(ctx, io.map.valid(), io.layer.out.size(), io.y);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    sigmoid_backward(ctx, io.map.valid(), io.layer.out.size(), View<const float>(io.y), io.dy);
  }
};
}  // namespace

LayerKind sigmoid() { return with_passes<Sigmoid>({.name = "sigmoid", .in_place = true, .reads_output = true}); }

}  // namespace splitsim::layers
