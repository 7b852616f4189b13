// What a pool makes of one plane at one place, whatever the layout.
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"
#include "kernels/nn/layers/pool/pool.hpp"

namespace splitsim::detail {

/// First and last output row (or column) whose window covers input position `at`.
struct PoolCover {
  std::int32_t first, last;
  PSL_HD PoolCover(std::int32_t at, std::int32_t window, std::int32_t stride, std::int32_t outputs) {
    first = at < window ? 0 : (at - window) / stride + 1;
    last = at / stride;
    if (last > outputs - 1) last = outputs - 1;
  }
};

/// Pairs of rows and columns without padding, by far the most common pool: no loop and no division.
struct PoolPairs {
  PoolShape shape;
  std::int32_t step;

  static bool are(const PoolShape& s) { return s.window == 2 && s.stride == 2 && s.padding == 0; }
  struct Best {
    float value;
    std::int32_t where;
  };
  PSL_HD Best best(const float* x, std::int32_t row, std::int32_t column) const {
    const float* corner = x + (2 * row * shape.in_width + 2 * column) * step;
    Best best{corner[0], 0};
    PSL_UNROLL
    for (std::int32_t i = 1; i < 4; ++i) {
      const float value = corner[((i / 2) * shape.in_width + i % 2) * step];
      const bool take = value > best.value || value != value;
      best.value = take ? value : best.value;
      best.where = take ? i : best.where;
    }
    return best;
  }
  PSL_HD float gradient(const float* dy, const std::uint8_t* argmax, std::int32_t row, std::int32_t column) const {
    const std::int32_t out_row = row / 2, out_column = column / 2;
    if (out_row >= shape.in_height / 2 || out_column >= shape.in_width / 2) return 0.0f;
    const std::int32_t at = (out_row * (shape.in_width / 2) + out_column) * step;
    return argmax[at] == 2 * (row % 2) + column % 2 ? dy[at] : 0.0f;
  }
};

/// One plane of a slot, whose pixels lie `step` apart: what each pool makes of it at one place.
struct PoolPlane {
  PoolShape shape;
  std::int32_t step;

  struct Best {
    float value;
    std::int32_t where;
  };
  PSL_HD Best best(const float* x, std::int32_t row, std::int32_t column) const {
    const PoolShape& s = shape;
    const std::int32_t top = row * s.stride.height - s.padding.height, left = column * s.stride.width - s.padding.width;
    Best best{0.0f, -1};
    for (std::int32_t i = top < 0 ? -top : 0; i < s.window.height && top + i < s.in_height; ++i) {
      for (std::int32_t j = left < 0 ? -left : 0; j < s.window.width && left + j < s.in_width; ++j) {
        const float value = x[((top + i) * s.in_width + left + j) * step];
        const bool take = best.where < 0 || value > best.value || value != value;  // NaN wins, as in PyTorch
        best.value = take ? value : best.value;
        best.where = take ? i * s.window.width + j : best.where;
      }
    }
    return best;
  }
  PSL_HD float mean(const float* x, std::int32_t row, std::int32_t column) const {
    const PoolShape& s = shape;
    const float* corner = x + (row * s.stride.height * s.in_width + column * s.stride.width) * step;
    float sum = 0.0f;
    for (std::int32_t i = 0; i < s.window.height; ++i) {
      for (std::int32_t j = 0; j < s.window.width; ++j) sum += corner[(i * s.in_width + j) * step];
    }
    return sum / static_cast<float>(s.window.area());
  }
  /// The gradient of input (row, column), from the windows that cover it in row order: those that took it, or without
  /// argmax all.
  PSL_HD float gradient(const float* dy, const std::uint8_t* argmax, std::int32_t row, std::int32_t column) const {
    const PoolShape& s = shape;
    const std::int32_t out_width = s.out_width(), y = row + s.padding.height, x = column + s.padding.width;
    const PoolCover rows(y, s.window.height, s.stride.height, s.out_height());
    const PoolCover columns(x, s.window.width, s.stride.width, out_width);
    float sum = 0.0f;
    for (std::int32_t oy = rows.first; oy <= rows.last; ++oy) {
      for (std::int32_t ox = columns.first; ox <= columns.last; ++ox) {
        const std::int32_t at = (oy * out_width + ox) * step;
        const std::int32_t mine = (y - oy * s.stride.height) * s.window.width + (x - ox * s.stride.width);
        if (argmax == nullptr || argmax[at] == mine) sum += dy[at];
      }
    }
    return sum;
  }
};

}  // namespace splitsim::detail
