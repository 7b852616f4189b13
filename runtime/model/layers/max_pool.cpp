// Maximum of windows, as torch.nn.MaxPool2d.
#include <fmt/format.h>

#include "kernels/nn/layers/pool/pool.hpp"
#include "runtime/model/layer_kind.hpp"
#include "runtime/model/windows.hpp"

namespace splitsim::layers {

namespace {

PoolShape shape_of(const Layer& layer, Layout layout = Layout::kChannelsFirst) {
  const LayerSpec& spec = layer.spec;
  return {layer.in.channels, layer.in.height, layer.in.width, spec.kernel, spec.stride, spec.padding, layout};
}

void place(Layer& layer) {
  require_fit(layer);
  const PoolShape shape = shape_of(layer);
  layer.out = {shape.channels, shape.out_height(), shape.out_width()};
}

std::string lacks(const LayerSpec& spec) {
  const Size2 &kernel = spec.kernel, &padding = spec.padding;
  if (kernel == 0) return lacks_window(spec);
  if (kernel.area() <= 225 && 2 * padding.height <= kernel.height && 2 * padding.width <= kernel.width) return "";
  return fmt::format(
      "kernel = {}, padding = {}: allowed for max_pool: windows up to 15 x 15 or as large, padding up to half of them",
      shown(kernel), shown(padding));
}

struct MaxPool {
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    max_pool_forward(ctx, io.map.valid(), shape_of(io.layer, io.layout), io.x, io.y, io.saved.bytes);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    max_pool_backward(ctx, io.map.valid(), shape_of(io.layer, io.layout), io.backprop(),
                      View<const std::uint8_t>(io.saved.bytes));
  }
};

}  // namespace

LayerKind max_pool() {
  return with_passes<MaxPool>(
      {.name = "max_pool",
       .keys = {{"kernel", &LayerSpec::kernel}, {"stride", &LayerSpec::stride}, {"padding", &LayerSpec::padding, 0}},
       .rectifies_dx = true,
       .lacks = lacks,
       .place = place,
       .saved = [](const Layer& layer, const LayerBounds& bounds) {
         return SavedSize{.bytes = bounds.slots * layer.out.size()};
       }});
}

}  // namespace splitsim::layers
