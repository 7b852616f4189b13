// How optimisers share out their work: a block is a chunk of one replica that steps, of the first side or the second.
#pragma once

#include <cstdint>

#include "kernels/device/launch.hpp"
#include "kernels/nn/optimizers/optimizer.hpp"

namespace splitsim::detail {

constexpr std::int64_t kStepChunk = 1024;
PSL_HD constexpr std::int64_t chunks_of(std::int64_t size, std::int64_t chunk) { return (size + chunk - 1) / chunk; }

/// What a block works on.
struct StepChunk {
  bool active;  ///< whether this many replicas step
  std::int64_t target, begin, end;
  const float* __restrict__ gradient;
  float* __restrict__ parameters;
  std::int64_t state;  ///< offset of the replica in [G, P] optimiser state
  float scale;

  PSL_HD StepChunk(const StepTargets& t, std::int64_t block) {
    const std::int64_t chunks = chunks_of(t.size, kStepChunk), copy = block / chunks, row = copy / t.copies;
    active = row < *t.count;
    if (!active) return;
    target = t.target(row, copy - row * t.copies);
    begin = (block - copy * chunks) * kStepChunk;
    end = begin + kStepChunk < t.size ? begin + kStepChunk : t.size;
    gradient = t.gradient(row);
    parameters = t.parameters + target * t.stride;
    state = target * t.size;
    scale = t.gradient_scale == nullptr ? 1.0f : t.gradient_scale[row];
  }
};

/// Update: update(team, OptimizerStep, StepChunk).
template <class Update>
struct StepSides {
  OptimizerStep first, second;
  std::int64_t first_blocks;
  Update update;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    // Two branches, not a choice of one: what a kernel is given cannot be addressed.
    if (block < first_blocks) {
      run(team, first, block);
    } else {
      run(team, second, block - first_blocks);
    }
  }

 private:
  template <class Team>
  PSL_HD void run(Team& team, const OptimizerStep& step, std::int64_t block) const {
    const StepChunk chunk(step.targets, block);
    if (chunk.active) update(team, step, chunk);
  }
};

template <class Context, class Update>
void step_sides(Context& ctx, const OptimizerStep* sides, int count, const Update& update) {
  const auto blocks = [&](int i) {
    if (i >= count) return std::int64_t{0};
    const StepTargets& targets = sides[i].targets;
    return std::int64_t{targets.max} * targets.copies * chunks_of(targets.size, kStepChunk);
  };
  for_each_block(ctx, blocks(0) + blocks(1), StepSides<Update>{sides[0], sides[count - 1], blocks(0), update});
}

}  // namespace splitsim::detail
