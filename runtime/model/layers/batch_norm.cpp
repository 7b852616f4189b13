// Normalisation over the samples of a segment, as torch.nn.BatchNorm2d; in evaluation by running statistics.
#include "kernels/nn/layers/norm/batch_norm.hpp"

#include "runtime/model/layers/norms.hpp"

namespace splitsim::layers {

namespace {

BatchNormShape shape_of(const Layer& layer, Layout layout) {
  return {.channels = layer.in.channels, .height = layer.in.height, .width = layer.in.width, .layout = layout};
}

std::vector<LayerTensor> tensors(const Layer& layer) {
  std::vector<LayerTensor> list = gamma_and_beta(layer);
  list.push_back({.name = "running_mean", .shape = {layer.in.channels}, .trained = false});
  list.push_back({.name = "running_var", .shape = {layer.in.channels}, .trained = false, .initial = 1.0f});
  return list;
}

struct BatchNorm {
  template <class Context>
  static std::int64_t workspace(Context& ctx, const Layer& layer, const LayerBounds& bounds) {
    return batch_norm_workspace(ctx, shape_of(layer, bounds.layout), bounds.slots, bounds.segments);
  }
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    BatchNormShape shape = shape_of(io.layer, io.layout);
    shape.relu = io.relu;
    const auto& p = io.parameters;
    const BatchNormParameters parameters{p[0], p[1], {p[2], p[3]}};
    if (io.training) {
      batch_norm_forward(ctx, io.map, io.segments, shape, io.x, parameters, norm_memory(io), io.y);
    } else {
      batch_norm_evaluate(ctx, io.map, shape, io.x, parameters, io.y);
    }
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    batch_norm_backward(ctx, io.map, io.segments, shape_of(io.layer, io.layout), io.backprop(), io.own().weight,
                        norm_memory(io), io.own_gradients());
  }
};

}  // namespace

LayerKind batch_norm() {
  return with_passes<BatchNorm>(
      {.name = "batch_norm",
       .listed = false,
       .rectifies_y = true,
       .rectifies_dy = true,
       .tensors = tensors,
       .saved = [](const Layer& layer, const LayerBounds& bounds) {
         return SavedSize{.floats = bounds.training ? std::int64_t{2} * bounds.segments * layer.in.channels : 0};
       }});
}

}  // namespace splitsim::layers
