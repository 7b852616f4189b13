#include "kernels/nn/layers/conv/implicit_gemm.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/error.hpp"
#include "tests/kernels/nn/implicit_gemm_support.hpp"

#if SPLITSIM_WITH_CUDA

namespace splitsim::test {
namespace {

constexpr Precision kAll[] = {Precision::kFp32, Precision::kTf32, Precision::kBf16};

const char* name_of(Precision p) { return p == Precision::kFp32 ? "fp32" : p == Precision::kTf32 ? "tf32" : "bf16"; }

/// Integers that a precision holds exactly; 3xTF32 needs both halves for the larger ones.
int most_of(Precision p) {
  return p == Precision::kFp32 ? (1 << 14) - 1 : p == Precision::kTf32 ? (1 << 11) - 1 : (1 << 8) - 1;
}

/// Inputs whose sums are exact: integers up to 2 times integers up to what the precision holds, and sums below 2^24.
/// Weights are the large ones, or x and dy.
GemmInputs exact_inputs(const GemmCase& c, const StepLayout& l, Precision precision, bool large_weights) {
  const ConvShape& s = c.shape;
  const std::int64_t pixels = std::int64_t{s.out_height()} * s.out_width();
  const std::int64_t taps = s.out_channels / s.groups * s.kernel.area();
  const std::int64_t added = large_weights ? std::max(s.patch(), taps) : std::max(s.patch(), l.max_slots * pixels);
  const int large = static_cast<int>(std::min<std::int64_t>(most_of(precision), (1 << 24) / (2 * added + 1)));
  GemmInputs in;
  in.x = junk_after(integers(l.max_slots * s.in_size(), large_weights ? 2 : large, 1), l.slots(), s.in_size());
  in.dy = junk_after(integers(l.max_slots * s.out_size(), 2, 2), l.slots(), s.out_size());
  in.parameters = integers(l.replicas * Block(s, 0).stride, large_weights ? large : 2, 3);
  return in;
}

void expect_equal(const std::vector<float>& got, const std::vector<double>& expected, const std::string& what) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], expected[i]) << what << " at " << i;
}

void expect_exact(CudaContext& ctx, const GemmCase& c, const StepLayout& l, Precision precision) {
  for (const bool large_weights : {false, true}) {
    const GemmInputs in = exact_inputs(c, l, precision, large_weights);
    const GemmExpected expected(c, l, in, Block(c.shape, 0));
    const GemmRun run(ctx, c, l, ConvMath{precision}, in);
    const std::string where = c.name + ", " + l.name + ", " + name_of(precision) + ": ";
    expect_equal(run.y, expected.y, where + "y");  // empty slots: zeros
    expect_equal(run.dx, expected.dx, where + "dx");
    expect_equal(run.gradients, expected.gradients, where + "gradient");  // and nothing beside the layer's own
    if (::testing::Test::HasFatalFailure()) return;
  }
}

std::vector<StepLayout> few_layouts() {
  return {{"tied", 5, 1, {5}},
          {"tied, empty slots", 9, 1, {4}},
          {"tied, no slots", 2, 1, {0}},
          {"a slot each", 4, 6, {1, 1, 1, 1}},
          {"uneven", 12, 7, {1, 4, 2, 3}}};
}

class ImplicitGemm : public OnContext<CudaContext> {};

