// BatchNorm, channels first: a block is a few planes of one slot.
#pragma once

#include "kernels/nn/layers/norm/batch_norm_moments.hpp"
#include "kernels/nn/support/team_loops.hpp"
#include "kernels/nn/support/team_sums.hpp"

namespace splitsim::detail {

struct PlaneMoments {
  std::int32_t planes, plane;  ///< planes per block, pixels per plane
  const float* x;
  float* mean;     ///< [S, channels]
  float* squares;  ///< [S, channels]

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    for (std::int64_t p = block * planes; p < (block + 1) * planes; ++p) {
      const float* in = x + p * plane;
      const float center = team_sum(team, in, plane) / static_cast<float>(plane);
      const float deviations = team_square_deviations(team, in, center, plane);
      if (team.rank() != 0) continue;
      mean[p] = center;
      squares[p] = deviations;
    }
  }
};

/// y = (x - mean) scale + beta with the plane's mean and scale = gamma / std. Moments: Segment or Running.
template <class Moments>
struct NormalisePlanes {
  std::int32_t planes, plane, channels;
  const std::int32_t* rank;
  const std::int32_t* replica;
  const float* x;
  Grouped gamma, beta;
  Moments moments;
  float* y;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const std::int64_t slot = block * planes / channels;
    const std::int32_t g = replica[rank[slot]];
    const float* gammas = gamma.at(g);
    const float* betas = beta.at(g);
    const Moments of = moments;
    const std::int32_t size = plane;
    const std::int64_t first = block * planes, slot_first = slot * channels;
    const float* in = x + first * size;
    float* out = y + first * size;
    struct Affine {
      float center, scale, shift;
    };
    team_rows(
        team, planes, size,
        [=](std::int32_t p) {
          const std::int64_t c = first + p - slot_first;
          return Affine{of.mean(slot, g, c), of.inverse_std(slot, g, c) * gammas[c], betas[c]};
        },
        [=](std::int32_t p, std::int32_t i, const Affine& a) {
          out[p * size + i] = (in[p * size + i] - a.center) * a.scale + a.shift;
        });
  }
};

/// Per plane: dbeta = sum dy and dgamma = sum dy xhat.
struct PlaneGradients {
  std::int32_t planes, plane, channels;
  const float* x;
  const float* dy;
  SegmentStatistics of;
  float* dgamma;  ///< [S, channels]
  float* dbeta;   ///< [S, channels]

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const std::int64_t slot = block * planes / channels;
    for (std::int64_t p = block * planes; p < (block + 1) * planes; ++p) {
      const std::int64_t c = p - slot * channels;
      const float center = of.mean(slot, 0, c), scale = of.inverse_std(slot, 0, c);
      const float beta = team_sum(team, dy + p * plane, plane);
      const float gamma = scale * team_centered_dot(team, dy + p * plane, x + p * plane, center, plane);
      if (team.rank() != 0) continue;
      dgamma[p] = gamma;
      dbeta[p] = beta;
    }
  }
};

/// dx = (h - mean(h) - xhat mean(h xhat)) / std.
struct InputGradients {
  std::int32_t planes, plane, channels;
  const std::int32_t* rank;
  const std::int32_t* replica;
  const float* x;
  const float* dy;
  Grouped gamma;
  SegmentStatistics of;
  const float* mean_h;
  const float* mean_h_xhat;
  float* dx;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const std::int64_t first = block * planes, slot = first / channels, slot_first = slot * channels;
    const float* gammas = gamma.at(replica[rank[slot]]);
    const float* segment_h = mean_h + std::int64_t{of.of_slot[slot]} * channels;
    const float* segment_h_xhat = mean_h_xhat + std::int64_t{of.of_slot[slot]} * channels;
    const std::int32_t size = plane;
    const SegmentStatistics statistics = of;
    const float* in = x + first * size;
    const float* grad = dy + first * size;
    float* out = dx + first * size;
    struct Slopes {
      float center, scale, gamma, mean_h, of_input;
    };
    team_rows(
        team, planes, size,
        [=](std::int32_t p) {
          const std::int64_t c = first + p - slot_first;
          const float scale = statistics.inverse_std(slot, 0, c);
          return Slopes{statistics.mean(slot, 0, c), scale, gammas[c], segment_h[c], scale * scale * segment_h_xhat[c]};
        },
        [=](std::int32_t p, std::int32_t i, const Slopes& k) {
          // h - mean(h) first: for a single value it is exactly 0.
          const float h = grad[p * size + i] * k.gamma - k.mean_h;
          out[p * size + i] = h * k.scale - (in[p * size + i] - k.center) * k.of_input;
        });
  }
};

}  // namespace splitsim::detail
