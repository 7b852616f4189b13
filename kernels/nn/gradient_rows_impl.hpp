// Bodies of kernels/nn/gradient_rows.hpp.
#pragma once

#include <cmath>

#include "kernels/device/team.hpp"
#include "kernels/nn/gradient_rows.hpp"

namespace splitsim {

namespace detail {

/// A block is a place: every feature's mean over the clients that have it.
struct MixPlaces {
  const std::int32_t* clients;
  const std::int32_t* first;
  double share;
  std::int64_t features;
  float* x;

  /// Whether client r has the place among those that take part. Shares are meant as written: 0.07 of 100 are 7.
  PSL_HD bool has(std::int32_t r, std::int64_t place) const {
    return static_cast<double>(place) < share * static_cast<double>(first[r + 1] - first[r]) - 1e-9;
  }
  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t place) const {
    std::int32_t sharing = 0;
    for (std::int32_t r = 0; r < *clients; ++r) sharing += has(r, place) ? 1 : 0;
    if (sharing == 0) return;
    for (std::int64_t f = team.rank(); f < features; f += team.size()) {
      float sum = 0.0f;
      for (std::int32_t r = 0; r < *clients; ++r) {
        if (has(r, place)) sum += x[(first[r] + place) * features + f];
      }
      const float mean = sum / static_cast<float>(sharing);
      for (std::int32_t r = 0; r < *clients; ++r) {
        if (has(r, place)) x[(first[r] + place) * features + f] = mean;
      }
    }
  }
};

struct PullToStart {
  const std::int32_t* replica;
  std::int64_t size, stride;
  float mu;
  const float* parameters;
  const float* start;
  float* gradients;

  PSL_HD void operator()(std::int64_t row, std::int32_t p) const {
    gradients[row * size + p] += mu * (parameters[replica[row] * stride + p] - start[p]);
  }
};

/// The mean of the rows, or of those whose product with the mean of all is positive.
struct MeanRow {
  const std::int32_t* ranks;
  const double* products;  ///< [ranks], or null: of all rows
  std::int64_t size;
  const float* gradients;
  float* mean;

  PSL_HD void operator()(std::int64_t p) const {
    float sum = 0.0f;
    std::int32_t rows = 0;
    for (std::int32_t r = 0; r < *ranks; ++r) {
      if (products != nullptr && !(products[r] > 0.0)) continue;
      sum += gradients[r * size + p];
      ++rows;
    }
    mean[p] = rows > 0 ? sum / static_cast<float>(rows) : 0.0f;
  }
};

struct RowProducts {
  std::int64_t size;
  const float* gradients;
  const float* with;  ///< [P], or null: each with itself
  double* products;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t row) const {
    const float* a = gradients + row * size;
    const float* b = with != nullptr ? with : a;
    const double total = team.reduce(
        size, 0.0, [=](std::int64_t i) { return static_cast<double>(a[i]) * static_cast<double>(b[i]); }, Plus{});
    if (team.rank() == 0) products[row] = total;
  }
};

struct TurnRows {
  std::int64_t size;
  float lambda;
  const float* leader;
  const double* squares;         ///< [ranks]
  const double* leader_squares;  ///< [1]
  float* gradients;

  PSL_HD void operator()(std::int64_t row, std::int32_t p) const {
    if (!(*leader_squares > 0.0)) return;
    const auto ratio = static_cast<float>(std::sqrt(squares[row] / *leader_squares));
    float& g = gradients[row * size + p];
    g += lambda * (ratio * leader[p] - g);
  }
};

}  // namespace detail

template <class Context>
void mix_places(Context& ctx, const Segments& clients, Slots slots, double share, std::int64_t features,
                View<float> x) {
  for_each_block(ctx, Extent{slots.max, slots.count, 1},
                 detail::MixPlaces{clients.count, clients.first, share, features, x.data()});
}

template <class Context>
void pull_to_start(Context& ctx, const GradientRows& rows, float mu, View<const float> parameters, std::int64_t stride,
                   View<const float> start) {
  for_each_cell(ctx, Extent{rows.map.max_active, rows.map.active, 1}, static_cast<std::int32_t>(rows.size),
                detail::PullToStart{rows.map.replica, rows.size, stride, mu, parameters.data(), start.data(),
                                    rows.gradients.data()});
}

template <class Context>
void align_rows(Context& ctx, const GradientRows& rows, float lambda, View<float> leader, View<double> workspace) {
  const ReplicaMap& map = rows.map;
  const Extent ranks{map.max_active, map.active, 1};
  const float* gradients = rows.gradients.data();
  double* products = workspace.data();
  double* squares = products + map.max_active;
  double* leader_squares = squares + map.max_active;
  for_each_index(ctx, rows.size, detail::MeanRow{map.active, nullptr, rows.size, gradients, leader.data()});
  for_each_block(ctx, ranks, detail::RowProducts{rows.size, gradients, leader.data(), products});
  for_each_index(ctx, rows.size, detail::MeanRow{map.active, products, rows.size, gradients, leader.data()});
  for_each_block(ctx, ranks, detail::RowProducts{rows.size, gradients, nullptr, squares});
  for_each_block(ctx, 1, detail::RowProducts{rows.size, leader.data(), nullptr, leader_squares});
  for_each_cell(ctx, ranks, static_cast<std::int32_t>(rows.size),
                detail::TurnRows{rows.size, lambda, leader.data(), squares, leader_squares, rows.gradients.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                           \
  template void mix_places(C&, const Segments&, Slots, double, std::int64_t, View<float>);                         \
  template void pull_to_start(C&, const GradientRows&, float, View<const float>, std::int64_t, View<const float>); \
  template void align_rows(C&, const GradientRows&, float, View<float>, View<double>);