TEST_F(ImplicitGemm, EqualsTheOracleExactlyOnIntegers) {
  const std::vector<GemmCase> cases = {
      {"lenet conv1", {1, 28, 28, 6, 5, 1, 2}},
      {"lenet conv2", {6, 14, 14, 16, 5, 1, 0}},
      {"3x3, tiles in a slot", {8, 16, 16, 32, 3, 1, 1}},
      {"3x3, tiles across slots", {32, 6, 7, 64, 3, 1, 1}},
      {"3x3, more than one tile of channels", {36, 5, 4, 132, 3, 1, 1}},
      {"stride 2", {12, 9, 8, 20, 3, 2, 1}},
      {"stride 1 by 2, a signal", {3, 4, 19, 8, {1, 7}, {1, 2}, {0, 3}}},
      {"stride 3, wide padding, no bias", {4, 9, 8, 8, 5, 3, 4}, false},
      {"pointwise, stride 2: pixels without a tap", {16, 7, 6, 32, 1, 2, 0}},
      {"padding beyond the kernel", {2, 5, 5, 3, 3, 1, 3}},
      {"one pixel", {4, 3, 3, 5, 3, 1, 0}},
      {"linear", {68, 1, 1, 84, 1, 1, 0}},
      {"linear, odd", {21, 1, 1, 10, 1, 1, 0}},
      {"two groups", {16, 7, 5, 24, 3, 1, 1, 2}},
      {"two small groups", {6, 7, 5, 4, 3, 2, 1, 2}},
      {"depthwise", {8, 9, 7, 8, 3, 2, 1, 8}},
      {"depthwise, two outputs each, no bias", {33, 6, 6, 66, {3, 5}, 1, {1, 2}, 33}, false}};
  for (const GemmCase& c : cases)
    for (const StepLayout& l : few_layouts())
      for (const Precision precision : kAll) {
        expect_exact(ctx(), c, l, precision);
        if (HasFatalFailure()) return;
      }
}

// Every kernel size with every stride, padding, number of groups and of channels, in turns over ranks and precisions.
TEST_F(ImplicitGemm, EveryShapeEqualsTheOracle) {
  const std::vector<StepLayout> layouts = {
      {"tied", 3, 1, {3}}, {"tied, empty", 4, 1, {2}}, {"uneven", 6, 5, {1, 3, 1}}};
  struct Channels {
    std::int32_t in, out, groups;
  };
  const Channels channels[] = {{1, 6, 1},   {3, 8, 1}, {6, 16, 1},  {8, 3, 1}, {16, 32, 1},
                               {64, 16, 1}, {6, 8, 2}, {16, 32, 2}, {8, 8, 8}, {6, 12, 6}};
  int turn = 0;
  for (const Size2 kernel : {Size2(1), Size2(3), Size2(5), Size2(1, 7)})
    for (const Size2 stride : {Size2(1), Size2(2), Size2(1, 2)})
      for (const Size2 padding : {Size2(0), Size2(1), Size2(kernel.height / 2, kernel.width / 2)})
        for (const Channels& n : channels) {
          const GemmCase c{"kernel " + std::to_string(kernel.height) + "x" + std::to_string(kernel.width) +
                               ", stride " + std::to_string(stride.height) + "x" + std::to_string(stride.width) +
                               ", padding " + std::to_string(padding.height) + "x" + std::to_string(padding.width) +
                               ", channels " + std::to_string(n.in) + " to " + std::to_string(n.out) + ", groups " +
                               std::to_string(n.groups),
                           {n.in, 6, 9, n.out, kernel, stride, padding, n.groups},
                           turn % 2 == 0};
          expect_exact(ctx(), c, layouts[turn % 3], kAll[turn / 3 % 3]);
          if (HasFatalFailure()) return;
          ++turn;
        }
}

// Tiles of every size, within slots and across them. Few summed channels one way make it cheap; the other way has the
// large tile then.
TEST_F(ImplicitGemm, EveryTileEqualsTheOracle) {
  const std::vector<GemmCase> cases = {{"medium, odd channels", {3, 16, 16, 66, 1, 1, 0}},
                                       {"medium", {4, 32, 32, 64, 1, 1, 0}},
                                       {"medium with more warps", {8, 16, 16, 64, 1, 1, 0}},
                                       {"small", {8, 8, 8, 64, 1, 1, 0}},
                                       {"large", {4, 16, 16, 512, 1, 1, 0}},
                                       {"large across slots", {8, 15, 14, 128, 1, 1, 0}},
                                       {"weights: small, odd channels", {7, 16, 16, 36, 3, 1, 1}},
                                       {"weights: medium", {16, 11, 11, 40, 3, 1, 1}},
                                       {"weights: large", {72, 8, 8, 68, 3, 1, 1}},
                                       {"weights: large, a linear layer of many ranks", {1408, 1, 1, 512, 1, 1, 0}}};
  for (const GemmCase& c : cases)
    for (const StepLayout& l : {StepLayout{"tied", 80, 1, {79}}, StepLayout{"uneven", 80, 3, {40, 1, 37}}}) {
      GemmCase back = c;
      std::swap(back.shape.in_channels, back.shape.out_channels);
      expect_exact(ctx(), c, l, Precision::kTf32);
      expect_exact(ctx(), back, l, Precision::kTf32);
      if (HasFatalFailure()) return;
    }
}

