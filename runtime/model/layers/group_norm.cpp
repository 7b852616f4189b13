// Normalisation over groups of channels, as torch.nn.GroupNorm.
#include "kernels/nn/layers/norm/group_norm.hpp"

#include <fmt/format.h>

#include <numeric>

#include "base/error.hpp"
#include "runtime/model/layers/norms.hpp"

namespace splitsim::layers {

namespace {

GroupNormShape shape_of(const Layer& layer, Layout layout) {
  return {.channels = layer.in.channels,
          .height = layer.in.height,
          .width = layer.in.width,
          .groups = layer.spec.groups,
          .layout = layout};
}

void place(Layer& layer) {
  LayerSpec& spec = layer.spec;
  layer.out = layer.in;
  if (spec.groups == 0) spec.groups = std::gcd(32, layer.in.channels);
  if (spec.groups < 1 || layer.in.channels % spec.groups != 0) {
    throw InputError(fmt::format("model: layer '{}' has {} groups, which do not divide its {} channels", spec.name,
                                 spec.groups, layer.in.channels));
  }
}

struct GroupNorm {
  template <class Context>
  static std::int64_t workspace(Context& ctx, const Layer& layer, const LayerBounds& bounds) {
    return group_norm_workspace(ctx, shape_of(layer, bounds.layout), bounds.slots, bounds.active);
  }
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    GroupNormShape shape = shape_of(io.layer, io.layout);
    shape.relu = io.relu;
    group_norm_forward(ctx, io.map, shape, io.x, io.own(), norm_memory(io), io.y);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    group_norm_backward(ctx, io.map, shape_of(io.layer, io.layout), io.backprop(), io.own().weight, norm_memory(io),
                        io.own_gradients());
  }
};

}  // namespace

LayerKind group_norm() {
  return with_passes<GroupNorm>({.name = "group_norm",
                                 .listed = false,
                                 .rectifies_y = true,
                                 .rectifies_dy = true,
                                 .place = place,
                                 .tensors = gamma_and_beta,
                                 .saved = [](const Layer& layer, const LayerBounds& bounds) {
                                   return SavedSize{.floats = std::int64_t{2} * bounds.slots * layer.spec.groups};
                                 }});
}

}  // namespace splitsim::layers
