// Dropout as torch.nn.Dropout in training, its mask a function of (seed, sample id, layer, epoch): the same whatever
// batch, client, replica, backend or order a sample comes in. Ring R1. Determinism: exact.
#pragma once

#include <cstdint>

#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "kernels/nn/support/layout.hpp"

namespace splitsim {

/// Where the random bits of a step's slots live: [S] each, device memory.
struct SampleKeys {
  const std::uint64_t* seed = nullptr;
  const std::int32_t* sample = nullptr;  ///< ids
  const std::int32_t* epoch = nullptr;
};

struct DropoutRule {
  SampleKeys keys;
  std::int32_t layer;  ///< which one of the network
  double probability;  ///< of a feature to become 0, in [0, 1)
};

/// x = 0 with the rule's probability p, else x / (1 - p), in place over the valid slots. The same call on dy is its
/// gradient. x: [S, size]; a feature's bits are those of its place channels first, whatever the layout.
template <class Context>
void dropout(Context& ctx, Slots slots, const PlaneShape& shape, const DropoutRule& rule, View<float> x);

}  // namespace splitsim
