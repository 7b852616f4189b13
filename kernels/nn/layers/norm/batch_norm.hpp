// BatchNorm over segments of a step's slots, with per-channel affine parameters of each slot's replica, as
// torch.nn.BatchNorm2d in training (biased variance, eps inside the root) and in evaluation (running statistics).
//
// A segment normalises over its own slots: all samples of the step, of a replica, or of a client. Whatever the
// segments, the running statistics of a replica describe all samples that it processed in the step:
//   running = (1 - momentum) running + momentum (mean, n / (n - 1) variance),   n = samples x pixels
// A segment of a single value per channel has variance 0, so it gives beta and passes no gradient on, never NaN; for a
// replica with n = 1 the factor n / (n - 1) is left out. (PyTorch refuses both.)
//
// Ring R1. Determinism: fixed-order on each backend (any thread count).
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"
#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "kernels/nn/support/layout.hpp"

namespace splitsim {

struct BatchNormShape {
  std::int32_t channels, height, width;
  float eps = 1e-5f;
  float momentum = 0.1f;
  Layout layout = Layout::kChannelsFirst;
  bool relu = false;  ///< y is rectified; channels last only
  PSL_HD std::int64_t plane() const { return std::int64_t{height} * width; }
  PSL_HD std::int64_t size() const { return plane() * channels; }
};

/// Running mean and variance of the replicas: [G][channels] each.
struct RunningStatistics {
  Grouped mean, variance;
};

/// Floats of scratch for both training passes.
template <class Context>
std::int64_t batch_norm_workspace(Context& ctx, const BatchNormShape& shape, std::int32_t max_slots,
                                  std::int32_t max_segments);

/// gamma, beta and running statistics: [G][channels].
struct BatchNormParameters {
  Grouped gamma, beta;
  RunningStatistics running;
};

/// Training: y from x, and the running statistics of the step's replicas. x, y: [S, size]. memory: mean and inverse_std
/// are [max segments, channels].
template <class Context>
void batch_norm_forward(Context& ctx, const ReplicaMap& map, const Segments& segments, const BatchNormShape& shape,
                        View<const float> x, const BatchNormParameters& parameters, const NormMemory& memory,
                        View<float> y);

/// gradients: of gamma and beta, [max_active ranks], overwritten for active ranks; dx may be dy. io.y: channels last only.
template <class Context>
void batch_norm_backward(Context& ctx, const ReplicaMap& map, const Segments& segments, const BatchNormShape& shape,
                         const Backprop& io, Grouped gamma, const NormMemory& memory, const Parameters& gradients);

/// Evaluation: y = gamma (x - running mean) / sqrt(running variance + eps) + beta.
template <class Context>
void batch_norm_evaluate(Context& ctx, const ReplicaMap& map, const BatchNormShape& shape, View<const float> x,
                         const BatchNormParameters& parameters, View<float> y);

}  // namespace splitsim
