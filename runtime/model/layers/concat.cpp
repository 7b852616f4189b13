// The channels of two layers' outputs, one's after the other's, as torch.cat(dim = 1).
#include "kernels/nn/layers/concat.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "runtime/model/layer_kind.hpp"

namespace splitsim::layers {

namespace {

ConcatShape shape_of(const Layer& layer, Layout layout) {
  return {layer.in.channels, layer.other_in.channels, layer.in.height * layer.in.width, layout};
}

void place(Layer& layer) {
  const FeatureShape &a = layer.in, &b = layer.other_in;
  if (a.height != b.height || a.width != b.width) {
    throw InputError(fmt::format("model: layer '{}' joins {} x {} x {} and '{}' of {} x {} x {}", layer.spec.name,
                                 a.channels, a.height, a.width, layer.spec.other, b.channels, b.height, b.width));
  }
  layer.out = {a.channels + b.channels, a.height, a.width};
}

struct Concat {
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    concat_forward(ctx, io.map.valid(), shape_of(io.layer, io.layout), io.x, io.other, io.y);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    concat_backward(ctx, io.map.valid(), shape_of(io.layer, io.layout), io.second, View<const float>(io.dy), io.dx);
  }
};

}  // namespace

LayerKind concat() {
  return with_passes<Concat>({.name = "concat", .listed = false, .concatenates = true, .place = place});
}

}  // namespace splitsim::layers
