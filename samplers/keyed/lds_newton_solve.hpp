// The part of Newton's method for lds (lds_newton.hpp) that knows classes only: the C x C system.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/device/team.hpp"
#include "kernels/device/view.hpp"
#include "samplers/keyed/client_tiles.hpp"

namespace splitsim::detail {

using NewtonTiles = ClientTiles<1024>;  // whose terms one team adds up

struct Greater {
  PSL_HD double operator()(double a, double b) const { return a > b ? a : b; }
};

/// Device arrays of one run.
struct NewtonView {
  View<const std::int32_t> histogram, size, observed;
  View<const double> prior;
  View<double> weight, ratio, class_factor;
  View<double> t, s, dot, first, second;
  View<double> partial, extreme, matrix, vectors, scalars;
  View<std::int32_t> progress;
  std::int64_t clients, classes, tiles;

  PSL_HD std::int64_t begin(std::int64_t tile) const { return NewtonTiles::first(tile); }
  PSL_HD std::int64_t count(std::int64_t tile) const { return NewtonTiles::count(tile, clients); }
  PSL_HD bool done() const { return progress[1] != 0; }

  PSL_HD double& prior_sum() const { return scalars[0]; }  // A
  PSL_HD double& label_sum() const { return scalars[1]; }  // S
  PSL_HD double& path() const { return scalars[2]; }       // A'
  PSL_HD double& residual() const { return scalars[3]; }
  PSL_HD double& class_limit() const { return scalars[4]; }  // as extreme's first row, of y
  PSL_HD double& y(std::int64_t c) const { return vectors[c]; }
  PSL_HD double& change_of_y(std::int64_t c) const { return vectors[classes + c]; }
  PSL_HD double& q(std::int64_t c) const { return vectors[2 * classes + c]; }
  PSL_HD double& right(std::int64_t c) const { return vectors[3 * classes + c]; }
  /// A tile's sum of entry j <= c of row c of the matrix; j = c + 1: of the right side; c + 2: of q.
  PSL_HD double& part(std::int64_t c, std::int64_t j, std::int64_t tile) const {
    const std::int64_t row = j <= c ? c * (c + 1) / 2 + j : classes * (classes + 1) / 2 + (j - c - 1) * classes + c;
    return partial[row * tiles + tile];
  }

  PSL_HD double share(std::int64_t k) const { return prior[k] / prior_sum(); }
  PSL_HD double slack(std::int64_t k) const { return label_sum() + path() - s[k] - dot[k]; }

  /// How much of the next change may be made so that all stays positive.
  template <class Team>
  PSL_HD double step_length(Team& team) const {
    const double limit = team.template reduce_exact<double>(
        tiles, class_limit(), [&](std::int64_t tile) { return extreme[tile]; }, Greater{});
    return limit > 0.99 ? 0.99 / limit : 1.0;
  }
  /// A' after a step of this length: short steps say that it fell too fast.
  PSL_HD double next_path(double length) const {
    const double factor = length > 0.9 ? 0.05 : length > 0.5 ? 0.2 : length > 0.2 ? 0.5 : 1.0;
    return path() * factor > prior_sum() ? path() * factor : prior_sum();
  }
};

/// Whether to stop; else the next change of y. One team: C^3 / 6 products, whatever K.
struct SolveForClasses {
  NewtonView at;
  double tolerance;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t) const {
    if (at.done()) return;
    const std::int64_t n = at.classes;
    const double length = at.step_length(team), next = at.next_path(length);
    for (std::int64_t c = team.rank(); c < n; c += team.size()) at.y(c) += length * at.change_of_y(c);
    team.sync();
    const double of_classes = team.template reduce_exact<double>(
        n, 0.0,
        [&](std::int64_t c) {
          const double miss = at.observed[c] > 0 ? at.observed[c] / (at.q(c) * at.y(c)) - 1.0 : 0.0;
          return miss < 0.0 ? -miss : miss;
        },
        Greater{});
    const double of_clients = team.template reduce_exact<double>(
        at.tiles, 0.0, [&](std::int64_t tile) { return at.extreme[at.tiles + tile]; }, Greater{});
    const bool stop = of_classes + of_clients <= tolerance;
    if (team.rank() == 0) {
      at.residual() = of_classes + of_clients;
      at.path() = next;
      at.progress[0] += stop ? 0 : 1;
      at.progress[1] = stop ? 1 : 0;
    }
    if (stop) return;
    for (std::int64_t c = team.rank(); c < n; c += team.size()) {
      const bool there = at.observed[c] > 0;
      at.matrix[c * n + c] = there ? at.matrix[c * n + c] + at.q(c) / at.y(c) : 1.0;
      at.right(c) = there ? at.observed[c] / at.y(c) - at.q(c) - at.right(c) : 0.0;
    }
    team.sync();
    factor(team);
    substitute(team);
    const double limit = team.template reduce_exact<double>(
        n, 0.0,
        [&](std::int64_t c) {
          const double change = at.change_of_y(c) = at.right(c);
          return at.observed[c] > 0 ? -change / at.y(c) : 0.0;
        },
        Greater{});
    if (team.rank() == 0) at.class_limit() = limit;
  }

 private:
  /// Cholesky. change_of_y holds the column at work. A pivot that rounding has eaten leaves its unknown as it is.
  template <class Team>
  PSL_HD void factor(Team& team) const {
    const std::int64_t n = at.classes;
    for (std::int64_t j = 0; j < n; ++j) {
      const double pivot = at.matrix[j * n + j], diagonal = pivot > 0.0 ? std::sqrt(pivot) : 1e150;
      for (std::int64_t i = j + 1 + team.rank(); i < n; i += team.size()) {
        at.change_of_y(i) = at.matrix[i * n + j] /= diagonal;
      }
      team.sync();
      if (team.rank() == 0) at.matrix[j * n + j] = diagonal;
      for (std::int64_t i = j + 1 + team.rank(); i < n; i += team.size()) {
        const double left = at.change_of_y(i);
        double* row = at.matrix.data() + i * n;
        const double* column = &at.change_of_y(0);
        for (std::int64_t k = j + 1; k <= i; ++k) row[k] -= left * column[k];
      }
      team.sync();
    }
  }

  /// The right side becomes the solution.
  template <class Team>
  PSL_HD void substitute(Team& team) const {
    const std::int64_t n = at.classes;
    const auto settle = [&](std::int64_t j) {
      if (team.rank() == 0) at.right(j) /= at.matrix[j * n + j];
      team.sync();
    };
    for (std::int64_t j = 0; j < n; ++j) {
      settle(j);
      for (std::int64_t i = j + 1 + team.rank(); i < n; i += team.size()) {
        at.right(i) -= at.matrix[i * n + j] * at.right(j);
      }
      team.sync();
    }
    for (std::int64_t j = n - 1; j >= 0; --j) {
      settle(j);
      for (std::int64_t i = team.rank(); i < j; i += team.size()) at.right(i) -= at.matrix[j * n + i] * at.right(j);
      team.sync();
    }
  }
};

}  // namespace splitsim::detail
