// How optimisers share out their work: a block is a chunk of one replica that steps.
#pragma once

#include <cstdint>

#include "kernels/device/launch.hpp"
#include "kernels/nn/optimizers/optimizer.hpp"

namespace splitsim::detail {

constexpr std::int64_t kStepChunk = 1024;
PSL_HD constexpr std::int64_t chunks_of(std::int64_t size, std::int64_t chunk) { return (size + chunk - 1) / chunk; }

/// What a block works on.
struct StepChunk {
  std::int64_t target, begin, end;
  const float* __restrict__ gradient;
  float* __restrict__ parameters;
  std::int64_t state;  ///< offset of the replica in [G, P] optimiser state
  float scale;

  PSL_HD StepChunk(const StepTargets& t, std::int64_t block) {
    const std::int64_t chunks = chunks_of(t.size, kStepChunk), row = block / chunks;
    target = t.target(row);
    begin = (block - row * chunks) * kStepChunk;
    end = begin + kStepChunk < t.size ? begin + kStepChunk : t.size;
    gradient = t.gradients + row * t.gradient_stride;
    parameters = t.parameters + target * t.stride;
    state = target * t.size;
    scale = t.gradient_scale == nullptr ? 1.0f : t.gradient_scale[t.gradient_row(row)];
  }
};

inline Extent step_extent(const StepTargets& targets) {
  return {targets.max, targets.count, chunks_of(targets.size, kStepChunk)};
}

}  // namespace splitsim::detail
