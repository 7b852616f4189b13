// Normalisation of one row of numbers with a gamma and a beta per place: what a layer norm does to a slot, and a channel norm,
// channels last, to a pixel. A block is a row; `rows` of them, one after another, are of one slot.
#pragma once

#include <cmath>

#include "kernels/nn/support/grouped.hpp"
#include "kernels/nn/support/team_loops.hpp"
#include "kernels/nn/support/team_sums.hpp"

namespace splitsim::detail {

/// What both passes know: rows of n numbers.
struct NormRows {
  ReplicaMap map;
  std::int32_t rows, n;
  PSL_HD std::int32_t replica(std::int64_t block) const { return map.replica[map.rank[block / rows]]; }
};

struct NormRowsForward {
  NormRows of;
  float eps;
  const float* x;
  Parameters parameters;
  float* y;
  float* mean;         ///< [S, rows]
  float* inverse_std;  ///< [S, rows]

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const std::int32_t n = of.n, g = of.replica(block);
    const float* in = x + block * n;
    float* out = y + block * n;
    const float center = team_sum(team, in, n) / static_cast<float>(n);
    const float variance = team_square_deviations(team, in, center, n) / static_cast<float>(n);
    const float scale = 1.0f / std::sqrt(variance + eps);
    if (team.rank() == 0) {
      mean[block] = center;
      inverse_std[block] = scale;
    }
    const float *gamma = parameters.weight.at(g), *beta = parameters.bias.at(g);
    team_range(team, n, [=](std::int32_t i) { out[i] = (in[i] - center) * scale * gamma[i] + beta[i]; });
  }
};

// With xhat = (x - mean) scale and h = dy gamma:  dx = scale (h - mean(h) - xhat mean(h xhat)).
struct NormRowsBackward {
  NormRows of;
  const float* x;
  const float* dy;
  Grouped gamma;
  const float* mean;
  const float* inverse_std;
  float* dx;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const std::int32_t n = of.n;
    const float *in = x + block * n, *grad = dy + block * n, *own = gamma.at(of.replica(block));
    const float center = mean[block], scale = inverse_std[block];
    float* h = dx + block * n;
    team_range(team, n, [=](std::int32_t i) { h[i] = grad[i] * own[i]; });
    team.sync();
    const float offset = team_sum(team, h, n) / static_cast<float>(n);
    const float slope = scale * scale * team_centered_dot(team, h, in, center, n) / static_cast<float>(n);
    team.sync();
    team_range(team, n, [=](std::int32_t i) { h[i] = scale * ((h[i] - offset) - (in[i] - center) * slope); });
  }
};

}  // namespace splitsim::detail
