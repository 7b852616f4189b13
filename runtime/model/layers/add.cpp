// The sum of two layers' outputs: skip connections. Its gradient is that of both; the buffer plan hands it on.
#include "runtime/model/layers/elementwise.hpp"

namespace splitsim::layers {

namespace {
struct Add {
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    sum_slots(ctx, io.map.valid(), io.layer.out.size(), io.x, io.other, io.relu, io.y);
  }
  template <class Context>
  static void backward(Context&, const LayerIo&) {}
};
}  // namespace

LayerKind add() {
  return with_passes<Add>({.name = "add", .listed = false, .in_place = true, .adds = true, .rectifies_y = true});
}

}  // namespace splitsim::layers
