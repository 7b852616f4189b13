#pragma once

#include <algorithm>

#include "kernels/device/profile_range.hpp"
#include "samplers/keyed/lds_newton.hpp"
#include "samplers/keyed/lds_newton_solve.hpp"

namespace splitsim {

namespace detail {

constexpr std::int32_t kNewtonStride = 4;  // iterations enqueued between two looks at the device

struct SumPrior {
  NewtonView at;
  std::int64_t teams;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    for (std::int64_t tile = block; tile < at.tiles; tile += teams) {
      const double* prior = at.prior.data() + at.begin(tile);
      const double sum = team.template reduce<double>(
          at.count(tile), 0.0, [&](std::int64_t i) { return prior[i]; }, Plus{});
      if (team.rank() == 0) {
        at.part(0, 0, tile) = sum;
        at.extreme[tile] = 0.0;
      }
    }
  }
};

/// The path's begin: y_c = S makes every s_k at least A'.
struct BeginPath {
  NewtonView at;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t) const {
    const double prior = team.template reduce<double>(
        at.tiles, 0.0, [&](std::int64_t tile) { return at.part(0, 0, tile); }, Plus{});
    const auto labels = static_cast<double>(team.template reduce_exact<std::int64_t>(
        at.classes, 0, [&](std::int64_t c) { return std::int64_t{at.observed[c]}; }, Plus{}));
    for (std::int64_t c = team.rank(); c < at.classes; c += team.size()) {
      at.y(c) = at.observed[c] > 0 ? labels : 0.0;
      at.change_of_y(c) = 0.0;
    }
    if (team.rank() != 0) return;
    at.prior_sum() = prior;
    at.label_sum() = labels;
    at.path() = prior > labels ? prior : labels;
    at.residual() = at.class_limit() = 0.0;
    at.progress[0] = at.progress[1] = 0;
  }
};

struct BeginClients {
  NewtonView at;

  PSL_HD void operator()(std::int64_t k) const {
    at.t[k] = at.s[k] = 1.0;
    at.dot[k] = at.first[k] = at.second[k] = at.weight[k] = at.ratio[k] = 0.0;
    if (at.size[k] == 0) return;
    double dot = 0.0;
    for (std::int64_t c = 0; c < at.classes; ++c) {
      dot += static_cast<double>(at.histogram[c * at.clients + k]) / at.size[k] * at.y(c);
    }
    at.dot[k] = dot;
    at.s[k] = at.label_sum() + at.path() - dot;
    at.t[k] = at.path() / at.s[k];
  }
};

/// Makes the step, and of the new point the clients' residuals and weights in the sums to come.
struct MakeStep {
  NewtonView at;
  std::int64_t teams;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    if (at.done()) return;
    const double length = at.step_length(team), next = at.next_path(length);
    for (std::int64_t tile = block; tile < at.tiles; tile += teams) {
      const std::int64_t k0 = at.begin(tile);
      const double worst = team.template reduce_exact<double>(
          at.count(tile), 0.0, [&](std::int64_t i) { return at.size[k0 + i] > 0 ? step(k0 + i, length, next) : 0.0; },
          Greater{});
      if (team.rank() == 0) at.extreme[at.tiles + tile] = worst;
    }
  }

 private:
  PSL_HD double step(std::int64_t k, double length, double next) const {
    const double s = at.s[k] + length * (at.slack(k) - at.second[k]);
    const double t = at.t[k] + length * at.first[k];
    const double dot = at.dot[k] + length * at.second[k];
    const double samples = at.size[k], weight = at.share(k) * t, total = at.label_sum() + at.prior_sum();
    const double slack = at.label_sum() + next - s - dot;
    at.s[k] = s;
    at.t[k] = t;
    at.dot[k] = dot;
    at.weight[k] = weight;
    at.ratio[k] = weight / samples;
    at.first[k] = weight / s / (samples * samples);
    at.second[k] = at.share(k) * (next - t * s - t * slack) / s / samples;
    const double miss = (at.prior_sum() / t + dot - total) / total;
    return miss < 0.0 ? -miss : miss;
  }
};

