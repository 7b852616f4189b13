// Multi-head self-attention of pixels or tokens; its input are queries, keys and values, one third of the channels each.
// In evaluation, too, its weights take slots x heads x tokens^2 floats.
#include "kernels/nn/layers/tokens/attention.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "runtime/model/layer_kind.hpp"

namespace splitsim::layers {

namespace {

AttentionShape shape_of(const Layer& layer, Layout layout) {
  return {layer.out.channels, layer.spec.heads, layer.in.height * layer.in.width, layout};
}

void place(Layer& layer) {
  if (layer.in.channels % 3 != 0) {
    throw InputError(
        fmt::format("model: layer '{}' reads {} channels; allowed: a multiple of 3 (queries, keys, values)",
                    layer.spec.name, layer.in.channels));
  }
  layer.out = {layer.in.channels / 3, layer.in.height, layer.in.width};
  if (layer.out.channels % layer.spec.heads != 0) {
    throw InputError(fmt::format("model: layer '{}' has {} heads, which do not divide its {} channels", layer.spec.name,
                                 layer.spec.heads, layer.out.channels));
  }
}

struct Attention {
  template <class Context>
  static std::int64_t workspace(Context& ctx, const Layer& layer, const LayerBounds& bounds) {
    return attention_workspace(ctx, shape_of(layer, bounds.layout), bounds.slots);
  }
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    attention_forward(ctx, io.map.valid(), shape_of(io.layer, io.layout), io.x, io.saved.floats, io.y);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    if (io.dx.empty()) return;
    Backprop backprop = io.backprop();
    backprop.y = io.y;
    attention_backward(ctx, io.map.valid(), shape_of(io.layer, io.layout), backprop, io.saved.floats, io.workspace);
  }
};

}  // namespace

LayerKind attention() {
  return with_passes<Attention>({.name = "attention",
                                 .keys = {{"heads", &LayerSpec::heads}},
                                 .reads_output = true,
                                 .place = place,
                                 .macs =
                                     [](const Layer& layer) {
                                       const std::int64_t tokens = std::int64_t{layer.in.height} * layer.in.width;
                                       return 2 * tokens * layer.out.size();
                                     },
                                 .saved =
                                     [](const Layer& layer, const LayerBounds& bounds) {
                                       return SavedSize{.floats = bounds.slots * layer.spec.heads *
                                                                  shape_of(layer, bounds.layout).head_weights()};
                                     }});
}

}  // namespace splitsim::layers
