// Normalisation over the channels of each pixel or token, as torch.nn.LayerNorm(C) of channels that come last, whatever
// the side's norm is.
#include "kernels/nn/layers/norm/channel_norm.hpp"

#include "runtime/model/layers/norms.hpp"

namespace splitsim::layers {

namespace {

struct ChannelNorm {
  template <class Context>
  static std::int64_t workspace(Context& ctx, const Layer& layer, const LayerBounds& bounds) {
    const PlaneShape planes{layer.in.channels, layer.in.height * layer.in.width, bounds.layout};
    return channel_norm_workspace(ctx, {planes}, bounds.slots);
  }
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    channel_norm_forward(ctx, io.map, {io.planes()}, io.x, io.own(), norm_memory(io), io.y);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    channel_norm_backward(ctx, io.map, {io.planes()}, io.backprop(), io.own().weight, norm_memory(io),
                          io.own_gradients());
  }
};

}  // namespace

LayerKind channel_norm() {
  return with_passes<ChannelNorm>(
      {.name = "channel_norm", .tensors = gamma_and_beta, .saved = [](const Layer& layer, const LayerBounds& bounds) {
         return SavedSize{.floats = std::int64_t{2} * bounds.slots * layer.in.height * layer.in.width};
       }});
}

}  // namespace splitsim::layers
