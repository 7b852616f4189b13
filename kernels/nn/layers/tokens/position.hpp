// A learned addition, one number per feature: position embeddings. Ring R1. Determinism: exact: gradients are added in the
// order of slots.
#pragma once

#include <cstdint>

#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"

namespace splitsim {

/// y = x + weight of the slot's replica; y may be x. weight: [G][features]; x, y: [S, features].
template <class Context>
void position_forward(Context& ctx, const ReplicaMap& map, std::int32_t features, View<const float> x, Grouped weight,
                      View<float> y);

/// gradient: [max_active ranks][features], overwritten for active ranks. dx is dy.
template <class Context>
void position_backward(Context& ctx, const ReplicaMap& map, std::int32_t features, View<const float> dy,
                       Grouped gradient);

}  // namespace splitsim
