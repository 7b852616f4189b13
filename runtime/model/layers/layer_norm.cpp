// Normalisation over all features of a sample, as torch.nn.LayerNorm([C, H, W]), whatever the side's norm is.
#include "kernels/nn/layers/norm/layer_norm.hpp"

#include "runtime/model/layers/norms.hpp"

namespace splitsim::layers {

namespace {

LayerNormShape shape_of(const Layer& layer) { return {layer.in.size()}; }

// A flat vector has one dimension, as in torch.
std::vector<LayerTensor> tensors(const Layer& layer) {
  const FeatureShape& in = layer.in;
  const bool flat = in.height == 1 && in.width == 1;
  const auto shape =
      flat ? std::vector<std::int64_t>{in.channels} : std::vector<std::int64_t>{in.channels, in.height, in.width};
  const std::int64_t channels = in.channels, pixels = std::int64_t{in.height} * in.width;
  return {{.name = "weight", .shape = shape, .initial = 1.0f, .channels = channels, .pixels = pixels},
          {.name = "bias", .shape = shape, .channels = channels, .pixels = pixels}};
}

struct LayerNorm {
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    layer_norm_forward(ctx, io.map, shape_of(io.layer), io.x, io.own(), norm_memory(io), io.y);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    layer_norm_backward(ctx, io.map, shape_of(io.layer), io.backprop(), io.own().weight, norm_memory(io),
                        io.own_gradients());
  }
};

}  // namespace

LayerKind layer_norm() {
  return with_passes<LayerNorm>(
      {.name = "layer_norm", .tensors = tensors, .saved = [](const Layer&, const LayerBounds& bounds) {
         return SavedSize{.floats = std::int64_t{2} * bounds.slots};
       }});
}

}  // namespace splitsim::layers
