// Bodies of kernels/nn/layers/norm/channel_norm.hpp. Channels first a block is a slot, whose planes are read one after
// another; channels last a block is a pixel.
#pragma once

#include <cmath>

#include "kernels/nn/layers/norm/channel_norm.hpp"
#include "kernels/nn/layers/norm/norm_rows.hpp"
#include "kernels/nn/support/planes.hpp"
#include "kernels/nn/support/scratch.hpp"
#include "kernels/nn/support/team_loops.hpp"
#include "kernels/nn/support/team_sums.hpp"

namespace splitsim {

namespace detail {
/// What the passes read and write. [S, pixels]: mean, inverse_std; [S, channels]: what slots give to the gradients.
struct ChannelNormArrays {
  ChannelNormShape shape;
  ReplicaMap map;
  const float* x;
  const float* dy;
  Grouped gamma, beta;
  float* y;  ///< backward: dx, or null
  float* mean;
  float* inverse_std;
  float* dgamma;
  float* dbeta;
  float* rows;  ///< [S, 3, pixels], channels first only
};

struct ChannelNormScratch {
  Scratch scratch;
  float *dgamma, *dbeta, *rows;
  ChannelNormScratch(const ChannelNormShape& shape, std::int32_t max_slots, Scratch base) : scratch(base) {
    dgamma = scratch.take<float>(std::int64_t{max_slots} * shape.planes.channels);
    dbeta = scratch.take<float>(std::int64_t{max_slots} * shape.planes.channels);
    const bool first = shape.planes.layout == Layout::kChannelsFirst;
    rows = scratch.take<float>(first ? std::int64_t{3} * max_slots * shape.planes.pixels : 0);
  }
};

struct ChannelNormForwardPlanes {
  ChannelNormArrays of;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t slot) const {
    const std::int32_t channels = of.shape.planes.channels, pixels = of.shape.planes.pixels;
    const std::int32_t g = of.map.replica[of.map.rank[slot]];
    const float n = static_cast<float>(channels), eps = of.shape.eps;
    const float* in = of.x + slot * of.shape.planes.size();
    float* out = of.y + slot * of.shape.planes.size();
    float *mean = of.mean + slot * pixels, *scale = of.inverse_std + slot * pixels;
    team_range(team, pixels, [=](std::int32_t p) { mean[p] = scale[p] = 0.0f; });
    team_by_rows(team, channels, pixels, [=](std::int32_t c, std::int32_t p) { mean[p] += in[c * pixels + p]; });
    team_range(team, pixels, [=](std::int32_t p) { mean[p] /= n; });
    team_by_rows(team, channels, pixels, [=](std::int32_t c, std::int32_t p) {
      const float d = in[c * pixels + p] - mean[p];
      scale[p] += d * d;
    });
    team_range(team, pixels, [=](std::int32_t p) { scale[p] = 1.0f / std::sqrt(scale[p] / n + eps); });
    const float *gamma = of.gamma.at(g), *beta = of.beta.at(g);
    team_by_rows(team, channels, pixels, [=](std::int32_t c, std::int32_t p) {
      out[c * pixels + p] = (in[c * pixels + p] - mean[p]) * scale[p] * gamma[c] + beta[c];
    });
  }

  /// f(row, column), row after row; a member of the team keeps to its columns.
  template <class Team, class F>
  PSL_HD static void team_by_rows(Team& team, std::int32_t rows, std::int32_t columns, const F& f) {
    for (std::int32_t row = 0; row < rows; ++row) {
      team_range(team, columns, [&](std::int32_t column) { f(row, column); });
    }
  }
};

// With xhat = (x - mean) scale and h = dy gamma:  dx = scale (h - mean(h) - xhat mean(h xhat)).
struct ChannelNormBackwardPlanes {
  ChannelNormArrays of;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t slot) const {
    const std::int32_t channels = of.shape.planes.channels, pixels = of.shape.planes.pixels;
    const float n = static_cast<float>(channels);
    const float *in = of.x + slot * of.shape.planes.size(), *grad = of.dy + slot * of.shape.planes.size();
    const float *mean = of.mean + slot * pixels, *scale = of.inverse_std + slot * pixels;
    const float* gamma = of.gamma.at(of.map.replica[of.map.rank[slot]]);
    float* offset = of.rows + 3 * slot * pixels;
    float *slope = offset + pixels, *product = slope + pixels;
    team_range(team, pixels, [=](std::int32_t p) { offset[p] = slope[p] = 0.0f; });
    for (std::int32_t c = 0; c < channels; ++c) {
      const float *from = in + c * pixels, *given = grad + c * pixels;
      const float own = gamma[c];
      team_range(team, pixels, [=](std::int32_t p) {
        product[p] = given[p] * ((from[p] - mean[p]) * scale[p]);
        offset[p] += given[p] * own;
        slope[p] += product[p] * own;
      });
      team.sync();
      const float dgamma = team_sum(team, product, pixels), dbeta = team_sum(team, given, pixels);
      if (team.rank() == 0) {
        of.dgamma[slot * channels + c] = dgamma;
        of.dbeta[slot * channels + c] = dbeta;
      }
      team.sync();
    }
    if (of.y == nullptr) return;
    float* out = of.y + slot * of.shape.planes.size();
    for (std::int32_t c = 0; c < channels; ++c) {
      const float own = gamma[c];
      team_range(team, pixels, [=](std::int32_t p) {
        const std::int32_t i = c * pixels + p;
        const float xhat = (in[i] - mean[p]) * scale[p];
        out[i] = scale[p] * (grad[i] * own - offset[p] / n - xhat * (slope[p] / n));
      });
    }
  }
};

