// Counting and clipping (kernels/nn/optimizers/optimizer.hpp).
#pragma once

#include <cmath>

#include "kernels/device/team.hpp"
#include "kernels/nn/optimizers/step_chunk.hpp"

namespace splitsim {

namespace detail {
struct CountSteps {
  StepTargets targets;
  PSL_HD void operator()(std::int64_t i) const {
    const std::int64_t row = i / targets.copies;
    targets.taken[targets.target(row, i - row * targets.copies)] += 1;
  }
};

/// Sum of squares of a chunk of a row.
struct PartialNorms {
  StepTargets targets;
  std::int64_t chunks;
  double* partials;  ///< [rows, chunks]

  struct Square {
    const float* g;
    PSL_HD double operator()(std::int64_t i) const { return static_cast<double>(g[i]) * static_cast<double>(g[i]); }
  };
  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const std::int64_t row = block / chunks, begin = (block - row * chunks) * kNormChunk;
    const std::int64_t n = begin + kNormChunk < targets.size ? kNormChunk : targets.size - begin;
    const double sum = team.reduce(n, 0.0, Square{targets.gradient(row) + begin}, Plus{});
    if (team.rank() == 0) partials[block] = sum;
  }
};
struct ClipScales {
  std::int64_t chunks;
  float max_norm;
  const double* partials;
  float* scale;

  struct Load {
    const double* values;
    PSL_HD double operator()(std::int64_t i) const { return values[i]; }
  };
  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t row) const {
    const double norm = std::sqrt(team.reduce(chunks, 0.0, Load{partials + row * chunks}, Plus{}));
    const double factor = static_cast<double>(max_norm) / (norm + 1e-6);
    // A NaN norm stays one, as in PyTorch: a diverged gradient must show.
    if (team.rank() == 0) scale[row] = factor > 1.0 ? 1.0f : static_cast<float>(factor);
  }
};
}  // namespace detail

template <class Context>
void count_steps(Context& ctx, const StepTargets& targets) {
  for_each_index(ctx, Extent{targets.max, targets.count, targets.copies}, detail::CountSteps{targets});
}

template <class Context>
void clip_scales(Context& ctx, const StepTargets& targets, float max_norm, View<double> partials, View<float> scale) {
  const std::int64_t chunks = detail::chunks_of(targets.size, kNormChunk);
  for_each_block(ctx, Extent{targets.max, targets.count, chunks},
                 detail::PartialNorms{targets, chunks, partials.data()});
  for_each_block(ctx, Extent{targets.max, targets.count, 1},
                 detail::ClipScales{chunks, max_norm, partials.data(), scale.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                             \
  template void count_steps(C&, const StepTargets&); \
  template void clip_scales(C&, const StepTargets&, float, View<double>, View<float>);