/// Rows of the matrix, of the right side and of q, a tile of clients each.
struct SumTile {
  NewtonView at;
  std::int64_t teams;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    if (at.done()) return;
    for (std::int64_t unit = block; unit < at.tiles * at.classes; unit += teams) {
      const std::int64_t tile = unit / at.classes, c = unit - tile * at.classes;
      if (at.observed[c] > 0) sum_row(team, tile, c);
    }
  }

 private:
  template <class Team>
  PSL_HD void sum_row(Team& team, std::int64_t tile, std::int64_t c) const {
    const std::int64_t k0 = at.begin(tile), n = at.count(tile);
    const std::int32_t* row = at.histogram.data() + c * at.clients + k0;
    const double *x = at.first.data() + k0, *e = at.second.data() + k0, *ratio = at.ratio.data() + k0;
    const auto store = [&](std::int64_t j, double sum) {
      if (team.rank() == 0) at.part(c, j, tile) = sum;
    };
    for (std::int64_t j = 0; j <= c; ++j) {
      if (at.observed[j] == 0) continue;
      const std::int32_t* other = at.histogram.data() + j * at.clients + k0;
      store(j, team.template reduce<double>(
                   n, 0.0, [&](std::int64_t i) { return x[i] * row[i] * other[i]; }, Plus{}));
    }
    store(c + 1, team.template reduce<double>(
                     n, 0.0, [&](std::int64_t i) { return e[i] * row[i]; }, Plus{}));
    store(c + 2, team.template reduce<double>(
                     n, 0.0, [&](std::int64_t i) { return ratio[i] * row[i]; }, Plus{}));
  }
};

/// The same over all tiles.
struct SumTiles {
  NewtonView at;
  std::int64_t teams;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    if (at.done()) return;
    for (std::int64_t c = block; c < at.classes; c += teams) {
      for (std::int64_t j = 0; j < c + 3; ++j) {
        const bool there = at.observed[c] > 0 && (j > c || at.observed[j] > 0);
        const double sum = there ? team.template reduce<double>(
                                       at.tiles, 0.0, [&](std::int64_t tile) { return at.part(c, j, tile); }, Plus{})
                                 : 0.0;
        if (team.rank() == 0) (j <= c ? at.matrix[c * at.classes + j] : j == c + 1 ? at.right(c) : at.q(c)) = sum;
      }
    }
  }
};

/// The changes that belong to that of y, and how far they may go.
struct FindStep {
  NewtonView at;
  std::int64_t teams;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    if (at.done()) return;
    for (std::int64_t tile = block; tile < at.tiles; tile += teams) {
      const std::int64_t k0 = at.begin(tile), n = at.count(tile);
      // Row by row, so that neighbours read neighbours; every client belongs to one member.
      for (std::int64_t i = team.rank(); i < n; i += team.size()) at.second[k0 + i] = 0.0;
      for (std::int64_t c = 0; c < at.classes; ++c) {
        if (at.observed[c] == 0) continue;
        const double change = at.change_of_y(c);
        const std::int32_t* row = at.histogram.data() + c * at.clients + k0;
        for (std::int64_t i = team.rank(); i < n; i += team.size()) {
          const std::int32_t samples = at.size[k0 + i] > 0 ? at.size[k0 + i] : 1;
          at.second[k0 + i] += static_cast<double>(row[i]) / samples * change;
        }
      }
      team.sync();
      const double limit = team.template reduce_exact<double>(
          n, 0.0, [&](std::int64_t i) { return at.size[k0 + i] > 0 ? find(k0 + i) : 0.0; }, Greater{});
      if (team.rank() == 0) at.extreme[tile] = limit;
    }
  }

 private:
  PSL_HD double find(std::int64_t k) const {
    const double s = at.s[k], t = at.t[k], change_of_s = at.slack(k) - at.second[k];
    const double change_of_t = (at.path() - t * s - t * change_of_s) / s;
    at.first[k] = change_of_t;
    const double of_s = -change_of_s / s, of_t = -change_of_t / t;
    return of_s > of_t ? of_s : of_t;
  }
};

struct LargestTilt {
  NewtonView at;
  std::int64_t teams;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    for (std::int64_t tile = block; tile < at.tiles; tile += teams) {
      const std::int64_t k0 = at.begin(tile);
      const double largest = team.template reduce_exact<double>(
          at.count(tile), 0.0, [&](std::int64_t i) { return at.size[k0 + i] > 0 ? at.t[k0 + i] : 0.0; }, Greater{});
      if (team.rank() == 0) at.extreme[tile] = largest;
    }
  }
};

