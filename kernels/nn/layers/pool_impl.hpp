// Bodies of kernels/nn/layers/pool.hpp. A block is a few planes of one slot.
#pragma once

#include "kernels/nn/layers/pool.hpp"
#include "kernels/nn/support/planes.hpp"
#include "kernels/nn/support/team_loops.hpp"
#include "kernels/nn/support/team_sums.hpp"
#if !defined(__CUDACC__)
#include "kernels/nn/layers/pool_simd.hpp"
#endif

namespace splitsim {

namespace detail {
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
    if (s.window == 2 && s.stride == 2 && s.padding == 0) {
      return max_pool_2x2_forward(s, planes, in, best_out, argmax_out);
    }
#endif
    team_grid(team, planes * out_height, out_width, [=](std::int32_t row, std::int32_t column) {
      const std::int32_t plane = row / out_height;
      const std::int32_t top = (row - plane * out_height) * s.stride.height - s.padding.height;
      const std::int32_t left = column * s.stride.width - s.padding.width;
      const float* image = in + std::int64_t{plane} * s.in_height * s.in_width;
      float best = 0.0f;
      std::int32_t where = -1;
      for (std::int32_t i = top < 0 ? -top : 0; i < s.window.height && top + i < s.in_height; ++i) {
        for (std::int32_t j = left < 0 ? -left : 0; j < s.window.width && left + j < s.in_width; ++j) {
          const float value = image[(top + i) * s.in_width + left + j];
          const bool take = where < 0 || value > best || value != value;  // NaN wins, as in PyTorch
          best = take ? value : best;
          where = take ? i * s.window.width + j : where;
        }
      }
      best_out[row * out_width + column] = best;
      argmax_out[row * out_width + column] = static_cast<std::uint8_t>(where);
    });
  }
};

/// First and last output row (or column) whose window covers input position `at`.
struct PoolCover {
  std::int32_t first, last;
  PSL_HD PoolCover(std::int32_t at, std::int32_t window, std::int32_t stride, std::int32_t outputs) {
    first = at < window ? 0 : (at - window) / stride + 1;
    last = at / stride;
    if (last > outputs - 1) last = outputs - 1;
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
    if (s.window == 2 && s.stride == 2 && s.padding == 0) {
      return max_pool_2x2_backward(s, planes, dy_block, argmax_block, dx_block);
    }
#endif
    team_grid(team, planes * s.in_height, s.in_width, [=](std::int32_t row, std::int32_t padded_column) {
      // Positions within the padded plane.
      const std::int32_t plane = row / s.in_height, y_in = row - plane * s.in_height + s.padding.height;
      const std::int32_t column = padded_column + s.padding.width;
      const PoolCover rows(y_in, s.window.height, s.stride.height, out_height);
      const PoolCover columns(column, s.window.width, s.stride.width, out_width);
      float sum = 0.0f;
      for (std::int32_t oy = rows.first; oy <= rows.last; ++oy) {
        for (std::int32_t ox = columns.first; ox <= columns.last; ++ox) {
          const std::int32_t at = (plane * out_height + oy) * out_width + ox;
          const std::int32_t mine = (y_in - oy * s.stride.height) * s.window.width + (column - ox * s.stride.width);
          if (argmax_block[at] == mine) sum += dy_block[at];
        }
      }
      dx_block[row * s.in_width + padded_column] = sum;
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
    const float area = static_cast<float>(s.window.area());
    team_grid(team, planes * out_height, out_width, [=](std::int32_t row, std::int32_t column) {
      const std::int32_t plane = row / out_height;
      const float* corner = in + (plane * s.in_height + (row - plane * out_height) * s.stride.height) * s.in_width +
                            column * s.stride.width;
      float sum = 0.0f;
      for (std::int32_t i = 0; i < s.window.height; ++i) {
        for (std::int32_t j = 0; j < s.window.width; ++j) sum += corner[i * s.in_width + j];
      }
      mean_out[row * out_width + column] = sum / area;
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
      const PoolCover rows(row - plane * s.in_height, s.window.height, s.stride.height, out_height);
      const PoolCover columns(column, s.window.width, s.stride.width, out_width);
      float sum = 0.0f;
      for (std::int32_t oy = rows.first; oy <= rows.last; ++oy) {
        for (std::int32_t ox = columns.first; ox <= columns.last; ++ox) {
          sum += dy_block[(plane * out_height + oy) * out_width + ox];
        }
      }
      dx_block[row * s.in_width + column] = sum / area;
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
}  // namespace detail

template <class Context>
void max_pool_forward(Context& ctx, Slots slots, const PoolShape& shape, View<const float> x, View<float> y,
                      View<std::uint8_t> argmax) {
  const std::int32_t planes = detail::pool_planes(shape);
  for_each_block(ctx, Extent{slots.max, slots.count, shape.channels / planes},
                 detail::MaxPoolForward{shape, planes, x.data(), y.data(), argmax.data()});
}

template <class Context>
void max_pool_backward(Context& ctx, Slots slots, const PoolShape& shape, View<const float> dy,
                       View<const std::uint8_t> argmax, View<float> dx) {
  const std::int32_t planes = detail::pool_planes(shape);
  for_each_block(ctx, Extent{slots.max, slots.count, shape.channels / planes},
                 detail::MaxPoolBackward{shape, planes, dy.data(), argmax.data(), dx.data()});
}

template <class Context>
void avg_pool_forward(Context& ctx, Slots slots, const PoolShape& shape, View<const float> x, View<float> y) {
  const std::int32_t planes = detail::pool_planes(shape);
  for_each_block(ctx, Extent{slots.max, slots.count, shape.channels / planes},
                 detail::AvgPoolForward{shape, planes, x.data(), y.data()});
}

template <class Context>
void avg_pool_backward(Context& ctx, Slots slots, const PoolShape& shape, View<const float> dy, View<float> dx) {
  const std::int32_t planes = detail::pool_planes(shape);
  for_each_block(ctx, Extent{slots.max, slots.count, shape.channels / planes},
                 detail::AvgPoolBackward{shape, planes, dy.data(), dx.data()});
}

template <class Context>
void global_avg_pool_forward(Context& ctx, Slots slots, std::int32_t channels, std::int64_t pixels, View<const float> x,
                             View<float> y) {
  for_each_block(ctx, Extent{slots.max, slots.count, channels},
                 detail::GlobalAvgPoolForward{pixels, x.data(), y.data()});
}

template <class Context>
void global_avg_pool_backward(Context& ctx, Slots slots, std::int32_t channels, std::int64_t pixels,
                              View<const float> dy, View<float> dx) {
  for_each_index(ctx, Extent{slots.max, slots.count, channels * pixels},
                 detail::GlobalAvgPoolBackward{pixels, dy.data(), dx.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                      \
  template void max_pool_forward(C&, Slots, const PoolShape&, View<const float>,  \
      View<float>, View<std::uint8_t>);                                                                       \
  template void max_pool_backward(C&, Slots, const PoolShape&, View<const float>, \
      View<const std::uint8_t>, View<float>);                                                                 \
  template void avg_pool_forward(C&, Slots, const PoolShape&, View<const float>,  \
      View<float>);                                                                                           \
  template void avg_pool_backward(C&, Slots, const PoolShape&, View<const float>, \
      View<float>);                                                                                           \
  template void global_avg_pool_forward(C&, Slots, std::int32_t, std::int64_t,    \
      View<const float>, View<float>);                                                                        \
  template void global_avg_pool_backward(C&, Slots, std::int32_t, std::int64_t,   \
      View<const float>, View<float>);
