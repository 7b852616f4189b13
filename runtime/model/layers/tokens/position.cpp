// Position embeddings: a learned number added to each feature, drawn as torchvision's and timm's are.
#include "kernels/nn/layers/tokens/position.hpp"

#include "runtime/model/layer_kind.hpp"

namespace splitsim::layers {

namespace {

std::int32_t features_of(const Layer& layer) { return static_cast<std::int32_t>(layer.in.size()); }

struct Position {
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    position_forward(ctx, io.map, features_of(io.layer), io.x, io.own().weight, io.y);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    position_backward(ctx, io.map, features_of(io.layer), View<const float>(io.dy), io.own_gradients().weight);
  }
};

std::vector<LayerTensor> tensors(const Layer& layer) {
  const FeatureShape& in = layer.in;
  return {{.name = "weight",
           .shape = {in.channels, in.height, in.width},
           .normal = 0.02,
           .channels = in.channels,
           .pixels = std::int64_t{in.height} * in.width}};
}

}  // namespace

LayerKind position() { return with_passes<Position>({.name = "position", .in_place = true, .tensors = tensors}); }

}  // namespace splitsim::layers
