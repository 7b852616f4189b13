// Grouped fully connected layer: y = x W^T + b with W: [out, in], as torch.nn.Linear.
// Determinism: fixed-order on the CPU (any thread count) and for many replicas, library-order for one on CUDA.
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"
#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "kernels/primitives/precision.hpp"

namespace splitsim {

struct LinearShape {
  std::int32_t in, out;
  Precision precision = Precision::kFp32;  ///< a GPU's; a CPU, and a GPU for small layers, multiply in fp32
  PSL_HD std::int64_t weights() const { return std::int64_t{in} * out; }
};

template <class Context>
std::int64_t linear_workspace(Context& ctx, const LinearShape& shape, std::int32_t max_slots, std::int32_t max_active);

/// x: [S, in], weight: [G][out, in], bias: [G][out], y: [S, out]. relu: y is rectified.
/// Empty slots' outputs are unspecified.
template <class Context>
void linear_forward(Context& ctx, const ReplicaMap& map, const LinearShape& shape, View<const float> x,
                    const Parameters& parameters, View<float> workspace, View<float> y, bool relu = false);

/// gradients: [max_active ranks], overwritten for active ranks. On a GPU the empty slots of dy must hold zeros and those
/// of x something finite; on a CPU they may hold anything.
template <class Context>
void linear_backward(Context& ctx, const ReplicaMap& map, const LinearShape& shape, const Backprop& io, Grouped weight,
                     View<float> workspace, const Parameters& gradients);

}  // namespace splitsim
