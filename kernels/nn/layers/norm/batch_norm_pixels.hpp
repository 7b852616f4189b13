// BatchNorm, channels last: a block is a few channels of one slot. Empty slots get zeros: they belong to no segment.
#pragma once

#include "kernels/nn/layers/norm/batch_norm_moments.hpp"

namespace splitsim::detail {

struct ColumnMoments {
  ColumnBlocks blocks;
  const float* x;
  float* mean;     ///< [S, channels]
  float* squares;  ///< [S, channels]: sums of squared deviations

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const ColumnBlocks b = blocks;
    const ColumnBlocks::Place place = b.place(block);
    if (place.empty) return;
    const float* in = x + place.at;
    float *means = mean + place.row, *square = squares + place.row;
    team.template column_sums<float>(
        b.pixels, b.columns, [=](std::int32_t p, std::int32_t c) { return in[p * b.channels + c]; },
        [=](std::int32_t c, float sum) { means[c] = sum / static_cast<float>(b.pixels); });
    team.template column_sums<float>(
        b.pixels, b.columns,
        [=](std::int32_t p, std::int32_t c) {
          const float d = in[p * b.channels + c] - means[c];
          return d * d;
        },
        [=](std::int32_t c, float sum) { square[c] = sum; });
  }
};

/// y = (x - mean) scale + beta with scale = gamma / std. Moments: Segment or Running.
template <class Moments>
struct NormaliseColumns {
  ColumnBlocks blocks;
  const float* x;
  Grouped gamma, beta;
  Moments moments;
  float* y;
  bool relu;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const ColumnBlocks b = blocks;
    const ColumnBlocks::Place place = b.place(block);
    const float* in = x + place.at;
    float* out = y + place.at;
    const std::int32_t g = b.replica[b.rank[place.slot]];
    const float *gammas = gamma.at(g) + place.channel, *betas = beta.at(g) + place.channel;
    const Moments of = moments;
    const bool relu_here = relu;
    struct Affine {
      float center, scale, shift;
    };
    team.columns_each(
        b.pixels, b.columns,
        [=](std::int32_t c) {
          if (place.empty) return Affine{0.0f, 0.0f, 0.0f};
          return Affine{of.mean(place.slot, g, place.channel + c),
                        of.inverse_std(place.slot, g, place.channel + c) * gammas[c], betas[c]};
        },
        [=](std::int32_t p, std::int32_t c, const Affine& a) {
          const std::int32_t at = p * b.channels + c;
          const float value = place.empty ? 0.0f : (in[at] - a.center) * a.scale + a.shift;
          out[at] = relu_here ? rectify(value) : value;
        });
  }
};

/// Per slot and channel: dbeta = sum dy and dgamma = sum dy xhat.
struct ColumnGradients {
  ColumnBlocks blocks;
  const float* x;
  const float* dy;
  SegmentStatistics of;
  float* dgamma;   ///< [S, channels]
  float* dbeta;    ///< [S, channels]
  const float* y;  ///< what was rectified behind the layer, or null

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const ColumnBlocks b = blocks;
    const ColumnBlocks::Place place = b.place(block);
    if (place.empty) return;
    const float *in = x + place.at, *behind = dy + place.at, *own = y == nullptr ? nullptr : y + place.at;
    const std::int64_t segment = std::int64_t{of.of_slot[place.slot]} * b.channels + place.channel;
    const float *means = of.means + segment, *scales = of.inverse_stds + segment;
    float *gamma_out = dgamma + place.row, *beta_out = dbeta + place.row;
    team.template column_sums<Pair<float>>(
        b.pixels, b.columns,
        [=](std::int32_t p, std::int32_t c) {
          const std::int32_t at = p * b.channels + c;
          const float d = own == nullptr ? behind[at] : rectify_gradient(own[at], behind[at]);
          return Pair<float>{d, d * (in[p * b.channels + c] - means[c])};
        },
        [=](std::int32_t c, const Pair<float>& sum) {
          beta_out[c] = sum.a;
          gamma_out[c] = sum.b * scales[c];
        });
  }
};

/// dx = (h - mean(h) - xhat mean(h xhat)) / std.
struct ColumnInputGradients {
  ColumnBlocks blocks;
  const float* x;
  const float* dy;
  Grouped gamma;
  SegmentStatistics of;
  const float* mean_h;
  const float* mean_h_xhat;
  float* dx;
  const float* y;  ///< what was rectified behind the layer, or null

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const ColumnBlocks b = blocks;
    const ColumnBlocks::Place place = b.place(block);
    const float *in = x + place.at, *behind = dy + place.at, *own = y == nullptr ? nullptr : y + place.at;
    float* out = dx + place.at;
    const float* gammas = gamma.at(b.replica[b.rank[place.slot]]) + place.channel;
    const std::int64_t segment = std::int64_t{of.of_slot[place.slot]} * b.channels + place.channel;
    const ColumnInputGradients a = *this;
    struct Slopes {
      float center, scale, gamma, mean_h, of_input;
    };
    team.columns_each(
        b.pixels, b.columns,
        [=](std::int32_t c) {
          if (place.empty) return Slopes{};
          const float scale = a.of.inverse_stds[segment + c];
          return Slopes{a.of.means[segment + c], scale, gammas[c], a.mean_h[segment + c],
                        scale * scale * a.mean_h_xhat[segment + c]};
        },
        [=](std::int32_t p, std::int32_t c, const Slopes& k) {
          const std::int32_t at = p * b.channels + c;
          // h - mean(h) first: for a single value it is exactly 0.
          const float d = own == nullptr ? behind[at] : rectify_gradient(own[at], behind[at]);
          const float h = d * k.gamma - k.mean_h;
          out[at] = place.empty ? 0.0f : h * k.scale - (in[at] - k.center) * k.of_input;
        });
  }
};

}  // namespace splitsim::detail
