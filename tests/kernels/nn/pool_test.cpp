#include "kernels/nn/layers/pool/pool.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

struct PoolStep {
  const char* name;
  PoolShape shape;
  std::int32_t max_slots, slots;
};

std::vector<PoolStep> pool_steps() {
  return {{"lenet pool1", {6, 28, 28, 2, 2}, 20, 17},
          {"odd sizes", {5, 7, 9, 2, 2}, 3, 3},
          {"overlapping", {3, 9, 11, 3, 2}, 4, 3},
          {"gaps", {2, 10, 8, 2, 3}, 3, 2},
          {"whole plane", {7, 4, 4, 4, 4}, 5, 5},
          {"one by one", {2, 3, 5, 1, 1}, 2, 1},
          {"large window", {1, 33, 31, 15, 5}, 2, 2},
          {"many planes", {64, 6, 6, 2, 2}, 9, 8},
          {"padded, as ImageNet's stem", {3, 16, 16, 3, 2, 1}, 4, 3},
          {"padded, odd sizes", {2, 7, 9, 5, 3, 2}, 3, 3},
          {"padded 2x2", {4, 6, 6, 2, 2, 1}, 2, 2},
          {"along rows", {2, 3, 24, {1, 4}, {1, 2}}, 3, 2},
          {"3x5", {3, 9, 16, {3, 5}, {2, 4}}, 2, 2},
          {"padded columns", {2, 6, 9, {1, 3}, {2, 1}, {0, 1}}, 3, 3},
          {"2x1", {2, 6, 8, {2, 1}, {2, 1}}, 2, 2},
          {"no slots", {2, 4, 4, 2, 2}, 3, 0}};
}

reference::Window window_of(const PoolShape& s) {
  const auto two = [](const Size2& size) { return reference::Two(size.height, size.width); };
  return {s.channels, s.in_height, s.in_width, s.channels, two(s.window), two(s.stride), two(s.padding)};
}

std::int64_t in_pixels(const PoolShape& s) { return std::int64_t{s.in_height} * s.in_width; }
std::int64_t out_pixels(const PoolShape& s) { return std::int64_t{s.out_height()} * s.out_width(); }

template <class B>
class Pool : public OnBackend<B> {
 protected:
  static PoolShape laid(PoolShape shape) {
    shape.layout = B::kLayout;
    return shape;
  }
  template <class T>
  static std::vector<T> to(const std::vector<T>& values, std::int64_t channels, std::int64_t pixels) {
    return placed(B::kLayout, values, channels, pixels);
  }
  template <class T>
  static std::vector<T> from(const std::vector<T>& values, std::int64_t channels, std::int64_t pixels) {
    return in_order(B::kLayout, values, channels, pixels);
  }
};
TYPED_TEST_SUITE(Pool, Backends);

TYPED_TEST(Pool, MaxEqualsTheOracleWithTies) {
  using TypeContext = typename TypeParam::Context;
  auto& ctx = this->ctx();
  for (const PoolStep& step : pool_steps()) {
    SCOPED_TRACE(step.name);
    const PoolShape s = this->laid(step.shape);
    const auto values = junk_after(integers(step.max_slots * s.in_size(), 2, 1), step.slots, s.in_size());  // many ties
    const auto gradients = junk_after(integers(step.max_slots * s.out_size(), 9, 2), step.slots, s.out_size());
    Buffer<std::int32_t, TypeContext> slots(ctx, std::vector<std::int32_t>{step.slots});
    Floats<TypeContext> x(ctx, this->to(values, s.channels, in_pixels(s))),
        dy(ctx, this->to(gradients, s.channels, out_pixels(s))), y(ctx, step.max_slots * s.out_size());
    Floats<TypeContext> dx(ctx, std::vector<float>(values.size(), kJunk));
    Buffer<std::uint8_t, TypeContext> argmax(ctx, step.max_slots * s.out_size());
    {
      const Quiet<TypeContext> quiet(ctx);
      max_pool_forward(ctx, Slots{slots.data(), step.max_slots}, s, x.view(), y.view(), argmax.view());
      max_pool_backward(ctx, Slots{slots.data(), step.max_slots}, s, {x.view(), dy.view(), dx.view()}, argmax.view());
    }
    const auto y_out = this->from(y.download(), s.channels, out_pixels(s));
    const auto dx_out = this->from(dx.download(), s.channels, in_pixels(s));
    const auto argmax_out = this->from(argmax.download(), s.channels, out_pixels(s));
    for (std::int32_t slot = 0; slot < step.slots; ++slot) {
      const auto expected = reference::max_pool(window_of(s), row(values, slot, s.in_size()));
      ASSERT_EQ(row(y_out, slot, s.out_size()), expected.y);
      reference::Tensor expected_dx(s.in_size());
      for (std::size_t i = 0; i < expected.source.size(); ++i) {
        ASSERT_EQ(argmax_out[slot * s.out_size() + i], expected.argmax[i]);
        expected_dx[expected.source[i]] += gradients[slot * s.out_size() + i];
      }
      ASSERT_EQ(row(dx_out, slot, s.in_size()), expected_dx);
    }
  }
}

