// Loops shared out over a team. For a team of one they are plain nests that the compiler vectorises.
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"
#include "kernels/device/team.hpp"

namespace splitsim {

// Calls are independent of each other, also where input and output are the same memory: the compiler may vectorise
// without checking.
#if defined(__CUDACC__)
#define PSL_INDEPENDENT
#else
#define PSL_INDEPENDENT _Pragma("GCC ivdep")
#endif

/// f(i) for i in [0, n).
template <class Team, class F>
PSL_HD void team_range(Team& team, std::int32_t n, const F& f) {
  PSL_INDEPENDENT
  for (std::int32_t i = team.rank(); i < n; i += team.size()) f(i);
}

/// f(row, column) for all of rows x columns.
template <class F>
PSL_HD void team_grid(SerialTeam&, std::int32_t rows, std::int32_t columns, const F& f) {
  for (std::int32_t row = 0; row < rows; ++row) {
    PSL_INDEPENDENT
    for (std::int32_t column = 0; column < columns; ++column) f(row, column);
  }
}
template <class Team, class F>
PSL_HD void team_grid(Team& team, std::int32_t rows, std::int32_t columns, const F& f) {
  for (std::int32_t i = team.rank(); i < rows * columns; i += team.size()) f(i / columns, i % columns);
}

/// f(row, column, prepare(row)): what depends on the row alone is worked out once per row where a row is one thread's.
template <class Prepare, class F>
PSL_HD void team_rows(SerialTeam&, std::int32_t rows, std::int32_t columns, const Prepare& prepare, const F& f) {
  for (std::int32_t row = 0; row < rows; ++row) {
    const auto prepared = prepare(row);
    PSL_INDEPENDENT
    for (std::int32_t column = 0; column < columns; ++column) f(row, column, prepared);
  }
}
template <class Team, class Prepare, class F>
PSL_HD void team_rows(Team& team, std::int32_t rows, std::int32_t columns, const Prepare& prepare, const F& f) {
  for (std::int32_t i = team.rank(); i < rows * columns; i += team.size())
    f(i / columns, i % columns, prepare(i / columns));
}

}  // namespace splitsim
