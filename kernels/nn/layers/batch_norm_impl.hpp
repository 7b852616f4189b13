// Bodies of kernels/nn/layers/batch_norm.hpp. Statistics are taken per (slot, channel) first, by blocks of a few planes, and
// joined per segment and per replica in slot order.
#pragma once

#include <cmath>

#include "kernels/nn/layers/batch_norm.hpp"
#include "kernels/nn/support/batched.hpp"
#include "kernels/nn/support/planes.hpp"
#include "kernels/nn/support/scratch.hpp"
#include "kernels/nn/support/team_loops.hpp"
#include "kernels/nn/support/team_sums.hpp"

namespace splitsim {

namespace detail {

/// mean and sum of squared deviations of every plane.
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

/// Joins the planes of slots [first, last) of one channel: mean and sum of squared deviations of all their values.
struct JoinedMoments {
  double mean = 0.0, squares = 0.0;

  PSL_HD JoinedMoments(const float* plane_mean, const float* plane_squares, std::int64_t channels, std::int64_t channel,
                       std::int32_t first, std::int32_t last, std::int64_t plane) {
    for (std::int64_t s = first; s < last; ++s) mean += static_cast<double>(plane_mean[s * channels + channel]);
    mean /= static_cast<double>(last - first);
    double between = 0.0;
    for (std::int64_t s = first; s < last; ++s) {
      const double d = static_cast<double>(plane_mean[s * channels + channel]) - mean;
      between += d * d;
      squares += static_cast<double>(plane_squares[s * channels + channel]);
    }
    squares += between * static_cast<double>(plane);
  }
};

/// Index: (segment, channel).
struct SegmentMoments {
  BatchNormShape shape;
  const std::int32_t* first;
  const float* plane_mean;
  const float* plane_squares;
  float* mean;
  float* inverse_std;

  PSL_HD void operator()(std::int64_t i) const {
    const std::int64_t segment = i / shape.channels, channel = i - segment * shape.channels;
    const std::int32_t begin = first[segment], end = first[segment + 1];
    const JoinedMoments joined(plane_mean, plane_squares, shape.channels, channel, begin, end, shape.plane());
    const double n = static_cast<double>(end - begin) * static_cast<double>(shape.plane());
    mean[i] = static_cast<float>(joined.mean);
    inverse_std[i] = static_cast<float>(1.0 / std::sqrt(joined.squares / n + static_cast<double>(shape.eps)));
  }
};

/// Index: (rank, channel).
struct UpdateRunning {
  BatchNormShape shape;
  const std::int32_t* first;
  const std::int32_t* replica;
  const float* plane_mean;
  const float* plane_squares;
  RunningStatistics running;

