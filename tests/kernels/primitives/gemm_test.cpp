// Products with a bias or row sums, exact on small integers, on every backend and in both ways of making them.
#include "kernels/primitives/gemm.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/device/launch_cpu.hpp"
#include "kernels/primitives/gemm_composed.hpp"
#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim {
#if SPLITSIM_WITH_CUDA  // gemm_composed_cuda.cu
extern template void composed_gemm_bias(CudaContext&, GemmShape, const float*, const float*, const float*, float*,
                                        bool);
extern template void composed_gemm_row_sums(CudaContext&, const GemmShape&, const float*, const float*, float*, float*);
#endif

namespace test {
namespace {

template <class Context>
class Gemm : public OnContext<Context> {
 protected:
  struct Product {
    std::vector<float> c, sums;
  };
  /// Both products of one shape, rows of stored matrices three floats longer than they need be.
  Product run(const GemmShape& s, const std::vector<float>& a, const std::vector<float>& b,
              const std::vector<float>& bias, bool with_bias, bool composed, bool relu = false) {
    auto& ctx = this->ctx();
    const Floats<Context> da(ctx, a), db(ctx, b), dbias(ctx, bias);
    Floats<Context> c(ctx, std::vector<float>(static_cast<std::size_t>(s.m) * s.ldc, kJunk));
    Floats<Context> sums(ctx, std::vector<float>(static_cast<std::size_t>(s.m), kJunk));
    if (with_bias) {
      composed ? composed_gemm_bias(ctx, s, da.data(), db.data(), dbias.data(), c.data(), relu)
               : gemm_bias(ctx, s, da.data(), db.data(), dbias.data(), c.data(), relu);
    } else {
      composed ? composed_gemm_row_sums(ctx, s, da.data(), db.data(), sums.data(), c.data())
               : gemm_row_sums(ctx, s, da.data(), db.data(), sums.data(), c.data());
    }
    return {c.download(), sums.download()};
  }
};
TYPED_TEST_SUITE(Gemm, Contexts);

TYPED_TEST(Gemm, BiasAndRowSumsAreExactOnIntegers) {
  for (const auto& [m, n, k] : {std::array{1, 1, 1}, {5, 7, 3}, {128, 10, 84}, {33, 65, 130}}) {
    for (int layout = 0; layout < 4; ++layout) {
      GemmShape s{.transpose_a = (layout & 1) != 0, .transpose_b = (layout & 2) != 0, .m = m, .n = n, .k = k};
      s.lda = (s.transpose_a ? m : k) + 3;
      s.ldb = (s.transpose_b ? k : n) + 3;
      s.ldc = n + 3;
      const auto a = integers(std::int64_t{s.transpose_a ? k : m} * s.lda, 3, 1);
      const auto b = integers(std::int64_t{s.transpose_b ? n : k} * s.ldb, 3, 2), bias = integers(n, 3, 3);
      const auto at_a = [&](int i, int l) { return a[s.transpose_a ? l * s.lda + i : i * s.lda + l]; };
      const auto at_b = [&](int l, int j) { return b[s.transpose_b ? j * s.ldb + l : l * s.ldb + j]; };
      for (const bool composed : {false, true}) {
        SCOPED_TRACE(testing::Message() << m << "x" << n << "x" << k << " layout " << layout << " composed "
                                        << composed);
        const auto biased = this->run(s, a, b, bias, true, composed),
                   rectified = this->run(s, a, b, bias, true, composed, true),
                   summed = this->run(s, a, b, bias, false, composed);
        for (int i = 0; i < m; ++i) {
          float row_sum = 0.0f;
          for (int l = 0; l < k; ++l) row_sum += at_a(i, l);
          ASSERT_EQ(summed.sums[static_cast<std::size_t>(i)], row_sum) << i;
          for (int j = 0; j < n; ++j) {
            float expected = 0.0f;
            for (int l = 0; l < k; ++l) expected += at_a(i, l) * at_b(l, j);
            const auto place = static_cast<std::size_t>(i * s.ldc + j);
            ASSERT_EQ(summed.c[place], expected) << i << ", " << j;
            ASSERT_EQ(biased.c[place], expected + bias[static_cast<std::size_t>(j)]) << i << ", " << j;
            ASSERT_EQ(rectified.c[place], std::max(0.0f, biased.c[place])) << i << ", " << j;
          }
          for (int j = n; j < s.ldc; ++j) {  // between the rows nothing is written
            ASSERT_NE(biased.c[static_cast<std::size_t>(i * s.ldc + j)],
                      biased.c[static_cast<std::size_t>(i * s.ldc + j)]);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace test
}  // namespace splitsim
