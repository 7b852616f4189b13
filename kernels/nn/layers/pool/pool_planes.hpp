// Pools, channels first: a block is a few planes of one slot.
#pragma once

#include <cstdint>

#include "kernels/nn/layers/pool/pool_window.hpp"
#include "kernels/nn/support/planes.hpp"
#include "kernels/nn/support/team_loops.hpp"
#include "kernels/nn/support/team_sums.hpp"
#if !defined(__CUDACC__)
#include "kernels/nn/layers/pool/pool_simd.hpp"
#endif

namespace splitsim::detail {

inline std::int32_t pool_planes(const PoolShape& shape) {
  return planes_per_block(shape.channels, std::int64_t{shape.out_height()} * shape.out_width());
}

// Any window and stride, one output after another.
struct MaxPoolForward {
  PoolShape shape;
  std::int32_t planes;
  const float* x;
  float* y;
  std::uint8_t* argmax;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const PoolShape s = shape;
    const std::int32_t out_height = s.out_height(), out_width = s.out_width();
    const float* in = x + block * planes * s.in_height * s.in_width;
    float* best_out = y + block * planes * out_height * out_width;
    std::uint8_t* argmax_out = argmax + block * planes * out_height * out_width;
#if !defined(__CUDACC__)
    if (PoolPairs::are(s)) {
      return max_pool_2x2_forward(s, planes, in, best_out, argmax_out);
    }
#endif
    team_grid(team, planes * out_height, out_width, [=](std::int32_t row, std::int32_t column) {
      const std::int32_t plane = row / out_height;
      const PoolPlane::Best best =
          PoolPlane{s, 1}.best(in + std::int64_t{plane} * s.in_height * s.in_width, row - plane * out_height, column);
      best_out[row * out_width + column] = best.value;
      argmax_out[row * out_width + column] = static_cast<std::uint8_t>(best.where);
    });
  }
};

// Any window and stride: every input gathers from the windows that cover it, in row order.
struct MaxPoolBackward {
  PoolShape shape;
  std::int32_t planes;
  const float* dy;
  const std::uint8_t* argmax;
  float* dx;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const PoolShape s = shape;
    const std::int32_t out_height = s.out_height(), out_width = s.out_width();
    const std::int64_t out = block * planes * out_height * out_width;
    const float* dy_block = dy + out;
    const std::uint8_t* argmax_block = argmax + out;
    float* dx_block = dx + block * planes * s.in_height * s.in_width;
#if !defined(__CUDACC__)
    if (PoolPairs::are(s)) {
      return max_pool_2x2_backward(s, planes, dy_block, argmax_block, dx_block);
    }
#endif
    team_grid(team, planes * s.in_height, s.in_width, [=](std::int32_t row, std::int32_t column) {
      const std::int32_t plane = row / s.in_height, first = plane * out_height * out_width;
      dx_block[row * s.in_width + column] =
          PoolPlane{s, 1}.gradient(dy_block + first, argmax_block + first, row - plane * s.in_height, column);
    });
  }
};

struct AvgPoolForward {
  PoolShape shape;
  std::int32_t planes;
  const float* x;
  float* y;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const PoolShape s = shape;
    const std::int32_t out_height = s.out_height(), out_width = s.out_width();
    const float* in = x + block * planes * s.in_height * s.in_width;
    float* __restrict__ mean_out = y + block * planes * out_height * out_width;
    team_grid(team, planes * out_height, out_width, [=](std::int32_t row, std::int32_t column) {
      const std::int32_t plane = row / out_height;
      mean_out[row * out_width + column] =
          PoolPlane{s, 1}.mean(in + plane * s.in_height * s.in_width, row - plane * out_height, column);
    });
  }
};

struct AvgPoolBackward {
  PoolShape shape;
  std::int32_t planes;
  const float* dy;
  float* dx;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const PoolShape s = shape;
    const std::int32_t out_height = s.out_height(), out_width = s.out_width();
    const float* dy_block = dy + block * planes * out_height * out_width;
    float* __restrict__ dx_block = dx + block * planes * s.in_height * s.in_width;
    const float area = static_cast<float>(s.window.area());
    team_grid(team, planes * s.in_height, s.in_width, [=](std::int32_t row, std::int32_t column) {
      const std::int32_t plane = row / s.in_height;
      dx_block[row * s.in_width + column] = PoolPlane{s, 1}.gradient(dy_block + plane * out_height * out_width, nullptr,
                                                                     row - plane * s.in_height, column) /
                                            area;
    });
  }
};

struct GlobalAvgPoolForward {
  std::int64_t pixels;
  const float* x;
  float* y;
  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t plane) const {
    const float sum = team_sum(team, x + plane * pixels, pixels);
    if (team.rank() == 0) y[plane] = sum / static_cast<float>(pixels);
  }
};
struct GlobalAvgPoolBackward {
  std::int64_t pixels;
  const float* dy;
  float* dx;
  PSL_HD void operator()(std::int64_t i) const { dx[i] = dy[i / pixels] / static_cast<float>(pixels); }
};

}  // namespace splitsim::detail
