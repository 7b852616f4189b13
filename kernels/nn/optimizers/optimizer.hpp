// Optimisers on grouped parameters: SGD, Adam and AdamW as torch.optim has them, and gradient clipping as
// torch.nn.utils.clip_grad_norm_, each replica for itself. Only the replicas that a step names move: the others keep
// their weights, momentum, moments and step counts. Ring R1. Determinism: exact on one backend.
#pragma once

#include <cstdint>

#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"

namespace splitsim {

/// Which replicas step, and on what. Everything lies in device memory, so that launches never change.
struct StepTargets {
  const std::int32_t* count = nullptr;    ///< [1] how many replicas step
  const std::int32_t* replica = nullptr;  ///< [max] row -> replica; null: row = replica
  std::int32_t max = 0;                   ///< most that ever step at once
  std::int64_t size = 0;                  ///< P: trainable parameters of a replica
  std::int64_t stride = 0;                ///< of the parameters, from replica to replica (P, and running statistics)
  std::int64_t gradient_stride = 0;       ///< P, or 0: all step on the first row's gradient
  const float* gradients = nullptr;       ///< [max rows, P]
  const float* gradient_scale = nullptr;  ///< [max rows] factor on each row (clipping), or null
  float* parameters = nullptr;            ///< [G, stride]
  std::int32_t* taken = nullptr;          ///< [G] steps that each replica has taken, or null if nobody counts

  PSL_HD std::int64_t target(std::int64_t row) const { return replica == nullptr ? row : replica[row]; }
  PSL_HD std::int64_t gradient_row(std::int64_t row) const { return gradient_stride == 0 ? 0 : row; }
};

/// taken[replica] += 1 for the step's replicas; before sgd_step with dampening and before adam_step.
template <class Context>
void count_steps(Context& ctx, const StepTargets& targets);

struct SgdSettings {
  float momentum = 0.0f;
  float weight_decay = 0.0f;  ///< added to the gradient
  bool nesterov = false;
  float dampening = 0.0f;  ///< not on a replica's first step; needs `taken`
};

/// velocity: [G, P], empty when momentum is 0. learning_rates: device table, read at *step (device).
template <class Context>
void sgd_step(Context& ctx, const StepTargets& targets, const SgdSettings& settings, const float* learning_rates,
              const std::int32_t* step, View<float> velocity);

struct AdamSettings {
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.0;
  bool decoupled = false;  ///< AdamW: the decay shrinks the weights; else it is added to the gradient
};

/// first, second: [G, P] moments. The bias corrections use `taken`, already counted for this step.
template <class Context>
void adam_step(Context& ctx, const StepTargets& targets, const AdamSettings& settings, const float* learning_rates,
               const std::int32_t* step, View<float> first, View<float> second);

/// Floats of a gradient's norm that one team sums.
inline constexpr std::int64_t kNormChunk = 8192;
/// Doubles that clip_scales needs as workspace.
constexpr std::int64_t clip_workspace(std::int32_t rows, std::int64_t parameters) {
  return rows * ((parameters + kNormChunk - 1) / kNormChunk);
}

/// scale[row] = min(1, max_norm / (|gradient of the row| + 1e-6)), norms summed in double. gradients: [max rows, P] of
/// *count rows; partials: workspace.
template <class Context>
void clip_scales(Context& ctx, const std::int32_t* count, std::int32_t max_rows, std::int64_t parameters,
                 float max_norm, View<const float> gradients, View<double> partials, View<float> scale);

}  // namespace splitsim
