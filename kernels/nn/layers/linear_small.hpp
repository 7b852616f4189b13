// Fully connected layers with one replica that are so small that launches and waiting take longer than products: tiles of
// 16 x 16 results, both gradients in one launch.
//
// Determinism: fixed-order: every result is a sum over one index, in four parts where there are few, each in order, in fp32.
#pragma once

#include "kernels/device/context.hpp"
#include "kernels/device/view.hpp"
#include "kernels/nn/layers/linear.hpp"
#include "kernels/nn/support/grouped.hpp"

namespace splitsim {

/// Whether a layer is: a library would give it a few blocks, of a GPU's hundred processors.
inline bool is_small(const LinearShape& shape, std::int32_t slots) {
  return shape.weights() * slots <= (std::int64_t{1} << 23);
}

/// As linear_forward and linear_backward of a tied side, over all slots.
void small_linear_forward(CudaContext& ctx, std::int32_t slots, const LinearShape& shape, View<const float> x,
                          const Parameters& parameters, View<float> y, bool relu);
void small_linear_backward(CudaContext& ctx, std::int32_t slots, const LinearShape& shape, const Backprop& io,
                           Grouped weight, const Parameters& gradients);

}  // namespace splitsim
