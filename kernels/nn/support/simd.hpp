// Eight floats at a time, through the compiler's vector type (any host architecture). Host code only.
#pragma once

#include <cstdint>
#include <cstring>

namespace splitsim {

typedef float Float8 __attribute__((vector_size(32)));
typedef std::int32_t Int8 __attribute__((vector_size(32)));
constexpr std::int32_t kSimd = 8;

[[gnu::always_inline]] inline Float8 load8(const float* p) {
  Float8 v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
[[gnu::always_inline]] inline void store8(float* p, const Float8& v) { std::memcpy(p, &v, sizeof v); }

/// Sum of the lanes, pairwise.
[[gnu::always_inline]] inline float sum8(const Float8& v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

/// Sum over i in [0, n) of term, in one fixed order: term8(i) gives eight terms from i on, term(i) one.
template <class Term8, class Term>
[[gnu::always_inline]] inline float sum_simd(std::int64_t n, const Term8& term8, const Term& term) {
  Float8 a = {}, b = {}, c = {}, d = {};
  std::int64_t i = 0;
  for (; i + 4 * kSimd <= n; i += 4 * kSimd) {
    a += term8(i);
    b += term8(i + kSimd);
    c += term8(i + 2 * kSimd);
    d += term8(i + 3 * kSimd);
  }
  for (; i + kSimd <= n; i += kSimd) a += term8(i);
  float tail = 0.0f;
  for (; i < n; ++i) tail += term(i);
  return sum8((a + b) + (c + d)) + tail;
}

}  // namespace splitsim
