// What kinds that work in place share.
#pragma once

#include <string>
#include <utility>

#include "kernels/nn/layers/activations.hpp"
#include "kernels/nn/layers/pointwise.hpp"
#include "runtime/model/layer_kind.hpp"

namespace splitsim::layers {

/// y = x, unless it is the same memory.
template <class Context>
void copy_input(Context& ctx, const LayerIo& io) {
  if (io.x.data() != io.y.data()) copy_slots(ctx, io.map.valid(), io.layer.out.size(), io.x, io.y);
}

template <class Activation>
struct ActivationPasses {
  template <class Context>
  static void forward(Context& ctx, const LayerIo& io) {
    copy_input(ctx, io);
    activate<Activation>(ctx, io.map.valid(), io.layer.out.size(), io.y);
  }
  template <class Context>
  static void backward(Context& ctx, const LayerIo& io) {
    activate_backward<Activation>(ctx, io.map.valid(), io.layer.out.size(), View<const float>(io.y), io.dy);
  }
};

/// The row of one of SPLITSIM_ACTIVATIONS.
template <class Activation>
LayerKind activation_kind(std::string name) {
  return with_passes<ActivationPasses<Activation>>({.name = std::move(name), .in_place = true, .reads_output = true});
}

}  // namespace splitsim::layers
