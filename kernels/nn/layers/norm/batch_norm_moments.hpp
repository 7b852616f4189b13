// What BatchNorm makes of its planes' sums, whatever the layout: moments of segments, running statistics.
#pragma once

#include <cmath>

#include "kernels/nn/layers/norm/batch_norm.hpp"
#include "kernels/nn/support/planes.hpp"

namespace splitsim::detail {

/// A segment's moments, or a replica's running ones, for the slots that they belong to.
struct SegmentStatistics {
  const std::int32_t* of_slot;
  std::int64_t channels;
  const float* means;
  const float* inverse_stds;
  PSL_HD float mean(std::int64_t slot, std::int32_t, std::int64_t c) const {
    return means[of_slot[slot] * channels + c];
  }
  PSL_HD float inverse_std(std::int64_t slot, std::int32_t, std::int64_t c) const {
    return inverse_stds[of_slot[slot] * channels + c];
  }
};
struct RunningMoments {
  RunningStatistics running;
  float eps;
  PSL_HD float mean(std::int64_t, std::int32_t g, std::int64_t c) const { return running.mean.at(g)[c]; }
  PSL_HD float inverse_std(std::int64_t, std::int32_t g, std::int64_t c) const {
    return 1.0f / std::sqrt(running.variance.at(g)[c] + eps);
  }
};

/// Joins the planes of a run of slots: mean and sum of squared deviations of all values of a channel. A block is a run
/// and a few channels; finish(run, channel, mean, squares, slots).
template <class Finish>
struct JoinMoments {
  BatchNormShape shape;
  std::int32_t per_block;
  const std::int32_t* first;  ///< [runs + 1]
  const float* plane_mean;    ///< [S, channels]
  const float* plane_squares;
  double* means;  ///< scratch, [runs, channels]
  Finish finish;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const std::int32_t channels = shape.channels, parts = channels / per_block;
    const std::int64_t run = block / parts;
    const auto channel = static_cast<std::int32_t>(block - run * parts) * per_block;
    const std::int64_t from = std::int64_t{first[run]} * channels + channel;
    const std::int32_t slots = first[run + 1] - first[run];
    const float *mean_in = plane_mean + from, *squares_in = plane_squares + from;
    double* mean = means + run * channels + channel;
    const Finish done = finish;
    const auto plane = static_cast<double>(shape.plane());
    team.template column_sums<double>(
        slots, per_block,
        [=](std::int32_t s, std::int32_t c) { return static_cast<double>(mean_in[s * channels + c]); },
        [=](std::int32_t c, double sum) { mean[c] = sum / static_cast<double>(slots); });
    team.template column_sums<Pair<double>>(
        slots, per_block,
        [=](std::int32_t s, std::int32_t c) {
          const double d = static_cast<double>(mean_in[s * channels + c]) - mean[c];
          return Pair<double>{d * d, static_cast<double>(squares_in[s * channels + c])};
        },
        [=](std::int32_t c, const Pair<double>& sum) {
          done(run, channel + c, mean[c], sum.b + sum.a * plane, slots);
        });
  }
};

struct SegmentMoments {
  BatchNormShape shape;
  float* mean;
  float* inverse_std;
  PSL_HD void operator()(std::int64_t segment, std::int32_t channel, double center, double squares,
                         std::int32_t slots) const {
    const double n = static_cast<double>(slots) * static_cast<double>(shape.plane());
    mean[segment * shape.channels + channel] = static_cast<float>(center);
    inverse_std[segment * shape.channels + channel] =
        static_cast<float>(1.0 / std::sqrt(squares / n + static_cast<double>(shape.eps)));
  }
};

struct UpdateRunning {
  BatchNormShape shape;
  const std::int32_t* replica;
  RunningStatistics running;
  PSL_HD void operator()(std::int64_t rank, std::int32_t channel, double center, double squares,
                         std::int32_t slots) const {
    const std::int64_t n = slots * shape.plane();
    const double variance = squares / static_cast<double>(n > 1 ? n - 1 : 1);
    float& mean_out = running.mean.at(replica[rank])[channel];
    float& variance_out = running.variance.at(replica[rank])[channel];
    const double keep = 1.0 - static_cast<double>(shape.momentum), take = static_cast<double>(shape.momentum);
    mean_out = static_cast<float>(keep * static_cast<double>(mean_out) + take * center);
    variance_out = static_cast<float>(keep * static_cast<double>(variance_out) + take * variance);
  }
};

/// Means over a segment of h = dy gamma and of h xhat. A block is a segment and a few channels.
struct SegmentGradients {
  BatchNormShape shape;
  std::int32_t per_block;
  const std::int32_t* first;
  const std::int32_t* rank;
  const std::int32_t* replica;
  Grouped gamma;
  const float* plane_dgamma;
  const float* plane_dbeta;
  float* mean_h;
  float* mean_h_xhat;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const SegmentGradients a = *this;
    const std::int32_t channels = shape.channels, parts = channels / per_block;
    const std::int64_t segment = block / parts;
    const auto channel = static_cast<std::int32_t>(block - segment * parts) * per_block;
    const std::int32_t begin = first[segment], slots = first[segment + 1] - begin;
    const double n = static_cast<double>(slots) * static_cast<double>(shape.plane());
    team.template column_sums<Pair<double>>(
        slots, per_block,
        [=](std::int32_t s, std::int32_t c) {
          const std::int64_t at = std::int64_t{begin + s} * channels + channel + c;
          const double g = static_cast<double>(a.gamma.at(a.replica[a.rank[begin + s]])[channel + c]);
          return Pair<double>{g * static_cast<double>(a.plane_dbeta[at]), g * static_cast<double>(a.plane_dgamma[at])};
        },
        [=](std::int32_t c, const Pair<double>& sum) {
          a.mean_h[segment * channels + channel + c] = static_cast<float>(sum.a / n);
          a.mean_h_xhat[segment * channels + channel + c] = static_cast<float>(sum.b / n);
        });
  }
};

}  // namespace splitsim::detail
