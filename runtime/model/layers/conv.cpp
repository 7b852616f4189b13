// Convolution, as torch.nn.Conv2d.
#include <fmt/format.h>

#include <cmath>

#include "base/error.hpp"
#include "kernels/nn/layers/conv/conv2d.hpp"
#include "runtime/model/layer_kind.hpp"
#include "runtime/model/layers/conv_shape.hpp"
#include "runtime/model/windows.hpp"

namespace splitsim::layers {

namespace {

void place(Layer& layer) {
  const LayerSpec& spec = layer.spec;
  require_fit(layer);
  if (layer.in.channels % spec.conv_groups != 0 || spec.out % spec.conv_groups != 0) {
    throw InputError(fmt::format("model: layer '{}' has {} groups, which do not divide its {} channels into {}",
                                 spec.name, spec.conv_groups, layer.in.channels, spec.out));
  }
  if (spec.tiles && (layer.in.height % spec.stride.height != 0 || layer.in.width % spec.stride.width != 0)) {
    throw InputError(fmt::format("model: layer '{}' cuts patches of {}, which do not divide its input of {} x {} x {}",
                                 spec.name, shown(spec.kernel), layer.in.channels, layer.in.height, layer.in.width));
  }
  const ConvShape shape = conv_shape(layer);
  layer.out = {shape.out_channels, shape.out_height(), shape.out_width()};
}

std::vector<LayerTensor> tensors(const Layer& layer) {
  const LayerSpec& spec = layer.spec;
  const std::int64_t fan_in = conv_shape(layer).patch();
  const double fan_out = static_cast<double>(spec.out) * spec.kernel.height * spec.kernel.width;
  std::vector<LayerTensor> list = {
      {.name = "weight",
       .shape = {spec.out, layer.in.channels / spec.conv_groups, spec.kernel.height, spec.kernel.width},
       .fan_in = fan_in,
       .kaiming = std::sqrt(2.0 / fan_out),
       .channels = layer.in.channels / spec.conv_groups,
       .pixels = spec.kernel.area()}};
  if (spec.bias) list.push_back({.name = "bias", .shape = {spec.out}, .fan_in = fan_in, .kaiming = 0.0});
  return list;
}

struct Conv {
  template <class Context>
  static std::int64_t workspace(Context& ctx, const Layer& layer, const LayerBounds& bounds) {
    return conv2d_workspace(ctx, conv_shape(layer, bounds.layout, bounds.precision), bounds.slots, bounds.active,
                            bounds.experiments);
  }
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    conv2d_forward(ctx, io.map, conv_shape(io.layer, io.layout, io.precision), io.x, io.own(), io.workspace, io.y,
                   io.relu);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    conv2d_backward(ctx, io.map, conv_shape(io.layer, io.layout, io.precision), io.backprop(), io.own().weight,
                    io.workspace, io.own_gradients());
  }
};

}  // namespace

LayerKind conv() {
  return with_passes<Conv>({.name = "conv",
                            .keys = {{"out", &LayerSpec::out},
                                     {"kernel", &LayerSpec::kernel},
                                     {"stride", &LayerSpec::stride},
                                     {"padding", &LayerSpec::padding, 0},
                                     {"bias", &LayerSpec::bias},
                                     {"groups", &LayerSpec::conv_groups, 1, true},
                                     {"tiles", &LayerSpec::tiles, 1, true}},
                            .rectifies_y = true,
                            .rectifies_dx = true,
                            .lacks =
                                [](const LayerSpec& spec) {
                                  return spec.out == 0 ? "out: a conv needs its output channels" : lacks_window(spec);
                                },
                            .place = place,
                            .tensors = tensors,
                            .macs = [](const Layer& layer) { return conv_shape(layer).patch() * layer.out.size(); }});
}

}  // namespace splitsim::layers
