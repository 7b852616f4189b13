// What kinds that work in place share.
#pragma once

#include "kernels/nn/layers/pointwise.hpp"
#include "runtime/model/layers/layer_kind.hpp"

namespace splitsim::layers {

/// y = x, unless it is the same memory.
template <class Context>
void copy_input(Context& ctx, const LayerIo& io) {
  if (io.x.data() != io.y.data()) copy_slots(ctx, io.map.valid(), io.layer.out.size(), io.x, io.y);
}

}  // namespace splitsim::layers