// With so many slots that a thread of few channels takes four pixels, in bands of rows, and shares of a rank.
TEST_F(ImplicitGemm, ManySlotsOfFewChannelsEqualTheOracle) {
  for (const GemmCase& c : {GemmCase{"3x3, bands", {3, 32, 32, 32, 3, 1, 1}},
                            GemmCase{"5x5, back and forth", {8, 16, 17, 13, 5, 1, {1, 3}}, false},
                            GemmCase{"3x5, six channels", {5, 30, 11, 6, {3, 5}, 1, 0}}}) {
    const StepLayout l{"uneven", 140, 5, {90, 1, 45}};
    expect_exact(ctx(), c, l, Precision::kFp32);
    if (HasFatalFailure()) return;
  }
}

GemmInputs real_inputs(const GemmCase& c, const StepLayout& l) {
  return {reals(l.max_slots * c.shape.in_size(), 1), reals(l.max_slots * c.shape.out_size(), 2),
          reals(l.replicas * Block(c.shape, 0).stride, 3)};
}

// A factor is rounded within u of itself: 2^-10 * 2/3 (tf32), 2^-8 (bf16), so that a product is within 2 u + u^2 of
// itself. 3xTF32 leaves out the product of both remainders, (2^-10 * 2/3)^2, and cuts remainders of 13 bits off to 11,
// 3 * 2^-23 of each factor: within 1.2 * 2^-20. A sum of n floats, in any order and cut off instead of rounded, is
// within n 2^-23 of the sum of magnitudes.
TEST_F(ImplicitGemm, IsWithinItsPrecisionOfTheOracle) {
  const std::vector<GemmCase> cases = {
      {"3x3", {32, 8, 8, 64, 3, 1, 1}}, {"odd", {3, 11, 9, 6, 5, 2, 2}}, {"linear", {100, 1, 1, 20, 1, 1, 0}}};
  for (const GemmCase& c : cases)
    for (const StepLayout& l : {StepLayout{"tied", 6, 1, {6}}, StepLayout{"uneven", 6, 3, {4, 2}}}) {
      const GemmInputs in = real_inputs(c, l);
      const Block block(c.shape, 0);
      const GemmExpected exact(c, l, in, block), magnitude(c, l, in, block, true);
      for (const Precision precision : kAll) {
        const GemmRun run(ctx(), c, l, ConvMath{precision}, in);
        const double u = precision == Precision::kTf32 ? 0x1p-10 * 2 / 3 : 0x1p-8;
        const double product = precision == Precision::kFp32 ? 1.2 * 0x1p-20 : 2 * u + u * u;
        const auto check = [&](const std::vector<float>& got, const std::vector<double>& want,
                               const std::vector<double>& sum, double n) {
          double worst = 0.0;
          for (std::size_t i = 0; i < got.size(); ++i) {
            const double error = std::abs(got[i] - want[i]);
            EXPECT_LE(error, (product + n * 0x1p-23) * std::abs(sum[i])) << c.name << ", " << name_of(precision);
            worst = std::max(worst, error / std::max(1.0, std::sqrt(n)));
          }
          // Errors have any sign: all of these sums of n products below 1 are within sqrt(n) of one product's error.
          const double one = precision == Precision::kFp32 ? 0x1p-20 : product;
          EXPECT_LE(worst, one) << c.name << ", " << l.name << ", " << name_of(precision);
          // Coarser precisions are indeed coarser: nothing multiplies in float behind their name.
          if (precision != Precision::kFp32) {
            EXPECT_GE(worst, one / 64) << c.name << ", " << name_of(precision);
          }
        };
        check(run.y, exact.y, magnitude.y, static_cast<double>(c.shape.patch()) + 1);
        check(run.dx, exact.dx, magnitude.dx, c.shape.out_channels * c.shape.kernel.area());
        check(run.gradients, exact.gradients, magnitude.gradients, 6.0 * c.shape.out_height() * c.shape.out_width());
      }
    }
}

