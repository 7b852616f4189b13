// Bodies of kernels/nn/gradient_rows.hpp.
#pragma once

#include <cmath>

#include "kernels/device/team.hpp"
#include "kernels/nn/gradient_rows.hpp"

namespace splitsim {

namespace detail {

/// A block is a place of an experiment, one of its slots: every feature's mean over the clients that have it.
struct MixPlaces {
  Spans spans;
  const std::int32_t* slots;
  const std::int32_t* first;
  double share;
  std::int64_t features;
  float* x;

  /// Whether client r has the place among those that take part. Shares are meant as written: 0.07 of 100 are 7.
  PSL_HD bool has(std::int32_t r, std::int64_t place) const {
    return static_cast<double>(place) < share * static_cast<double>(first[r + 1] - first[r]) - 1e-9;
  }
  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t slot) const {
    if (slot >= *slots) return;
    std::int32_t experiment = 0;
    while (slot - spans.first_slot[experiment] >= spans.slots[experiment]) ++experiment;
    const std::int64_t place = slot - spans.first_slot[experiment];
    const std::int32_t begin = spans.first_rank[experiment], end = begin + spans.ranks[experiment];
    std::int32_t sharing = 0;
    for (std::int32_t r = begin; r < end; ++r) sharing += has(r, place) ? 1 : 0;
    if (sharing == 0) return;
    for (std::int64_t f = team.rank(); f < features; f += team.size()) {
      float sum = 0.0f;
      for (std::int32_t r = begin; r < end; ++r) {
        if (has(r, place)) sum += x[(first[r] + place) * features + f];
      }
      const float mean = sum / static_cast<float>(sharing);
      for (std::int32_t r = begin; r < end; ++r) {
        if (has(r, place)) x[(first[r] + place) * features + f] = mean;
      }
    }
  }
};

struct PullToStart {
  const std::int32_t* replica;
  std::int32_t replicas;  ///< of each experiment
  std::int64_t size, stride;
  float mu;
  const float* parameters;
  const float* start;
  float* gradients;

  PSL_HD void operator()(std::int64_t row, std::int32_t p) const {
    const std::int32_t of = replica[row];
    gradients[row * size + p] += mu * (parameters[of * stride + p] - start[of / replicas * stride + p]);
  }
};

/// The mean of the rows, or of those whose product with the mean of all is positive.
struct MeanRow {
  Spans spans;
  const double* products;  ///< [ranks], or null: of all rows
  std::int64_t size;
  const float* gradients;
  float* mean;

  PSL_HD void operator()(std::int64_t i) const {
    const std::int64_t experiment = i / size, p = i - experiment * size;
    const std::int32_t begin = spans.first_rank[experiment], end = begin + spans.ranks[experiment];
    float sum = 0.0f;
    std::int32_t rows = 0;
    for (std::int32_t r = begin; r < end; ++r) {
      if (products != nullptr && !(products[r] > 0.0)) continue;
      sum += gradients[r * size + p];
      ++rows;
    }
    mean[i] = rows > 0 ? sum / static_cast<float>(rows) : 0.0f;
  }
};

struct RowProducts {
  std::int64_t size;
  const float* gradients;
  const float* with;            ///< [E, P], or null: each with itself
  const std::int32_t* replica;  ///< with: of a row
  std::int32_t replicas;        ///< with: of each experiment
  double* products;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t row) const {
    const float* a = gradients + row * size;
    const float* b = with != nullptr ? with + replica[row] / replicas * size : a;
    const double total = team.reduce(
        size, 0.0, [=](std::int64_t i) { return static_cast<double>(a[i]) * static_cast<double>(b[i]); }, Plus{});
    if (team.rank() == 0) products[row] = total;
  }
};

struct TurnRows {
  const std::int32_t* replica;
  std::int32_t replicas;  ///< of each experiment
  std::int64_t size;
  float lambda;
  const float* leader;
  const double* squares;         ///< [ranks]
  const double* leader_squares;  ///< [E]
  float* gradients;

  PSL_HD void operator()(std::int64_t row, std::int32_t p) const {
    const std::int64_t experiment = replica[row] / replicas;
    const double of_leader = leader_squares[experiment];
    if (!(of_leader > 0.0)) return;
    const auto ratio = static_cast<float>(std::sqrt(squares[row] / of_leader));
    float& g = gradients[row * size + p];
    g += lambda * (ratio * leader[experiment * size + p] - g);
  }
};

}  // namespace detail

template <class Context>
void mix_places(Context& ctx, const Segments& clients, const Spans& spans, Slots slots, double share,
                std::int64_t features, View<float> x) {
  for_each_block(ctx, Extent{slots.max, slots.count, 1},
                 detail::MixPlaces{spans, slots.count, clients.first, share, features, x.data()});
}

template <class Context>
void pull_to_start(Context& ctx, const GradientRows& rows, float mu, View<const float> parameters, std::int64_t stride,
                   View<const float> start) {
  for_each_cell(ctx, Extent{rows.map.max_active, rows.map.active, 1}, static_cast<std::int32_t>(rows.size),
                detail::PullToStart{rows.map.replica, rows.replicas(), rows.size, stride, mu, parameters.data(),
                                    start.data(), rows.gradients.data()});
}

template <class Context>
void align_rows(Context& ctx, const GradientRows& rows, float lambda, View<float> leader, View<double> workspace) {
  const ReplicaMap& map = rows.map;
  const Extent ranks{map.max_active, map.active, 1};
  const float* gradients = rows.gradients.data();
  double* products = workspace.data();
  double* squares = products + map.max_active;
  double* leader_squares = squares + map.max_active;
  const Spans& spans = rows.spans;
  const std::int64_t leaders = spans.experiments * rows.size;
  const std::int32_t each = rows.replicas();
  for_each_index(ctx, leaders, detail::MeanRow{spans, nullptr, rows.size, gradients, leader.data()});
  for_each_block(ctx, ranks, detail::RowProducts{rows.size, gradients, leader.data(), map.replica, each, products});
  for_each_index(ctx, leaders, detail::MeanRow{spans, products, rows.size, gradients, leader.data()});
  for_each_block(ctx, ranks, detail::RowProducts{rows.size, gradients, nullptr, nullptr, 1, squares});
  for_each_block(ctx, spans.experiments,
                 detail::RowProducts{rows.size, leader.data(), nullptr, nullptr, 1, leader_squares});
  for_each_cell(ctx, ranks, static_cast<std::int32_t>(rows.size),
                detail::TurnRows{map.replica, each, rows.size, lambda, leader.data(), squares, leader_squares,
                                 rows.gradients.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                           \
  template void mix_places(C&, const Segments&, const Spans&, Slots, double, std::int64_t, View<float>);           \
  template void pull_to_start(C&, const GradientRows&, float, View<const float>, std::int64_t, View<const float>); \
  template void align_rows(C&, const GradientRows&, float, View<float>, View<double>);
