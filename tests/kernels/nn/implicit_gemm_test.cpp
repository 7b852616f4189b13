#include "kernels/nn/layers/conv/implicit_gemm.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/kernels/nn/implicit_gemm_support.hpp"

#if SPLITSIM_WITH_CUDA

namespace splitsim::test {
namespace {

constexpr MathPrecision kAll[] = {MathPrecision::kFp32, MathPrecision::kTf32, MathPrecision::kBf16};

const char* name_of(MathPrecision p) {
  return p == MathPrecision::kFp32 ? "fp32" : p == MathPrecision::kTf32 ? "tf32" : "bf16";
}

/// Integers that a precision holds exactly; 3xTF32 needs both halves for the larger ones.
int most_of(MathPrecision p) {
  return p == MathPrecision::kFp32 ? (1 << 14) - 1 : p == MathPrecision::kTf32 ? (1 << 11) - 1 : (1 << 8) - 1;
}

/// Inputs that make every sum exact: what is multiplied by at most 2 and added up stays below 2^24. x's factors or dy's
/// are large (and then weights, too) by turns.
GemmInputs exact_inputs(const GemmCase& c, const StepLayout& l, MathPrecision precision, bool large_x) {
  const ConvShape& s = c.shape;
  const std::int64_t pixels = std::int64_t{s.out_height()} * s.out_width();
  const std::int64_t taps = s.out_channels / s.groups * s.kernel.area();
  const std::int64_t added = std::max({s.patch(), l.max_slots * pixels, taps}) * 2 + 1;
  const int large = static_cast<int>(std::min<std::int64_t>(most_of(precision), (1 << 24) / added));
  GemmInputs in;
  in.x = junk_after(integers(l.max_slots * s.in_size(), large_x ? large : 2, 1), l.slots(), s.in_size());
  in.dy = junk_after(integers(l.max_slots * s.out_size(), 2, 2), l.slots(), s.out_size());
  in.parameters = integers(l.replicas * Block(s, 0).stride + 64, large_x ? 2 : large, 3);
  return in;
}

/// The index of the first difference, or -1.
std::int64_t first_difference(const std::vector<float>& got, const std::vector<double>& expected) {
  if (got.size() != expected.size()) return 0;
  for (std::size_t i = 0; i < got.size(); ++i)
    if (!(got[i] == expected[i])) return static_cast<std::int64_t>(i);
  return -1;
}

void expect_exact(CudaContext& ctx, const GemmCase& c, const StepLayout& l) {
  const Block block(c.shape, 0);
  for (const MathPrecision precision : kAll) {
    const bool large_x = precision != MathPrecision::kBf16;
    GemmInputs in = exact_inputs(c, l, precision, large_x);
    in.parameters.resize(l.replicas * block.stride);
    const GemmExpected expected(c, l, in, block);
    const GemmRun run(ctx, c, l, ConvMath{precision}, in);
    const auto check = [&](const char* what, const std::vector<float>& got, const std::vector<double>& exact) {
      const std::int64_t at = first_difference(got, exact);
      ASSERT_EQ(at, -1) << c.name << ", " << l.name << ", " << name_of(precision) << ": " << what << " " << got[at]
                        << " instead of " << exact[at];
    };
    check("y", run.y, expected.y);  // empty slots: zeros
    check("dx", run.dx, expected.dx);
    check("gradient", run.gradients, expected.gradients);  // and nothing beside the layer's own
    if (::testing::Test::HasFatalFailure()) return;
  }
}

class ImplicitGemm : public OnContext<CudaContext> {};

TEST_F(ImplicitGemm, EqualsTheOracleExactlyOnIntegers) {
  const std::vector<GemmCase> cases = {
      {"lenet conv1", {1, 28, 28, 6, 5, 1, 2}},
      {"lenet conv2", {6, 14, 14, 16, 5, 1, 0}},
      {"3x3, 8 channels", {8, 8, 8, 8, 3, 1, 1}},
      {"pointwise, stride 2", {16, 7, 6, 32, 1, 2, 0}},
      {"linear", {40, 1, 1, 12, 1, 1, 0}},
      {"depthwise", {8, 9, 7, 8, 3, 2, 1, 8}},
  };
  for (const GemmCase& c : cases)
    for (const StepLayout& l : step_layouts()) {
      expect_exact(ctx(), c, l);
      if (HasFatalFailure()) return;
    }
}

}  // namespace
}  // namespace splitsim::test

#endif  // SPLITSIM_WITH_CUDA
