// 2x2 max pooling with stride 2, eight outputs at a time. Host code only.
//
// Rows are walked in order and full vectors may run over into the row that is written next; where that would leave the
// block, the outputs are done one by one.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "kernels/nn/layers/pool/pool.hpp"
#include "kernels/nn/support/simd.hpp"

namespace splitsim {

namespace detail {
typedef std::uint8_t Byte8 __attribute__((vector_size(8)));

[[gnu::always_inline]] inline void take_greater(const Float8& value, std::int32_t position, Float8& best, Int8& where) {
  const Int8 take = (value > best) | (value != value);  // NaN wins, as in PyTorch
  best = take ? value : best;
  where = take ? Int8{} + position : where;
}
[[gnu::always_inline]] inline void take_greater(float value, std::int32_t position, float& best, std::int32_t& where) {
  const bool take = value > best || value != value;
  best = take ? value : best;
  where = take ? position : where;
}

/// The even and the odd of sixteen floats.
struct Pairs8 {
  Float8 even, odd;
};
[[gnu::always_inline]] inline Pairs8 load_pairs(const float* p) {
  const Float8 low = load8(p), high = load8(p + kSimd);
  return {__builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14),
          __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15)};
}
[[gnu::always_inline]] inline void store_pairs(float* p, const Float8& even, const Float8& odd) {
  store8(p, __builtin_shufflevector(even, odd, 0, 8, 1, 9, 2, 10, 3, 11));
  store8(p + kSimd, __builtin_shufflevector(even, odd, 4, 12, 5, 13, 6, 14, 7, 15));
}

/// x: `planes` planes, y and argmax: theirs.
inline void max_pool_2x2_forward(const PoolShape& s, std::int32_t planes, const float* x, float* y,
                                 std::uint8_t* argmax) {
  const std::int32_t out_width = s.out_width(), out_height = s.out_height(), in_width = s.in_width;
  const float* const x_end = x + std::int64_t{planes} * s.in_height * in_width;
  float* const y_end = y + std::int64_t{planes} * out_height * out_width;
  for (std::int32_t plane = 0; plane < planes; ++plane) {
    const float* upper = x + std::int64_t{plane} * s.in_height * in_width;
    for (std::int32_t row = 0; row < out_height; ++row, upper += 2 * in_width, y += out_width, argmax += out_width) {
      const float* lower = upper + in_width;
      std::int32_t i = 0;
      for (; i < out_width && lower + 2 * i + 2 * kSimd <= x_end && y + i + kSimd <= y_end; i += kSimd) {
        const Pairs8 first = load_pairs(upper + 2 * i), second = load_pairs(lower + 2 * i);
        Float8 best = first.even;
        Int8 where = {};
        take_greater(first.odd, 1, best, where);
        take_greater(second.even, 2, best, where);
        take_greater(second.odd, 3, best, where);
        store8(y + i, best);
        const Byte8 bytes = __builtin_convertvector(where, Byte8);
        std::memcpy(argmax + i, &bytes, sizeof bytes);
      }
      for (; i < out_width; ++i) {
        float best = upper[2 * i];
        std::int32_t where = 0;
        take_greater(upper[2 * i + 1], 1, best, where);
        take_greater(lower[2 * i], 2, best, where);
        take_greater(lower[2 * i + 1], 3, best, where);
        y[i] = best;
        argmax[i] = static_cast<std::uint8_t>(where);
      }
    }
  }
}

/// Writes every input of `planes` planes: what no window covers (odd sizes) becomes 0.
inline void max_pool_2x2_backward(const PoolShape& s, std::int32_t planes, const float* dy, const std::uint8_t* argmax,
                                  float* dx) {
  const std::int32_t out_width = s.out_width(), out_height = s.out_height(), in_width = s.in_width;
  const float* const dy_end = dy + std::int64_t{planes} * out_height * out_width;
  float* const dx_end = dx + std::int64_t{planes} * s.in_height * in_width;
  for (std::int32_t plane = 0; plane < planes; ++plane) {
    for (std::int32_t row = 0; row < out_height; ++row, dy += out_width, argmax += out_width) {
      for (const std::int32_t position : {0, 2}) {  // of the left input: the upper row first, since vectors run over
        std::int32_t i = 0;
        for (; i < out_width && dx + 2 * i + 2 * kSimd <= dx_end && dy + i + kSimd <= dy_end; i += kSimd) {
          Byte8 bytes;
          std::memcpy(&bytes, argmax + i, sizeof bytes);
          const Int8 where = __builtin_convertvector(bytes, Int8);
          const Float8 g = load8(dy + i);
          store_pairs(dx + 2 * i, where == position ? g : Float8{}, where == position + 1 ? g : Float8{});
        }
        for (; i < out_width; ++i) {
          dx[2 * i] = argmax[i] == position ? dy[i] : 0.0f;
          dx[2 * i + 1] = argmax[i] == position + 1 ? dy[i] : 0.0f;
        }
        if (in_width % 2 != 0) dx[in_width - 1] = 0.0f;
        dx += in_width;
      }
    }
    if (s.in_height % 2 != 0) {
      std::memset(dx, 0, static_cast<std::size_t>(in_width) * sizeof(float));
      dx += in_width;
    }
  }
}
}  // namespace detail

}  // namespace splitsim
