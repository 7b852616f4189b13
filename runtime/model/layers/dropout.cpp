// Features dropped at random in training, as torch.nn.Dropout; the identity in evaluation.
#include "kernels/nn/layers/dropout.hpp"

#include <fmt/format.h>

#include "runtime/model/layers/elementwise.hpp"

namespace splitsim::layers {

namespace {

DropoutRule rule_of(const LayerIo& io) { return {io.keys, io.index, io.layer.spec.probability}; }

struct Dropout {
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    copy_input(ctx, io);
    if (io.training) dropout(ctx, io.map.valid(), io.planes(), rule_of(io), io.y);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    dropout(ctx, io.map.valid(), io.planes(), rule_of(io), io.dy);
  }
};

}  // namespace

LayerKind dropout() {
  return with_passes<Dropout>({.name = "dropout",
                               .keys = {{"p", &LayerSpec::probability}},
                               .in_place = true,
                               .lacks = [](const LayerSpec& spec) {
                                 const bool fits = spec.probability >= 0.0 && spec.probability < 1.0;
                                 return fits ? ""
                                             : fmt::format("p = {}: allowed: a number in [0, 1)", spec.probability);
                               }});
}

}  // namespace splitsim::layers
