// GroupNorm, channels first: a block is one (slot, group), whose channels are contiguous.
#pragma once

#include <cmath>

#include "kernels/nn/layers/norm/group_norm.hpp"
#include "kernels/nn/support/team_loops.hpp"
#include "kernels/nn/support/team_sums.hpp"

namespace splitsim::detail {

/// What the blocks of both passes share.
struct NormBlocks {
  std::int32_t channels, groups, plane;  ///< plane: height * width
  const std::int32_t* rank;
  const std::int32_t* replica;

  NormBlocks(const GroupNormShape& shape, const ReplicaMap& map)
      : channels(shape.channels),
        groups(shape.groups),
        plane(shape.height * shape.width),
        rank(map.rank),
        replica(map.replica) {}
  PSL_HD std::int32_t channels_per_group() const { return channels / groups; }
};

struct GroupNormForward {
  NormBlocks blocks;
  float eps;
  const float* x;
  Grouped gamma, beta;
  float* y;
  float* mean;
  float* inverse_std;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const std::int32_t plane = blocks.plane, width = blocks.channels_per_group();
    const std::int64_t slot = block / blocks.groups, n = std::int64_t{width} * plane;
    const std::int64_t first_channel = (block - slot * blocks.groups) * width;
    const float* in = x + block * n;
    float* out = y + block * n;
    const float center = team_sum(team, in, n) / static_cast<float>(n);
    const float variance = team_square_deviations(team, in, center, n) / static_cast<float>(n);
    const float scale = 1.0f / std::sqrt(variance + eps);
    if (team.rank() == 0) {
      mean[block] = center;
      inverse_std[block] = scale;
    }
    const std::int32_t g = blocks.replica[blocks.rank[slot]];
    const float* channel_gamma = gamma.at(g) + first_channel;
    const float* channel_beta = beta.at(g) + first_channel;
    team_grid(team, width, plane, [=](std::int32_t c, std::int32_t i) {
      out[c * plane + i] = (in[c * plane + i] - center) * (scale * channel_gamma[c]) + channel_beta[c];
    });
  }
};

// With xhat = (x - mean) scale and h = dy gamma:  dx = scale (h - mean(h) - xhat mean(h xhat)), means over the group.
struct GroupNormBackward {
  NormBlocks blocks;
  const float* x;
  const float* dy;
  Grouped gamma;
  const float* mean;
  const float* inverse_std;
  float* slot_dgamma;  ///< [S, channels]
  float* slot_dbeta;   ///< [S, channels]
  float* dx;           ///< may be dy, or null

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const std::int32_t plane = blocks.plane, width = blocks.channels_per_group();
    const std::int64_t slot = block / blocks.groups, n = std::int64_t{width} * plane;
    const std::int64_t first_channel = (block - slot * blocks.groups) * width;
    const float* in = x + block * n;
    const float* grad = dy + block * n;
    const float center = mean[block], scale = inverse_std[block];
    const float* channel_gamma = gamma.at(blocks.replica[blocks.rank[slot]]) + first_channel;
    float sum_h = 0.0f, sum_h_xhat = 0.0f;
    for (std::int32_t c = 0; c < width; ++c) {
      const float dbeta = team_sum(team, grad + c * plane, plane);
      const float dgamma = scale * team_centered_dot(team, grad + c * plane, in + c * plane, center, plane);
      sum_h += channel_gamma[c] * dbeta;
      sum_h_xhat += channel_gamma[c] * dgamma;
      if (team.rank() == 0) {
        slot_dgamma[block * width + c] = dgamma;
        slot_dbeta[block * width + c] = dbeta;
      }
    }
    if (dx == nullptr) return;
    float* out = dx + block * n;
    const float offset = scale * sum_h / static_cast<float>(n);
    const float slope = scale * scale * sum_h_xhat / static_cast<float>(n);
    team_grid(team, width, plane, [=](std::int32_t c, std::int32_t i) {
      const std::int32_t at = c * plane + i;
      out[at] = grad[at] * (scale * channel_gamma[c]) - offset - (in[at] - center) * slope;
    });
  }
};

}  // namespace splitsim::detail
