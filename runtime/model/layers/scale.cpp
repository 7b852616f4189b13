// The input times the spec's factor.
#include "runtime/model/layers/elementwise.hpp"

namespace splitsim::layers {

namespace {
struct Scale {
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    copy_input(ctx, io);
    multiply(ctx, io.map.valid(), io.layer.out.size(), io.layer.spec.factor, io.y);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    multiply(ctx, io.map.valid(), io.layer.out.size(), io.layer.spec.factor, io.dy);
  }
};
}  // namespace

LayerKind scale() { return with_passes<Scale>({.name = "scale", .listed = false, .in_place = true}); }

}  // namespace splitsim::layers
