// The link at the cut, in training: what arrives of the client's activations, and of their gradients. A network has one
// where rows do not arrive as they were sent (CutSettings); tests go without. Compression is straight through: gradients
// pass as if it did nothing; that of clipping is exact.
#include <algorithm>

#include "kernels/nn/layers/compression.hpp"
#include "kernels/nn/layers/pointwise.hpp"
#include "runtime/model/layer_kind.hpp"

namespace splitsim::layers {

namespace {

const CutSettings& cut_of(const LayerIo& io) { return io.layer.spec.cut; }

// Up, then down.
bool remembers(const CutSettings& cut, Compression kind) { return cut.error_feedback && kind != Compression::kNone; }
View<float> memory(const LayerIo& io, bool up) {
  const CutSettings& cut = cut_of(io);
  if (!remembers(cut, up ? cut.up : cut.down)) return {};
  const std::int64_t parts = remembers(cut, cut.up) + remembers(cut, cut.down);
  const std::int64_t size = io.kept.size() / parts;
  return io.kept.sub(up ? 0 : (parts - 1) * size, size);
}

struct Link {
  template <class Context>
  static std::int64_t workspace(Context&, const Layer& layer, const LayerBounds& bounds) {
    const CutSettings& cut = layer.spec.cut;
    return std::max(compression_workspace(cut.rule(cut.up), bounds.slots, layer.out.size()),
                    compression_workspace(cut.rule(cut.down), bounds.slots, layer.out.size()));
  }
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    const CutSettings& cut = cut_of(io);
    const Slots slots = io.map.valid();
    if (!io.training || (cut.clip_norm == 0.0 && cut.noise == 0.0)) {
      copy_slots(ctx, slots, io.layer.out.size(), io.x, io.y);
    } else {
      limit_rows(ctx, slots, io.planes(), cut.limit(), io.keys, io.x, io.y);
    }
    if (!io.training) return;
    compress_rows(ctx, slots, io.planes(), cut.rule(cut.up), {io.keys, Purpose::kCutUp}, io.y, memory(io, true),
                  io.workspace);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    const CutSettings& cut = cut_of(io);
    const Slots slots = io.map.valid();
    compress_rows(ctx, slots, io.planes(), cut.rule(cut.down), {io.keys, Purpose::kCutDown}, io.dy, memory(io, false),
                  io.workspace);
    limit_rows_backward(ctx, slots, io.layer.out.size(), cut.limit(), io.x, io.dy);
  }
};

}  // namespace

LayerKind link() {
  return with_passes<Link>({.name = "link",
                            .listed = false,
                            .gradient_in_place = true,
                            .kept = [](const Layer& layer, const LayerBounds& bounds) {
                              const CutSettings& cut = layer.spec.cut;
                              return (remembers(cut, cut.up) + remembers(cut, cut.down)) * bounds.samples *
                                     layer.out.size();
                            }});
}

}  // namespace splitsim::layers