  PSL_HD void operator()(std::int64_t i) const {
    const std::int64_t rank = i / shape.channels, channel = i - rank * shape.channels;
    const std::int32_t begin = first[rank], end = first[rank + 1];
    const JoinedMoments joined(plane_mean, plane_squares, shape.channels, channel, begin, end, shape.plane());
    const std::int64_t n = (end - begin) * shape.plane();
    const double variance = joined.squares / static_cast<double>(n > 1 ? n - 1 : 1);
    float& mean_out = running.mean.at(replica[rank])[channel];
    float& variance_out = running.variance.at(replica[rank])[channel];
    const double keep = 1.0 - static_cast<double>(shape.momentum), take = static_cast<double>(shape.momentum);
    mean_out = static_cast<float>(keep * static_cast<double>(mean_out) + take * joined.mean);
    variance_out = static_cast<float>(keep * static_cast<double>(variance_out) + take * variance);
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

/// Index (segment, channel): means over the segment of h = dy gamma and of h xhat.
struct SegmentGradients {
  BatchNormShape shape;
  const std::int32_t* first;
  const std::int32_t* rank;
  const std::int32_t* replica;
  Grouped gamma;
  const float* plane_dgamma;
  const float* plane_dbeta;
  float* mean_h;
  float* mean_h_xhat;

  PSL_HD void operator()(std::int64_t i) const {
    const std::int64_t segment = i / shape.channels, c = i - segment * shape.channels;
    double h = 0.0, h_xhat = 0.0;
    for (std::int64_t slot = first[segment]; slot < first[segment + 1]; ++slot) {
      const double g = static_cast<double>(gamma.at(replica[rank[slot]])[c]);
      h += g * static_cast<double>(plane_dbeta[slot * shape.channels + c]);
      h_xhat += g * static_cast<double>(plane_dgamma[slot * shape.channels + c]);
    }
    const double n = static_cast<double>(first[segment + 1] - first[segment]) * static_cast<double>(shape.plane());
    mean_h[i] = static_cast<float>(h / n);
    mean_h_xhat[i] = static_cast<float>(h_xhat / n);
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

struct BatchNormScratch {
  Scratch scratch;
  float *plane_a, *plane_b;      ///< [S, channels]
  float *segment_a, *segment_b;  ///< [max segments, channels]
  BatchNormScratch(const BatchNormShape& shape, std::int32_t max_slots, std::int32_t max_segments, Scratch base)
      : scratch(base) {
    plane_a = scratch.take<float>(std::int64_t{max_slots} * shape.channels);
    plane_b = scratch.take<float>(std::int64_t{max_slots} * shape.channels);
    segment_a = scratch.take<float>(std::int64_t{max_segments} * shape.channels);
    segment_b = scratch.take<float>(std::int64_t{max_segments} * shape.channels);
  }
};

}  // namespace detail

template <class Context>
std::int64_t batch_norm_workspace(Context&, const BatchNormShape& shape, std::int32_t max_slots,
                                  std::int32_t max_segments) {
  return detail::BatchNormScratch(shape, max_slots, max_segments, Scratch()).scratch.floats();
}

template <class Context>
void batch_norm_forward(Context& ctx, const ReplicaMap& map, const Segments& segments, const BatchNormShape& shape,
                        View<const float> x, const BatchNormParameters& parameters, const NormMemory& memory,
                        View<float> y) {
  const View<float> mean = memory.mean, inverse_std = memory.inverse_std;
  const detail::BatchNormScratch work(shape, map.max_slots, segments.max, Scratch(memory.workspace.data()));
  const auto plane = static_cast<std::int32_t>(shape.plane());
  const std::int32_t planes = detail::planes_per_block(shape.channels, plane);
  const Extent blocks{map.max_slots, map.slots, shape.channels / planes};
  for_each_block(ctx, blocks, detail::PlaneMoments{planes, plane, x.data(), work.plane_a, work.plane_b});
  for_each_index(
      ctx, Extent{segments.max, segments.count, shape.channels},
      detail::SegmentMoments{shape, segments.first, work.plane_a, work.plane_b, mean.data(), inverse_std.data()});
  for_each_index(ctx, Extent{map.max_active, map.active, shape.channels},
                 detail::UpdateRunning{shape, map.first, map.replica, work.plane_a, work.plane_b, parameters.running});
  const detail::SegmentStatistics of{segments.of_slot, shape.channels, mean.data(), inverse_std.data()};
  for_each_block(
      ctx, blocks,
      detail::NormalisePlanes<detail::SegmentStatistics>{planes, plane, shape.channels, map.rank, map.replica, x.data(),
                                                         parameters.gamma, parameters.beta, of, y.data()});
}

template <class Context>
void batch_norm_backward(Context& ctx, const ReplicaMap& map, const Segments& segments, const BatchNormShape& shape,
                         const Backprop& io, Grouped gamma, const NormMemory& memory, const Parameters& gradients) {
  const View<const float> x = io.x, dy = io.dy;
  const View<float> dx = io.dx, mean = memory.mean, inverse_std = memory.inverse_std;
  const detail::BatchNormScratch work(shape, map.max_slots, segments.max, Scratch(memory.workspace.data()));
  const auto plane = static_cast<std::int32_t>(shape.plane());
  const std::int32_t planes = detail::planes_per_block(shape.channels, plane);
  const Extent blocks{map.max_slots, map.slots, shape.channels / planes};
  const detail::SegmentStatistics of{segments.of_slot, shape.channels, mean.data(), inverse_std.data()};
  for_each_block(
      ctx, blocks,
      detail::PlaneGradients{planes, plane, shape.channels, x.data(), dy.data(), of, work.plane_a, work.plane_b});
  if (!dx.empty()) {
    for_each_index(ctx, Extent{segments.max, segments.count, shape.channels},
                   detail::SegmentGradients{shape, segments.first, map.rank, map.replica, gamma, work.plane_a,
                                            work.plane_b, work.segment_a, work.segment_b});
    for_each_block(ctx, blocks,
                   detail::InputGradients{planes, plane, shape.channels, map.rank, map.replica, x.data(), dy.data(),
                                          gamma, of, work.segment_a, work.segment_b, dx.data()});
  }
  detail::sum_slot_rows(ctx, map, shape.channels, work.plane_a, work.plane_b, gradients);
}

template <class Context>
void batch_norm_evaluate(Context& ctx, const ReplicaMap& map, const BatchNormShape& shape, View<const float> x,
                         const BatchNormParameters& parameters, View<float> y) {
  const auto plane = static_cast<std::int32_t>(shape.plane());
  const std::int32_t planes = detail::planes_per_block(shape.channels, plane);
  for_each_block(ctx, Extent{map.max_slots, map.slots, shape.channels / planes},
                 detail::NormalisePlanes<detail::RunningMoments>{planes,
                                                                 plane,
                                                                 shape.channels,
                                                                 map.rank,
                                                                 map.replica,
                                                                 x.data(),
                                                                 parameters.gamma,
                                                                 parameters.beta,
                                                                 {parameters.running, shape.eps},
                                                                 y.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                      \
  template std::int64_t batch_norm_workspace(C&, const BatchNormShape&, std::int32_t, std::int32_t);          \
  template void batch_norm_forward(C&, const ReplicaMap&, const Segments&, const BatchNormShape&, View<const  \
      float>, const BatchNormParameters&, const NormMemory&, View<float>);                                    \
  template void batch_norm_backward(C&, const ReplicaMap&, const Segments&, const BatchNormShape&, const      \
      Backprop&, Grouped, const NormMemory&, const Parameters&);                                              \
  template void batch_norm_evaluate(C&, const ReplicaMap&, const BatchNormShape&, View<const float>, const    \
      BatchNormParameters&, View<float>);
