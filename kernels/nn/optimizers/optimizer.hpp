// Optimisers on grouped parameters, as torch.optim has them, and gradient clipping as torch.nn.utils.clip_grad_norm_, each
// replica for itself. Only the replicas that a step names move: the others keep
// their weights, momentum, moments and step counts. Ring R1. Determinism: exact on one backend.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"

namespace splitsim {

/// Which replicas step, and on what. Everything lies in device memory, so that launches never change.
struct StepTargets {
  const std::int32_t* count = nullptr;    ///< [1] how many rows step
  const std::int32_t* replica = nullptr;  ///< [max] row -> replica, or run of `copies` replicas; null: row = replica
  std::int32_t max = 0;                   ///< most rows that ever step at once
  std::int32_t copies = 1;                ///< replicas that step on a row's gradient
  const std::int32_t* gradient_row = nullptr;  ///< run of replicas -> row of `gradients`; null: the row itself
  std::int64_t size = 0;                  ///< P: trainable parameters of a replica
  std::int64_t stride = 0;                ///< of the parameters, from replica to replica (P, and running statistics)
  const float* gradients = nullptr;       ///< [max rows, P]
  const float* gradient_scale = nullptr;  ///< [max rows] factor on each row (clipping), or null
  float* parameters = nullptr;            ///< [G, stride]
  std::int32_t* taken = nullptr;          ///< [G] steps that each replica has taken, or null if nobody counts

  PSL_HD const float* gradient(std::int64_t row) const {
    return gradients + (gradient_row == nullptr ? row : gradient_row[replica[row]]) * size;
  }
  /// The replica of a row's copy.
  PSL_HD std::int64_t target(std::int64_t row, std::int64_t copy) const {
    return (replica == nullptr ? row : replica[row]) * copies + copy;
  }
};

/// taken[replica] += 1 for the step's replicas; before a step of an optimiser that counts.
template <class Context>
void count_steps(Context& ctx, const StepTargets& targets);

/// The numbers of every optimiser, named as in torch.optim; each reads its own.
struct OptimizerNumbers {
  double momentum = 0.9;
  double dampening = 0.0;  ///< not on a replica's first step
  bool nesterov = false;
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.0;
};

/// The rate of a step, in device memory: of experiment e, whose replicas are [e G, (e + 1) G), table[e][step[e]].
struct StepRate {
  const float* table;        ///< [E, stride]
  const std::int32_t* step;  ///< [E]
  std::int64_t stride = 0;
  std::int32_t replicas = INT32_MAX;  ///< G

  PSL_HD float of(std::int64_t replica) const {
    const std::int64_t e = replica / replicas;
    return table[e * stride + step[e]];
  }
};

/// What an optimiser keeps: [G, P] each, empty where it keeps less.
struct OptimizerState {
  View<float> first, second;
};

/// A side's step: which replicas, on what, how.
struct OptimizerStep {
  StepTargets targets;
  OptimizerNumbers numbers;
  StepRate rate;
  OptimizerState state;
};

/// One kind of optimiser: a row of optimizers().
template <class Context>
struct Optimizer {
  const char* name;
  const char* summary;                            ///< one line for --help
  std::vector<const char*> reads;                 ///< which numbers, by name
  int (*moments)(const OptimizerNumbers&);        ///< how many of the two states it keeps
  bool (*counts_steps)(const OptimizerNumbers&);  ///< whether it reads StepTargets::taken
  /// One step of the targets' replicas of one side, or of two at once (count: 1 or 2); `taken` is already counted for it.
  void (*step)(Context& ctx, const OptimizerStep* sides, int count);
};

/// All kinds. A new one is a file <name>_impl.hpp and a line in optimizers.cpp.
template <class Context>
const std::vector<Optimizer<Context>>& optimizers();
/// Errors: InputError for an unknown name.
template <class Context>
const Optimizer<Context>& optimizer_named(const std::string& name);

/// Floats of a gradient's norm that one team sums.
inline constexpr std::int64_t kNormChunk = 8192;
/// Doubles that clip_scales needs as workspace.
constexpr std::int64_t clip_workspace(std::int32_t rows, std::int64_t parameters) {
  return rows * ((parameters + kNormChunk - 1) / kNormChunk);
}

/// scale[row] = min(1, max_norm / (|gradient of the row| + 1e-6)), norms summed in double, of
/// the targets' rows; partials: workspace.
template <class Context>
void clip_scales(Context& ctx, const StepTargets& targets, float max_norm, View<double> partials, View<float> scale);

}  // namespace splitsim