// Equal weights in all replicas: a row is summed in the same order whatever its rank and its tile.
TEST_F(ImplicitGemm, ReplicasOfOneModelHaveTheTiedLayersBits) {
  for (const GemmCase& c : {GemmCase{"", {12, 6, 6, 40, 3, 1, 1}}, GemmCase{"", {100, 1, 1, 20, 1, 1, 0}}}) {
    const StepLayout tied{"", 20, 1, {20}}, own{"", 20, 20, std::vector<std::int32_t>(20, 1)};
    GemmInputs in = real_inputs(c, tied);
    for (const Precision precision : kAll) {
      GemmInputs copies = in;
      for (int g = 1; g < 20; ++g)
        copies.parameters.insert(copies.parameters.end(), in.parameters.begin(), in.parameters.end());
      const GemmRun one(ctx(), c, tied, ConvMath{precision}, in), many(ctx(), c, own, ConvMath{precision}, copies);
      EXPECT_EQ(one.y, many.y);
      EXPECT_EQ(one.dx, many.dx);
    }
  }
}

// Memory that misses 16-byte boundaries is copied float by float, to the same sums.
TEST_F(ImplicitGemm, AlignmentDoesNotChangeBits) {
  const GemmCase c{"", {12, 6, 6, 40, 3, 2, 1}};
  for (const StepLayout& l : few_layouts()) {
    const GemmInputs in = real_inputs(c, l);
    const Block block(c.shape, 0), shifted(c.shape, 1);
    GemmInputs other{in.x, in.dy, std::vector<float>(l.replicas * shifted.stride, kJunk)};
    for (std::int64_t g = 0; g < l.replicas; ++g)
      std::copy_n(in.parameters.begin() + g * block.stride, c.shape.weights() + c.shape.out_channels,
                  other.parameters.begin() + g * shifted.stride + 1);
    const GemmRun aligned(ctx(), c, l, ConvMath{}, in), odd(ctx(), c, l, ConvMath{}, other, 1);
    EXPECT_EQ(aligned.y, odd.y);
    EXPECT_EQ(aligned.dx, odd.dx);
    for (std::int64_t r = 0; r < l.max_active(); ++r)
      EXPECT_EQ(row(aligned.gradients, r, block.stride)[0], row(odd.gradients, r, shifted.stride)[1]) << l.name;
  }
}

TEST_F(ImplicitGemm, ReluCutsOffNegativeSums) {
  for (const GemmCase& c : {GemmCase{"", {6, 7, 7, 9, 3, 1, 1}}, GemmCase{"", {8, 7, 7, 8, 3, 1, 1, 8}}}) {
    const StepLayout l{"uneven", 6, 5, {1, 3, 1}};
    const GemmInputs in = exact_inputs(c, l, Precision::kFp32, false);
    std::vector<double> expected = GemmExpected(c, l, in, Block(c.shape, 0)).y;
    for (double& v : expected) v = std::max(v, 0.0);
    expect_equal(GemmRun(ctx(), c, l, ConvMath{Precision::kFp32, true}, in).y, expected, "y");
  }
}

TEST_F(ImplicitGemm, RefusesWhatItsIndicesCannotHold) {
  const GemmCase c{"", {64, 1, 40000, 4, 1, 1, 0}};
  const StepLayout l{"", 1, 1, {1}};
  const DeviceMap<CudaContext> map(ctx(), l);
  EXPECT_THROW(implicit_gemm_forward(ctx(), *map, c.shape, ConvMath{}, {}, Parameters{}, {}), InputError);
}

}  // namespace
}  // namespace splitsim::test

#endif  // SPLITSIM_WITH_CUDA
