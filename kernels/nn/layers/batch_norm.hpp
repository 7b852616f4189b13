// BatchNorm over segments of a step's slots, with per-channel affine parameters of each slot's replica, as
// torch.nn.BatchNorm2d in training (biased variance, eps inside the root) and in evaluation (running statistics).
//
// A segment normalises over its own slots: all samples of the step, of a replica, or of a client. Whatever the
// segments, the running statistics of a replica describe all samples that it processed in the step:
//   running = (1 - momentum) running + momentum (mean, n / (n - 1) variance),   n = samples x pixels
// A segment of a single value per channel has variance 0, so it gives beta and passes no gradient on, never NaN; for a
// replica with n = 1 the factor n / (n - 1) is left out. (PyTorch refuses both.)
//
// NCHW per slot. Ring R1. Determinism: fixed-order on each backend (any thread count).
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"
#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"

namespace splitsim {

struct BatchNormShape {
  std::int32_t channels, height, width;
  float eps = 1e-5f;
  float momentum = 0.1f;
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

/// Training: y from x, and the running statistics of the step's replicas. gamma, beta: [G][channels]. x, y: [S, size].
/// mean, inverse_std: [max segments, channels], kept for the backward pass.
template <class Context>
void batch_norm_forward(Context& ctx, const ReplicaMap& map, const Segments& segments, const BatchNormShape& shape,
                        View<const float> x, Grouped gamma, Grouped beta, View<float> workspace,
                        const RunningStatistics& running, View<float> y, View<float> mean, View<float> inverse_std);

/// dgamma, dbeta: [max_active ranks], overwritten for active ranks; dx: [S, size], overwritten (may alias dy), or
/// empty.
template <class Context>
void batch_norm_backward(Context& ctx, const ReplicaMap& map, const Segments& segments, const BatchNormShape& shape,
                         View<const float> x, View<const float> dy, Grouped gamma, View<const float> mean,
                         View<const float> inverse_std, View<float> workspace, Grouped dgamma, Grouped dbeta,
                         View<float> dx);

/// Evaluation: y = gamma (x - running mean) / sqrt(running variance + eps) + beta.
template <class Context>
void batch_norm_evaluate(Context& ctx, const ReplicaMap& map, const BatchNormShape& shape, View<const float> x,
                         Grouped gamma, Grouped beta, const RunningStatistics& running, View<float> y);

}  // namespace splitsim
