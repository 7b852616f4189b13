// Fully connected, as torch.nn.Linear, of an input taken as a flat vector.
#include "kernels/nn/layers/linear.hpp"

#include "runtime/model/layer_kind.hpp"

namespace splitsim::layers {

namespace {

LinearShape shape_of(const Layer& layer, Precision precision) {
  return {static_cast<std::int32_t>(layer.in.size()), static_cast<std::int32_t>(layer.out.size()), precision};
}

struct Linear {
  template <class Context>
  static std::int64_t workspace(Context& ctx, const Layer& layer, const LayerBounds& bounds) {
    return linear_workspace(ctx, shape_of(layer, bounds.precision), bounds.slots, bounds.active);
  }
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    linear_forward(ctx, io.map, shape_of(io.layer, io.precision), io.x, io.own(), io.workspace, io.y, io.relu);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    linear_backward(ctx, io.map, shape_of(io.layer, io.precision), io.backprop(), io.own().weight, io.workspace,
                    io.own_gradients());
  }
};

std::vector<LayerTensor> tensors(const Layer& layer) {
  const std::int64_t in = layer.in.size();
  const std::int64_t channels = layer.in.channels;
  return {
      {.name = "weight", .shape = {layer.spec.out, in}, .fan_in = in, .channels = channels, .pixels = in / channels},
      {.name = "bias", .shape = {layer.spec.out}, .fan_in = in}};
}

}  // namespace

LayerKind linear() {
  return with_passes<Linear>({.name = "linear",
                              .keys = {{"out", &LayerSpec::out, 0}},
                              .takes_classes = true,
                              .rectifies_y = true,
                              .rectifies_dx = true,
                              .place =
                                  [](Layer& layer) {
                                    layer.out = {layer.spec.out, 1, 1};
                                  },
                              .tensors = tensors,
                              .macs = [](const Layer& layer) { return layer.in.size() * layer.out.size(); }});
}

}  // namespace splitsim::layers
