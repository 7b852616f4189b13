// Learning rates as a table over all steps of a run, so that a captured step only indexes it.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/mode/settings.hpp"

namespace splitsim {

/// [steps_per_epoch * epochs] rates. With W = warmup_epochs * steps_per_epoch (rounded) and n steps in all:
///   t < W:  lr (t + 1) / W        constant: lr        cosine: lr (1 + cos(pi (t - W) / (n - W))) / 2
///   step: lr gamma^floor(e / step_epochs)    multistep: lr gamma^(milestones <= e), with the epoch e = 0, 1, ..
/// Determinism: exact on one host (computed once, in double).
std::vector<float> learning_rates(const OptimizerSettings& settings, std::int64_t steps_per_epoch, std::int64_t epochs);

}  // namespace splitsim
