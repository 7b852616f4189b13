// Fully connected layers that are so small that launches and waiting take longer than products: tiles of 16 x 16 or 32 x 32
// results, each of one replica, both gradients in one launch.
//
// Determinism: fixed-order: every result is a sum over one index, in four parts where there are few, each in order, in fp32.
#pragma once

#include <algorithm>

#include "kernels/device/context.hpp"
#include "kernels/device/view.hpp"
#include "kernels/nn/layers/linear.hpp"
#include "kernels/nn/support/grouped.hpp"

namespace splitsim {

/// Whether a layer is: a library would give a replica's product a few blocks, of a GPU's hundred processors. Replicas with a
/// few slots each are not: their tiles would be mostly empty.
inline bool is_small(const LinearShape& shape, const ReplicaMap& map) {
  constexpr std::int32_t kRows = 16;
  const std::int32_t rows = map.max_slots / std::max(1, map.max_active);
  return shape.weights() * rows <= (std::int64_t{1} << 23) && (map.tied() || rows >= kRows);
}

/// As linear_forward and linear_backward. Empty slots of a tied side are as any other, else their results are zeros.
void small_linear_forward(CudaContext& ctx, const ReplicaMap& map, const LinearShape& shape, View<const float> x,
                          const Parameters& parameters, View<float> y, bool relu);
void small_linear_backward(CudaContext& ctx, const ReplicaMap& map, const LinearShape& shape, const Backprop& io,
                           Grouped weight, const Parameters& gradients);

}  // namespace splitsim
