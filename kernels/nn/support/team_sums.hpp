// Sums over contiguous floats by a team; every member gets the result. The order is fixed on each backend (a CPU's team
// of one adds eight lanes at a time, a CUDA team as BlockTeam::reduce does), not equal between them.
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"
#include "kernels/device/team.hpp"
#if !defined(__CUDACC__)
#include "kernels/nn/support/simd.hpp"
#endif

namespace splitsim {

/// sum a[i]
template <class Team>
PSL_HD float team_sum(Team& team, const float* a, std::int64_t n) {
  return team.reduce(
      n, 0.0f, [=](std::int64_t i) { return a[i]; }, Plus{});
}
/// sum (a[i] - center)^2
template <class Team>
PSL_HD float team_square_deviations(Team& team, const float* a, float center, std::int64_t n) {
  return team.reduce(
      n, 0.0f, [=](std::int64_t i) { return (a[i] - center) * (a[i] - center); }, Plus{});
}
/// sum a[i] (b[i] - center)
template <class Team>
PSL_HD float team_centered_dot(Team& team, const float* a, const float* b, float center, std::int64_t n) {
  return team.reduce(
      n, 0.0f, [=](std::int64_t i) { return a[i] * (b[i] - center); }, Plus{});
}

#if !defined(__CUDACC__)
template <>
inline float team_sum(SerialTeam&, const float* a, std::int64_t n) {
  return sum_simd(
      n, [=](std::int64_t i) { return load8(a + i); }, [=](std::int64_t i) { return a[i]; });
}
template <>
inline float team_square_deviations(SerialTeam&, const float* a, float center, std::int64_t n) {
  return sum_simd(
      n,
      [=](std::int64_t i) {
        const Float8 d = load8(a + i) - center;
        return d * d;
      },
      [=](std::int64_t i) { return (a[i] - center) * (a[i] - center); });
}
template <>
inline float team_centered_dot(SerialTeam&, const float* a, const float* b, float center, std::int64_t n) {
  return sum_simd(
      n, [=](std::int64_t i) { return load8(a + i) * (load8(b + i) - center); },
      [=](std::int64_t i) { return a[i] * (b[i] - center); });
}
#endif

}  // namespace splitsim
