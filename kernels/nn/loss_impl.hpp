// Body of kernels/nn/loss.hpp.
#pragma once

#include "kernels/nn/loss_of_slot.hpp"

namespace splitsim {

template <class Context>
void softmax_cross_entropy(Context& ctx, Slots slots, const CrossEntropyShape& shape, const CrossEntropyInput& in,
                           const CrossEntropyOutput& out) {
  for_each_index(ctx, slots.max, detail::loss_of(slots, shape, in, out));
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                             \
  template void softmax_cross_entropy(C&, Slots, const CrossEntropyShape&, const CrossEntropyInput&, \
                                      const CrossEntropyOutput&);
