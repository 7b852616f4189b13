#include "kernels/nn/layers/pool.hpp"

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

template <class Context>
class Pool : public OnContext<Context> {};
TYPED_TEST_SUITE(Pool, Contexts);

TYPED_TEST(Pool, MaxEqualsTheOracleWithTies) {
  auto& ctx = this->ctx();
  for (const PoolStep& step : pool_steps()) {
    SCOPED_TRACE(step.name);
    const PoolShape& s = step.shape;
    const auto values = junk_after(integers(step.max_slots * s.in_size(), 2, 1), step.slots, s.in_size());  // many ties
    const auto gradients = junk_after(integers(step.max_slots * s.out_size(), 9, 2), step.slots, s.out_size());
    Buffer<std::int32_t, TypeParam> slots(ctx, std::vector<std::int32_t>{step.slots});
    Floats<TypeParam> x(ctx, values), dy(ctx, gradients), y(ctx, step.max_slots * s.out_size());
    Floats<TypeParam> dx(ctx, std::vector<float>(values.size(), kJunk));
    Buffer<std::uint8_t, TypeParam> argmax(ctx, step.max_slots * s.out_size());
    {
      const Quiet<TypeParam> quiet(ctx);
      max_pool_forward(ctx, Slots{slots.data(), step.max_slots}, s, x.view(), y.view(), argmax.view());
      max_pool_backward(ctx, Slots{slots.data(), step.max_slots}, s, dy.view(), argmax.view(), dx.view());
    }
    const auto y_out = y.download(), dx_out = dx.download();
    const auto argmax_out = argmax.download();
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

TYPED_TEST(Pool, AverageEqualsTheOracle) {
  auto& ctx = this->ctx();
  for (const PoolStep& step : pool_steps()) {
    SCOPED_TRACE(step.name);
    const PoolShape& s = step.shape;
    if (!(s.padding == 0)) continue;  // max pooling only
    // Multiples of 225 window areas keep quotients exact for windows 1, 3, 15; 2 and 4 divide exactly anyway.
    auto values = integers(step.max_slots * s.in_size(), 2, 1),
         gradients = integers(step.max_slots * s.out_size(), 9, 2);
    for (float& v : values) v *= 225.0f;
    for (float& v : gradients) v *= 225.0f;
    values = junk_after(values, step.slots, s.in_size());
    gradients = junk_after(gradients, step.slots, s.out_size());
    Buffer<std::int32_t, TypeParam> slots(ctx, std::vector<std::int32_t>{step.slots});
    Floats<TypeParam> x(ctx, values), dy(ctx, gradients), y(ctx, step.max_slots * s.out_size());
    Floats<TypeParam> dx(ctx, std::vector<float>(values.size(), kJunk));
    {
      const Quiet<TypeParam> quiet(ctx);
      avg_pool_forward(ctx, Slots{slots.data(), step.max_slots}, s, x.view(), y.view());
      avg_pool_backward(ctx, Slots{slots.data(), step.max_slots}, s, dy.view(), dx.view());
    }
    const auto y_out = y.download(), dx_out = dx.download();
    for (std::int32_t slot = 0; slot < step.slots; ++slot) {
      ASSERT_EQ(row(y_out, slot, s.out_size()), reference::avg_pool(window_of(s), row(values, slot, s.in_size())));
      ASSERT_EQ(row(dx_out, slot, s.in_size()),
                reference::avg_pool_backward(window_of(s), row(gradients, slot, s.out_size())));
    }
  }
}

// Sums of small integers over a power of two pixels: exact. The adjoint of a mean spreads evenly.
TYPED_TEST(Pool, GlobalAverageEqualsTheOracle) {
  auto& ctx = this->ctx();
  constexpr std::int32_t kMax = 5, kSlots = 4, kChannels = 6;
  for (const std::int64_t pixels : {1, 16, 64, 1024}) {
    const auto values = junk_after(integers(kMax * kChannels * pixels, 9, 1), kSlots, kChannels * pixels);
    const auto gradients = junk_after(integers(kMax * kChannels, 9, 2), kSlots, kChannels);
    const Buffer<std::int32_t, TypeParam> slots(ctx, std::vector<std::int32_t>{kSlots});
    const Floats<TypeParam> x(ctx, values), dy(ctx, gradients);
    Floats<TypeParam> y(ctx, kMax * kChannels), dx(ctx, std::vector<float>(values.size(), kJunk));
    {
      const Quiet<TypeParam> quiet(ctx);
      global_avg_pool_forward(ctx, Slots{slots.data(), kMax}, kChannels, pixels, x.view(), y.view());
      global_avg_pool_backward(ctx, Slots{slots.data(), kMax}, kChannels, pixels, dy.view(), dx.view());
    }
    const auto y_out = y.download(), dx_out = dx.download();
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
  auto& ctx = this->ctx();
  for (int at = 0; at < 4; ++at) {
    std::vector<float> values{1.0f, 2.0f, 3.0f, 4.0f};
    values[at] = kJunk;
    const Buffer<std::int32_t, TypeParam> slots(ctx, std::vector<std::int32_t>{1});
    const Floats<TypeParam> x(ctx, values);
    Floats<TypeParam> y(ctx, 1);
    Buffer<std::uint8_t, TypeParam> argmax(ctx, 1);
    max_pool_forward(ctx, Slots{slots.data(), 1}, PoolShape{1, 2, 2, 2, 2}, x.view(), y.view(), argmax.view());
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
    max_pool_backward(ctx, Slots{slots.data(), 40}, s, dy.view(), argmax.view(), dx.view());
    results.push_back(dx.download());
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

}  // namespace
}  // namespace splitsim::test
