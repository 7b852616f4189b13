// The greatest of each plane, as torch.nn.AdaptiveMaxPool2d(1): over a sequence, max over time.
#include "kernels/nn/layers/pool/global_max_pool.hpp"

#include "runtime/model/layer_kind.hpp"

namespace splitsim::layers {

namespace {

struct GlobalMaxPool {
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    global_max_pool_forward(ctx, io.map.valid(), io.planes(), io.x, io.y, io.saved.floats);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    if (io.dx.empty()) return;
    global_max_pool_backward(ctx, io.map.valid(), io.planes(), View<const float>(io.dy),
                             View<const float>(io.saved.floats), io.dx);
  }
};

}  // namespace

LayerKind global_max_pool() {
  return with_passes<GlobalMaxPool>({.name = "global_max_pool",
                                     .place =
                                         [](Layer& layer) {
                                           layer.out = {layer.in.channels, 1, 1};
                                         },
                                     .saved =
                                         [](const Layer& layer, const LayerBounds& bounds) {
                                           return SavedSize{.floats = std::int64_t{bounds.slots} * layer.in.channels};
                                         }});
}

}  // namespace splitsim::layers