TYPED_TEST(Pool, MaxAfterAReluGivesItsGradientToo) {
  if (TypeParam::kLayout == Layout::kChannelsFirst) GTEST_SKIP() << "channels last only";
  using TypeContext = typename TypeParam::Context;
  auto& ctx = this->ctx();
  const PoolShape s = this->laid({5, 7, 9, 3, 2, 1});
  const auto values = integers(3 * s.in_size(), 2, 1);
  const Buffer<std::int32_t, TypeContext> slots(ctx, std::vector<std::int32_t>{3});
  const Floats<TypeContext> x(ctx, values), dy(ctx, integers(3 * s.out_size(), 9, 2));
  Floats<TypeContext> y(ctx, 3 * s.out_size()), plain(ctx, 3 * s.in_size()), joined(ctx, 3 * s.in_size());
  Buffer<std::uint8_t, TypeContext> argmax(ctx, 3 * s.out_size());
  const Slots all{slots.data(), 3};
  max_pool_forward(ctx, all, s, x.view(), y.view(), argmax.view());
  max_pool_backward(ctx, all, s, {x.view(), dy.view(), plain.view()}, argmax.view());
  max_pool_backward(ctx, all, s, {x.view(), dy.view(), joined.view(), true}, argmax.view());
  const auto expected = plain.download(), dx = joined.download();
  for (std::size_t i = 0; i < dx.size(); ++i) ASSERT_EQ(dx[i], values[i] > 0.0f ? expected[i] : 0.0f);
}

TYPED_TEST(Pool, AverageEqualsTheOracle) {
  using TypeContext = typename TypeParam::Context;
  auto& ctx = this->ctx();
  for (const PoolStep& step : pool_steps()) {
    SCOPED_TRACE(step.name);
    const PoolShape s = this->laid(step.shape);
    if (!(s.padding == 0)) continue;  // max pooling only
    // Multiples of 225 window areas keep quotients exact for windows 1, 3, 15; 2 and 4 divide exactly anyway.
    auto values = integers(step.max_slots * s.in_size(), 2, 1),
         gradients = integers(step.max_slots * s.out_size(), 9, 2);
    for (float& v : values) v *= 225.0f;
    for (float& v : gradients) v *= 225.0f;
    values = junk_after(values, step.slots, s.in_size());
    gradients = junk_after(gradients, step.slots, s.out_size());
    Buffer<std::int32_t, TypeContext> slots(ctx, std::vector<std::int32_t>{step.slots});
    Floats<TypeContext> x(ctx, this->to(values, s.channels, in_pixels(s))),
        dy(ctx, this->to(gradients, s.channels, out_pixels(s))), y(ctx, step.max_slots * s.out_size());
    Floats<TypeContext> dx(ctx, std::vector<float>(values.size(), kJunk));
    {
      const Quiet<TypeContext> quiet(ctx);
      avg_pool_forward(ctx, Slots{slots.data(), step.max_slots}, s, x.view(), y.view());
      avg_pool_backward(ctx, Slots{slots.data(), step.max_slots}, s, dy.view(), dx.view());
    }
    const auto y_out = this->from(y.download(), s.channels, out_pixels(s));
    const auto dx_out = this->from(dx.download(), s.channels, in_pixels(s));
    for (std::int32_t slot = 0; slot < step.slots; ++slot) {
      ASSERT_EQ(row(y_out, slot, s.out_size()), reference::avg_pool(window_of(s), row(values, slot, s.in_size())));
      ASSERT_EQ(row(dx_out, slot, s.in_size()),
                reference::avg_pool_backward(window_of(s), row(gradients, slot, s.out_size())));
    }
  }
}

