// for_each_index, for_each_cell and for_each_block for the CPU: OpenMP, static shares, no shared state.
#pragma once

#include <algorithm>

#include "kernels/device/context.hpp"
#include "kernels/device/launch.hpp"
#include "kernels/device/team.hpp"

namespace splitsim {

namespace detail {
inline std::int64_t cpu_range(const Extent& extent) {
  const std::int64_t outer =
      extent.outer_count == nullptr ? extent.outer_max : std::min<std::int64_t>(extent.outer_max, *extent.outer_count);
  return outer * extent.inner;
}
}  // namespace detail

template <class F>
void for_each_index(CpuContext& ctx, const Extent& extent, const F& f) {
  const std::int64_t n = detail::cpu_range(extent);
  if (n < kSerialBelow || ctx.threads() == 1) {
    for (std::int64_t i = 0; i < n; ++i) f(i);
    return;
  }
#pragma omp parallel for schedule(static) num_threads(ctx.threads())
  for (std::int64_t i = 0; i < n; ++i) f(i);
}

template <class F>
void for_each_index(CpuContext& ctx, std::int64_t n, const F& f) {
  for_each_index(ctx, Extent{n, nullptr, 1}, f);
}

template <class F>
void for_each_cell(CpuContext& ctx, const Extent& rows, std::int32_t columns, const F& f) {
  const std::int64_t n = detail::cpu_range(rows);
  const bool serial = n < 2 || n * columns < kSerialBelow || ctx.threads() == 1;
#pragma omp parallel for schedule(static) num_threads(ctx.threads()) if (!serial)
  for (std::int64_t row = 0; row < n; ++row) {
    for (std::int32_t column = 0; column < columns; ++column) f(row, column);
  }
}

template <class F>
void for_each_block(CpuContext& ctx, const Extent& extent, const F& f) {
  const std::int64_t n = detail::cpu_range(extent);
  if (n < 2 || ctx.threads() == 1) {
    SerialTeam team;
    for (std::int64_t block = 0; block < n; ++block) f(team, block);
    return;
  }
#pragma omp parallel for schedule(dynamic) num_threads(ctx.threads())
  for (std::int64_t block = 0; block < n; ++block) {
    SerialTeam team;
    f(team, block);
  }
}

template <class F>
void for_each_column_block(CpuContext& ctx, const Extent& extent, std::int64_t items, const F& f) {
  const std::int64_t n = detail::cpu_range(extent);
  if (n * items >= kSerialBelow) return for_each_block(ctx, extent, f);
  SerialTeam team;
  for (std::int64_t block = 0; block < n; ++block) f(team, block);
}

template <class F>
void for_each_block(CpuContext& ctx, std::int64_t n, const F& f) {
  for_each_block(ctx, Extent{n, nullptr, 1}, f);
}

template <class F>
void for_each_wide_block(CpuContext& ctx, std::int64_t n, const F& f) {
  for_each_block(ctx, n, f);
}

}  // namespace splitsim
