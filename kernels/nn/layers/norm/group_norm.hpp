// GroupNorm with per-channel affine parameters, as torch.nn.GroupNorm (biased variance, eps inside the root).
// Ring R1. Determinism: fixed-order on each backend (any thread count).
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"
#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "kernels/nn/support/layout.hpp"

namespace splitsim {

struct GroupNormShape {
  std::int32_t channels, height, width, groups;
  float eps = 1e-5f;
  Layout layout = Layout::kChannelsFirst;
  bool relu = false;  ///< y is rectified; channels last only
  PSL_HD std::int64_t size() const { return std::int64_t{channels} * height * width; }
};

template <class Context>
std::int64_t group_norm_workspace(Context& ctx, const GroupNormShape& shape, std::int32_t max_slots,
                                  std::int32_t max_active);

/// memory: mean and inverse_std: [S, groups]; the workspace is the backward pass's. gamma, beta: [G][channels]. x, y:
/// [S, size].
template <class Context>
void group_norm_forward(Context& ctx, const ReplicaMap& map, const GroupNormShape& shape, View<const float> x,
                        const Parameters& parameters, const NormMemory& memory, View<float> y);

/// gradients: [max_active ranks], overwritten for active ranks; dx may be dy. io.y: channels last only.
template <class Context>
void group_norm_backward(Context& ctx, const ReplicaMap& map, const GroupNormShape& shape, const Backprop& io,
                         Grouped gamma, const NormMemory& memory, const Parameters& gradients);

}  // namespace splitsim