struct EndPath {
  NewtonView at;
  std::int64_t teams;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const double largest = team.template reduce_exact<double>(
        at.tiles, 0.0, [&](std::int64_t tile) { return at.extreme[tile]; }, Greater{});
    for (std::int64_t k = block * team.size() + team.rank(); k < at.clients; k += teams * team.size()) {
      at.first[k] = at.size[k] > 0 ? at.t[k] / largest : 0.0;
    }
    if (block > 0) return;
    for (std::int64_t c = team.rank(); c < at.classes; c += team.size()) {
      at.class_factor[c] = at.observed[c] > 0 ? at.observed[c] / at.q(c) : 0.0;
    }
  }
};

}  // namespace detail

template <class Context>
MixtureNewton<Context>::MixtureNewton(Context& ctx, std::int64_t clients, std::int64_t classes)
    : ctx_(&ctx),
      clients_(clients),
      classes_(classes),
      tiles_(detail::NewtonTiles::tiles(clients)),
      t_(ctx, clients),
      s_(ctx, clients),
      dot_(ctx, clients),
      first_(ctx, clients),
      second_(ctx, clients),
      partial_(ctx, (classes * (classes + 1) / 2 + 2 * classes) * tiles_),
      extreme_(ctx, 2 * tiles_),
      matrix_(ctx, classes * classes),
      vectors_(ctx, 4 * classes),
      scalars_(ctx, 5),
      progress_(ctx, 2) {}

template <class Context>
detail::NewtonView MixtureNewton<Context>::view(const Problem& problem) {
  return {problem.histogram,
          problem.size,
          problem.observed,
          problem.prior,
          problem.weight,
          problem.ratio,
          problem.class_factor,
          t_.view(),
          s_.view(),
          dot_.view(),
          first_.view(),
          second_.view(),
          partial_.view(),
          extreme_.view(),
          matrix_.view(),
          vectors_.view(),
          scalars_.view(),
          progress_.view(),
          clients_,
          classes_,
          tiles_};
}

template <class Context>
void MixtureNewton<Context>::run(const Problem& problem, double tolerance, std::int32_t max_iterations) {
  const Range range("lds: Newton");
  Context& ctx = *ctx_;
  const detail::NewtonView at = view(problem);
  // A CPU thread is not worth waking for less than some microseconds' work. What a team covers changes no bits.
  const auto teams_for = [](std::int64_t units, std::int64_t work) {
    return Context::kIsDevice ? units : std::clamp<std::int64_t>(work / kSerialBelow, 1, units);
  };
  const std::int64_t over_clients = teams_for(tiles_, clients_), over_rows = teams_for(tiles_, clients_ * classes_ / 4);
  const std::int64_t units = tiles_ * classes_, over_units = teams_for(units, clients_ * classes_ * classes_ / 8);
  const std::int64_t over_classes = teams_for(classes_, tiles_ * classes_ * classes_ / 2);
  for_each_block(ctx, over_clients, detail::SumPrior{at, over_clients});
  for_each_block(ctx, 1, detail::BeginPath{at});
  for_each_index(ctx, clients_, detail::BeginClients{at});
  bool stop = false;
  for (std::int32_t look = 0; look <= max_iterations && !stop; ++look) {
    for_each_block(ctx, over_clients, detail::MakeStep{at, over_clients});
    for_each_block(ctx, over_units, detail::SumTile{at, over_units});
    for_each_block(ctx, over_classes, detail::SumTiles{at, over_classes});
    for_each_block(ctx, 1, detail::SolveForClasses{at, tolerance});
    if (look % detail::kNewtonStride == detail::kNewtonStride - 1 || look == max_iterations) {
      const std::vector<std::int32_t> progress = progress_.download();
      iterations_ = std::min(progress[0], max_iterations);
      stop = progress[1] != 0;
    }
    if (look < max_iterations) for_each_block(ctx, over_rows, detail::FindStep{at, over_rows});
  }
  residual_ = scalars_.download()[3];
  for_each_block(ctx, over_clients, detail::LargestTilt{at, over_clients});
  for_each_block(ctx, over_clients, detail::EndPath{at, over_clients});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C) template class MixtureNewton<C>;