// Sums of small integers over a power of two pixels: exact. The adjoint of a mean spreads evenly.
TYPED_TEST(Pool, GlobalAverageEqualsTheOracle) {
  using TypeContext = typename TypeParam::Context;
  auto& ctx = this->ctx();
  constexpr std::int32_t kMax = 5, kSlots = 4, kChannels = 6;
  for (const std::int32_t pixels : {1, 16, 64, 1024}) {
    const PlaneShape shape{kChannels, pixels, TypeParam::kLayout};
    const auto values = junk_after(integers(kMax * kChannels * pixels, 9, 1), kSlots, kChannels * pixels);
    const auto gradients = junk_after(integers(kMax * kChannels, 9, 2), kSlots, kChannels);
    const Buffer<std::int32_t, TypeContext> slots(ctx, std::vector<std::int32_t>{kSlots});
    const Floats<TypeContext> x(ctx, this->to(values, kChannels, pixels)), dy(ctx, gradients);
    Floats<TypeContext> y(ctx, kMax * kChannels), dx(ctx, std::vector<float>(values.size(), kJunk));
    {
      const Quiet<TypeContext> quiet(ctx);
      global_avg_pool_forward(ctx, Slots{slots.data(), kMax}, shape, x.view(), y.view());
      global_avg_pool_backward(ctx, Slots{slots.data(), kMax}, shape, dy.view(), dx.view());
    }
    const auto y_out = y.download(), dx_out = this->from(dx.download(), kChannels, pixels);
    for (std::int64_t plane = 0; plane < kSlots * kChannels; ++plane) {
      double sum = 0.0;
      for (std::int64_t i = plane * pixels; i < (plane + 1) * pixels; ++i) {
        sum += values[i];
        ASSERT_EQ(dx_out[i], gradients[plane] / static_cast<float>(pixels));
      }
      ASSERT_EQ(y_out[plane], sum / static_cast<double>(pixels));
    }
  }
}

TYPED_TEST(Pool, NanWinsTheMaximum) {
  using TypeContext = typename TypeParam::Context;
  auto& ctx = this->ctx();
  for (int at = 0; at < 4; ++at) {
    std::vector<float> values{1.0f, 2.0f, 3.0f, 4.0f};
    values[at] = kJunk;
    const Buffer<std::int32_t, TypeContext> slots(ctx, std::vector<std::int32_t>{1});
    const Floats<TypeContext> x(ctx, values);
    Floats<TypeContext> y(ctx, 1);
    Buffer<std::uint8_t, TypeContext> argmax(ctx, 1);
    max_pool_forward(ctx, Slots{slots.data(), 1}, this->laid({1, 2, 2, 2, 2}), x.view(), y.view(), argmax.view());
    const float result = y.download()[0];
    EXPECT_TRUE(result != result);
    EXPECT_EQ(argmax.download()[0], at);
  }
}

TEST(PoolCpu, BitsDoNotDependOnTheNumberOfThreads) {
  const PoolShape s{8, 15, 13, 3, 2};
  const auto values = reals(40 * s.in_size(), 1), gradients = reals(40 * s.out_size(), 2);
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 7}) {
    CpuContext ctx(threads);
    const Buffer<std::int32_t, CpuContext> slots(ctx, std::vector<std::int32_t>{40});
    const Floats<CpuContext> x(ctx, values), dy(ctx, gradients);
    Floats<CpuContext> y(ctx, 40 * s.out_size()), dx(ctx, 40 * s.in_size());
    Buffer<std::uint8_t, CpuContext> argmax(ctx, 40 * s.out_size());
    max_pool_forward(ctx, Slots{slots.data(), 40}, s, x.view(), y.view(), argmax.view());
    max_pool_backward(ctx, Slots{slots.data(), 40}, s, {x.view(), dy.view(), dx.view()}, argmax.view());
    results.push_back(dx.download());
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

}  // namespace
}  // namespace splitsim::test
