// Mean of each plane, as torch.nn.AdaptiveAvgPool2d(1).
#include "kernels/nn/layers/pool/pool.hpp"
#include "runtime/model/layer_kind.hpp"

namespace splitsim::layers {

namespace {

struct GlobalAvgPool {
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    global_avg_pool_forward(ctx, io.map.valid(), io.planes(), io.x, io.y);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    global_avg_pool_backward(ctx, io.map.valid(), io.planes(), View<const float>(io.dy), io.dx);
  }
};

}  // namespace

LayerKind global_avg_pool() {
  return with_passes<GlobalAvgPool>({.name = "global_avg_pool", .place = [](Layer& layer) {
                                       layer.out = {layer.in.channels, 1, 1};
                                     }});
}

}  // namespace splitsim::layers
