// Rows of a table by token ids, as torch.nn.Embedding: [1, 1, L] to [out, 1, L].
#include "kernels/nn/layers/tokens/embedding.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "runtime/model/layer_kind.hpp"

namespace splitsim::layers {

namespace {

EmbeddingShape shape_of(const Layer& layer, Layout layout) {
  return {layer.spec.vocabulary, layer.out.channels, layer.in.width, layout};
}

void place(Layer& layer) {
  const FeatureShape& in = layer.in;
  if (layer.input >= 0) {
    throw InputError(fmt::format("model: layer '{}' reads another layer; allowed for an embedding: the network's input",
                                 layer.spec.name));
  }
  if (in.channels != 1 || in.height != 1) {
    throw InputError(fmt::format("model: layer '{}' reads ids of {} x {} x {}; allowed: 1 x 1 x their number",
                                 layer.spec.name, in.channels, in.height, in.width));
  }
  layer.out = {layer.spec.out, 1, in.width};
}

struct Embedding {
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    embedding_forward(ctx, io.map, shape_of(io.layer, io.layout), io.x, io.own().weight, io.y);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    embedding_backward(ctx, io.map, shape_of(io.layer, io.layout), io.x, View<const float>(io.dy),
                       io.own_gradients().weight);
  }
};

}  // namespace

LayerKind embedding() {
  return with_passes<Embedding>(
      {.name = "embedding",
       .keys = {{"out", &LayerSpec::out}, {"vocabulary", &LayerSpec::vocabulary, 0, true}},
       .takes_vocabulary = true,
       .lacks =
           [](const LayerSpec& spec) {
             return std::string(spec.out == 0 ? "out: an embedding needs its dimensions" : "");
           },
       .place = place,
       .tensors = [](const Layer& layer) -> std::vector<LayerTensor> {
         return {{.name = "weight", .shape = {layer.spec.vocabulary, layer.spec.out}, .normal = 1.0}};
       }});
}

}  // namespace splitsim::layers
