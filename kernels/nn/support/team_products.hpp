// Small matrix products by a team, of factors that functions give. The order of every sum is fixed on each backend (a GPU's
// member adds in order; a CPU adds inner_products in eight lanes), not equal between them.
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"
#include "kernels/device/team.hpp"
#include "kernels/nn/support/team_loops.hpp"

namespace splitsim {

/// store(r, c, sum over k in [0, n) of a(r, k) b(k, c)) for r in [0, rows), c in [0, columns): for factors b whose
/// columns lie side by side.
template <class A, class B, class Store>
PSL_HD void outer_products(SerialTeam&, std::int32_t rows, std::int32_t columns, std::int32_t n, const A& a, const B& b,
                           const Store& store) {
  constexpr std::int32_t kTile = 64;
  for (std::int32_t row = 0; row < rows; ++row) {
    for (std::int32_t first = 0; first < columns; first += kTile) {
      const std::int32_t width = columns - first < kTile ? columns - first : kTile;
      float sum[kTile] = {};
      for (std::int32_t k = 0; k < n; ++k) {
        const float factor = a(row, k);
        PSL_INDEPENDENT
        for (std::int32_t c = 0; c < width; ++c) sum[c] += factor * b(k, first + c);
      }
      for (std::int32_t c = 0; c < width; ++c) store(row, first + c, sum[c]);
    }
  }
}

/// The same for factors that lie side by side along k.
template <class A, class B, class Store>
PSL_HD void inner_products(SerialTeam&, std::int32_t rows, std::int32_t columns, std::int32_t n, const A& a, const B& b,
                           const Store& store) {
  constexpr std::int32_t kLanesOfSum = 8;
  for (std::int32_t row = 0; row < rows; ++row) {
    for (std::int32_t column = 0; column < columns; ++column) {
      float lane[kLanesOfSum] = {}, tail = 0.0f;
      std::int32_t k = 0;
      for (; k + kLanesOfSum <= n; k += kLanesOfSum) {
        for (std::int32_t l = 0; l < kLanesOfSum; ++l) lane[l] += a(row, k + l) * b(k + l, column);
      }
      for (; k < n; ++k) tail += a(row, k) * b(k, column);
      store(row, column,
            (((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]))) + tail);
    }
  }
}

template <class Team, class A, class B, class Store>
PSL_HD void outer_products(Team& team, std::int32_t rows, std::int32_t columns, std::int32_t n, const A& a, const B& b,
                           const Store& store) {
  for (std::int32_t i = team.rank(); i < rows * columns; i += team.size()) {
    const std::int32_t row = i / columns, column = i - row * columns;
    float sum = 0.0f;
    PSL_UNROLL_READS
    for (std::int32_t k = 0; k < n; ++k) sum += a(row, k) * b(k, column);
    store(row, column, sum);
  }
}
template <class Team, class A, class B, class Store>
PSL_HD void inner_products(Team& team, std::int32_t rows, std::int32_t columns, std::int32_t n, const A& a, const B& b,
                           const Store& store) {
  outer_products(team, rows, columns, n, a, b, store);
}

}  // namespace splitsim