/// What a slot gives to gamma's and beta's gradients. A block is a slot.
struct ChannelNormGradientsPixels {
  ChannelNormArrays of;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t slot) const {
    const PlaneShape planes = of.shape.planes;
    const float *in = of.x + slot * planes.size(), *grad = of.dy + slot * planes.size();
    const float *mean = of.mean + slot * planes.pixels, *scale = of.inverse_std + slot * planes.pixels;
    float *dgamma = of.dgamma + slot * planes.channels, *dbeta = of.dbeta + slot * planes.channels;
    team.template column_sums<Pair<float>>(
        planes.pixels, planes.channels,
        [=](std::int32_t p, std::int32_t c) {
          const float given = grad[p * planes.channels + c];
          return Pair<float>{given * ((in[p * planes.channels + c] - mean[p]) * scale[p]), given};
        },
        [=](std::int32_t c, const Pair<float>& sum) {
          dgamma[c] = sum.a;
          dbeta[c] = sum.b;
        });
  }
};
}  // namespace detail

template <class Context>
std::int64_t channel_norm_workspace(Context&, const ChannelNormShape& shape, std::int32_t max_slots) {
  return detail::ChannelNormScratch(shape, max_slots, Scratch()).scratch.floats();
}

template <class Context>
void channel_norm_forward(Context& ctx, const ReplicaMap& map, const ChannelNormShape& shape, View<const float> x,
                          const Parameters& parameters, const NormMemory& memory, View<float> y) {
  const detail::ChannelNormArrays arrays{.shape = shape,
                                         .map = map,
                                         .x = x.data(),
                                         .dy = nullptr,
                                         .gamma = parameters.weight,
                                         .beta = parameters.bias,
                                         .y = y.data(),
                                         .mean = memory.mean.data(),
                                         .inverse_std = memory.inverse_std.data(),
                                         .dgamma = nullptr,
                                         .dbeta = nullptr,
                                         .rows = nullptr};
  if constexpr (!Context::kIsDevice) {
    if (shape.planes.layout == Layout::kChannelsFirst) {
      return for_each_block(ctx, layer_slots<Context>(map.valid()), detail::ChannelNormForwardPlanes{arrays});
    }
  }
  for_each_block(ctx, layer_slots<Context>(map.valid(), shape.planes.pixels),
                 detail::NormRowsForward{{map, shape.planes.pixels, shape.planes.channels},
                                         shape.eps,
                                         arrays.x,
                                         parameters,
                                         arrays.y,
                                         arrays.mean,
                                         arrays.inverse_std});
}

template <class Context>
void channel_norm_backward(Context& ctx, const ReplicaMap& map, const ChannelNormShape& shape, const Backprop& io,
                           Grouped gamma, const NormMemory& memory, const Parameters& gradients) {
  const detail::ChannelNormScratch work(shape, map.max_slots, Scratch(memory.workspace.data()));
  const detail::ChannelNormArrays arrays{.shape = shape,
                                         .map = map,
                                         .x = io.x.data(),
                                         .dy = io.dy.data(),
                                         .gamma = gamma,
                                         .beta = {},
                                         .y = io.dx.data(),
                                         .mean = memory.mean.data(),
                                         .inverse_std = memory.inverse_std.data(),
                                         .dgamma = work.dgamma,
                                         .dbeta = work.dbeta,
                                         .rows = work.rows};
  bool first = false;
  if constexpr (!Context::kIsDevice) {
    first = shape.planes.layout == Layout::kChannelsFirst;
    if (first) for_each_block(ctx, layer_slots<Context>(map.valid()), detail::ChannelNormBackwardPlanes{arrays});
  }
  if (!first) {
    for_each_column_block(ctx, layer_slots<Context>(map.valid()), shape.planes.size(),
                          detail::ChannelNormGradientsPixels{arrays});
    if (!io.dx.empty()) {
      for_each_block(ctx, layer_slots<Context>(map.valid(), shape.planes.pixels),
                     detail::NormRowsBackward{{map, shape.planes.pixels, shape.planes.channels},
                                              arrays.x,
                                              arrays.dy,
                                              gamma,
                                              arrays.mean,
                                              arrays.inverse_std,
                                              arrays.y});
    }
  }
  detail::sum_slot_rows(ctx, map, shape.planes.channels, work.dgamma, work.dbeta, gradients);
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                        \
  template std::int64_t channel_norm_workspace(C&, const ChannelNormShape&, std::int32_t);                      \
  template void channel_norm_forward(C&, const ReplicaMap&, const ChannelNormShape&, View<const float>,         \
                                     const Parameters&, const NormMemory&, View<float>);                        \
  template void channel_norm_backward(C&, const ReplicaMap&, const ChannelNormShape&, const Backprop&, Grouped, \
                                      const NormMemory&, const Parameters&);
