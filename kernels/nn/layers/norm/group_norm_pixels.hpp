// GroupNorm, channels last: a block is a few whole groups of one slot, which a team reads line by line.
#pragma once

#include <cmath>

#include "kernels/nn/layers/norm/group_norm.hpp"
#include "kernels/nn/support/planes.hpp"

namespace splitsim::detail {

/// Blocks of whole groups.
struct NormColumns : ColumnBlocks {
  std::int32_t width;  ///< channels of a group

  NormColumns(const GroupNormShape& shape, const ReplicaMap& map)
      : ColumnBlocks(shape.channels, std::int64_t{shape.height} * shape.width, shape.channels / shape.groups, map),
        width(shape.channels / shape.groups) {}

  /// The sum over column c's group of values, one per column.
  PSL_HD float of_group(const float* values, std::int32_t c) const {
    float sum = 0.0f;
    for (std::int32_t i = c - c % width, end = i + width; i < end; ++i) sum += values[i];
    return sum;
  }
};

struct GroupNormForwardPixels {
  NormColumns blocks;
  float eps;
  const float* x;
  Grouped gamma, beta;
  float* y;
  float* mean;         ///< [S, groups]
  float* inverse_std;  ///< [S, groups]
  float* sums;         ///< [S, channels]
  float* squares;      ///< [S, channels]
  bool relu;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const NormColumns b = blocks;
    const NormColumns::Place place = b.place(block);
    const float* in = x + place.at;
    float *out = y + place.at, *sum = sums + place.row, *square = squares + place.row;
    const float n = static_cast<float>(b.width) * static_cast<float>(b.pixels);
    team.template column_sums<float>(
        b.pixels, b.columns, [=](std::int32_t p, std::int32_t c) { return in[p * b.channels + c]; },
        [=](std::int32_t c, float total) { sum[c] = total; });
    float* means = mean + place.row / b.width;
    for (std::int32_t g = team.rank(); g < b.columns / b.width; g += team.size()) {
      means[g] = b.of_group(sum, g * b.width) / n;
    }
    team.sync();
    team.template column_sums<float>(
        b.pixels, b.columns,
        [=](std::int32_t p, std::int32_t c) {
          const float d = in[p * b.channels + c] - means[c / b.width];
          return d * d;
        },
        [=](std::int32_t c, float total) { square[c] = total; });
    float* scales = inverse_std + place.row / b.width;
    for (std::int32_t g = team.rank(); g < b.columns / b.width; g += team.size()) {
      scales[g] = 1.0f / std::sqrt(b.of_group(square, g * b.width) / n + eps);
    }
    team.sync();
    const std::int32_t g = b.replica[b.rank[place.slot]];
    const float *gammas = gamma.at(g) + place.channel, *betas = beta.at(g) + place.channel;
    const bool relu_here = relu;
    struct Affine {
      float center, scale, shift;
    };
    team.columns_each(
        b.pixels, b.columns,
        [=](std::int32_t c) {
          return Affine{means[c / b.width], scales[c / b.width] * gammas[c], betas[c]};
        },
        [=](std::int32_t p, std::int32_t c, const Affine& a) {
          const float value = (in[p * b.channels + c] - a.center) * a.scale + a.shift;
          out[p * b.channels + c] = relu_here ? rectify(value) : value;
        });
  }
};

// As channels first: with xhat = (x - mean) scale and h = dy gamma, dx = scale (h - mean(h) - xhat mean(h xhat)).
struct GroupNormBackwardPixels {
  NormColumns blocks;
  const float* x;
  const float* dy;
  Grouped gamma;
  const float* mean;
  const float* inverse_std;
  float* slot_dgamma;  ///< [S, channels]
  float* slot_dbeta;   ///< [S, channels]
  float* dx;           ///< may be dy, or null
  const float* y;      ///< what was rectified behind the layer, or null

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const NormColumns b = blocks;
    const NormColumns::Place place = b.place(block);
    const float *in = x + place.at, *behind = dy + place.at, *own = y == nullptr ? nullptr : y + place.at;
    const auto grad = [=](std::int32_t at) {
      return own == nullptr ? behind[at] : rectify_gradient(own[at], behind[at]);
    };
    const float *means = mean + place.row / b.width, *scales = inverse_std + place.row / b.width;
    float *dgamma = slot_dgamma + place.row, *dbeta = slot_dbeta + place.row;
    team.template column_sums<Pair<float>>(
        b.pixels, b.columns,
        [=](std::int32_t p, std::int32_t c) {
          const float d = grad(p * b.channels + c);
          return Pair<float>{d, d * (in[p * b.channels + c] - means[c / b.width])};
        },
        [=](std::int32_t c, const Pair<float>& sum) {
          dbeta[c] = sum.a;
          dgamma[c] = sum.b * scales[c / b.width];
        });
    if (dx == nullptr) return;
    float* out = dx + place.at;
    const float n = static_cast<float>(b.width) * static_cast<float>(b.pixels);
    const float* gammas = gamma.at(b.replica[b.rank[place.slot]]) + place.channel;
    struct Slopes {
      float center, of_gradient, offset, of_input;
    };
    team.columns_each(
        b.pixels, b.columns,
        [=](std::int32_t c) {
          float h = 0.0f, h_xhat = 0.0f;
          for (std::int32_t i = c - c % b.width, end = i + b.width; i < end; ++i) {
            h += gammas[i] * dbeta[i];
            h_xhat += gammas[i] * dgamma[i];
          }
          const float scale = scales[c / b.width];
          return Slopes{means[c / b.width], scale * gammas[c], scale * h / n, scale * scale * h_xhat / n};
        },
        [=](std::int32_t p, std::int32_t c, const Slopes& s) {
          const std::int32_t at = p * b.channels + c;
          out[at] = grad(at) * s.of_gradient - s.offset - (in[at] - s.center) * s.of_input;
        });
  }
};

}  // namespace splitsim::detail
