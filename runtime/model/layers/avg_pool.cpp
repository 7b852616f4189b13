// Mean of windows, as torch.nn.AvgPool2d without padding.
#include "kernels/nn/layers/pool/pool.hpp"
#include "runtime/model/layer_kind.hpp"
#include "runtime/model/windows.hpp"

namespace splitsim::layers {

namespace {

PoolShape shape_of(const Layer& layer, Layout layout = Layout::kChannelsFirst) {
  return {layer.in.channels, layer.in.height, layer.in.width, layer.spec.kernel, layer.spec.stride, 0, layout};
}

void place(Layer& layer) {
  require_fit(layer);
  const PoolShape shape = shape_of(layer);
  layer.out = {shape.channels, shape.out_height(), shape.out_width()};
}

struct AvgPool {
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    avg_pool_forward(ctx, io.map.valid(), shape_of(io.layer, io.layout), io.x, io.y);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    avg_pool_backward(ctx, io.map.valid(), shape_of(io.layer, io.layout), View<const float>(io.dy), io.dx);
  }
};

}  // namespace

LayerKind avg_pool() {
  return with_passes<AvgPool>({.name = "avg_pool",
                               .keys = {{"kernel", &LayerSpec::kernel}, {"stride", &LayerSpec::stride}},
                               .lacks = lacks_window,
                               .place = place});
}

}  // namespace splitsim::layers
