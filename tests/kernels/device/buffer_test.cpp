#include "kernels/device/buffer.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "tests/contexts.hpp"
#include "tests/paths.hpp"

namespace splitsim::test {
namespace {

template <class Context>
class Memory : public OnContext<Context> {};
TYPED_TEST_SUITE(Memory, Contexts);

TYPED_TEST(Memory, WhatGoesUpComesDown) {
  const std::vector<std::int32_t> values{3, 1, 4, 1, 5};
  Buffer<std::int32_t, TypeParam> buffer(this->ctx(), values);
  EXPECT_EQ(buffer.download(), values);
  EXPECT_EQ(buffer.download(2), (std::vector<std::int32_t>{3, 1}));
  buffer.upload({9, 2});
  EXPECT_EQ(buffer.download(), (std::vector<std::int32_t>{9, 2, 4, 1, 5}));
  Buffer<std::int32_t, TypeParam> other(this->ctx(), 5);
  this->ctx().copy(other.data(), buffer.data(), buffer.bytes());
  EXPECT_EQ(other.download(), buffer.download());
  other.fill_zero();
  EXPECT_EQ(other.download(), std::vector<std::int32_t>(5, 0));
}

TYPED_TEST(Memory, MovesHandOverAndNothingCopies) {
  using Ints = Buffer<std::int32_t, TypeParam>;
  static_assert(!std::is_copy_constructible_v<Ints> && !std::is_copy_assignable_v<Ints>);
  Ints a(this->ctx(), std::vector<std::int32_t>{1, 2, 3});
  const std::int32_t* data = a.data();
  Ints b(std::move(a));
  EXPECT_EQ(b.data(), data);
  Ints c(this->ctx(), 7);
  c = std::move(b);
  EXPECT_EQ(c.data(), data);
  EXPECT_EQ(c.size(), 3);
}

TYPED_TEST(Memory, CountersTellAllocationsReadsAndBytes) {
  auto& ctx = this->ctx();
  const ContextCounters before = ctx.counters();
  {
    Buffer<double, TypeParam> buffer(ctx, 1000);
    EXPECT_EQ(ctx.counters().allocations, before.allocations + 1);
    EXPECT_EQ(ctx.counters().bytes_in_use, before.bytes_in_use + 8000);
    EXPECT_GE(ctx.counters().bytes_peak, before.bytes_in_use + 8000);
    buffer.fill_zero();
    EXPECT_EQ(ctx.counters().host_reads, before.host_reads);
    buffer.download();
    EXPECT_EQ(ctx.counters().host_reads, before.host_reads + 1);
    ctx.synchronize();
    EXPECT_GE(ctx.counters().synchronizations, before.synchronizations + 1);
  }
  EXPECT_EQ(ctx.counters().bytes_in_use, before.bytes_in_use);
  Buffer<double, TypeParam> empty(ctx, 0);  // allocates nothing
  EXPECT_EQ(ctx.counters().allocations, before.allocations + 1);
  EXPECT_EQ(empty.data(), nullptr);
}

TYPED_TEST(Memory, TooMuchIsAnError) {
  if (test::kSanitized && !TypeParam::kIsDevice) GTEST_SKIP() << "a sanitizer stops at such a request";
  using Bytes = Buffer<unsigned char, TypeParam>;
  EXPECT_THROW(Bytes(this->ctx(), std::int64_t{1} << 62), OutOfMemory);
}

TYPED_TEST(Memory, TheArenasPlanIsWhatItHandsOut) {
  auto& ctx = this->ctx();
  const auto layout = [](Arena<TypeParam>& arena) {
    return std::pair{arena.template take<float>(100, "weights"), arena.template take<std::int32_t>(1, "counts")};
  };
  Arena<TypeParam> measuring;
  const auto nothing = layout(measuring);
  EXPECT_EQ(nothing.first.data(), nullptr);
  EXPECT_EQ(nothing.first.size(), 100);
  const auto again = measuring.template take<float>(1, "weights");
  EXPECT_EQ(again.data(), nullptr);
  ASSERT_EQ(measuring.plan().size(), 2u);
  EXPECT_EQ(measuring.plan()[0].bytes, 512u + 256u);  // both pieces named "weights"
  EXPECT_EQ(measuring.plan()[1].bytes, 256u);
  EXPECT_EQ(measuring.used_bytes(), 1024u);

  Arena<TypeParam> arena(ctx, measuring.used_bytes());
  const std::uint64_t allocations = ctx.counters().allocations;
  const auto views = layout(arena);
  EXPECT_EQ(ctx.counters().allocations, allocations);
  EXPECT_EQ(
      reinterpret_cast<unsigned char*>(views.second.data()) - reinterpret_cast<unsigned char*>(views.first.data()),
      512);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(views.first.data()) % 64, 0u);
  const std::vector<float> values(100, 1.0f);
  std::vector<float> back(100);
  ctx.upload(views.first.data(), values.data(), 400);
  ctx.download(back.data(), views.first.data(), 400);
  EXPECT_EQ(back, values);
}

// Through pinned memory in parts of 4 MiB: the host's copy may change at once, on any device.
TYPED_TEST(Memory, SourcesOfUploadsMayChangeAtOnce) {
  auto& ctx = this->ctx();
  constexpr std::int32_t kLarge = 3 << 20, kSmall = 5;
  Buffer<std::int32_t, TypeParam> large(ctx, kLarge), small(ctx, kSmall * 100);
  std::vector<std::int32_t> host(kLarge), part(kSmall);
  for (std::int32_t i = 0; i < kLarge; ++i) host[static_cast<std::size_t>(i)] = i;
  for (std::int32_t round = 0; round < 100; ++round) {
    for (std::int32_t i = 0; i < kSmall; ++i) part[static_cast<std::size_t>(i)] = round * kSmall + i;
    ctx.upload(small.data() + round * kSmall, part.data(), part.size() * sizeof(std::int32_t));
    part.assign(kSmall, -1);
    if (round == 50) {
      large.upload(host);
      host.assign(host.size(), -1);
    }
  }
  std::int64_t wrong = 0, at = 0;
  for (const std::int32_t value : large.download()) wrong += value != at++;
  at = 0;
  for (const std::int32_t value : small.download()) wrong += value != at++;
  EXPECT_EQ(wrong, 0);
}

// Work that fails while it is captured leaves a context that goes on.
TYPED_TEST(Memory, ACaptureThatFailsIsDropped) {
  if constexpr (TypeParam::kIsDevice) {
    auto& ctx = this->ctx();
    Buffer<std::int32_t, TypeParam> from(ctx, std::vector<std::int32_t>{1, 2, 3}), to(ctx, 3);
    to.fill_zero();
    const auto copy = [&] { ctx.copy(to.data(), from.data(), to.bytes()); };
    EXPECT_THROW(ctx.capture([&] {
      copy();
      throw InputError("planted");
    }),
                 InputError);
    EXPECT_EQ(to.download(), (std::vector<std::int32_t>{0, 0, 0}));
    const auto graph = ctx.capture(copy);
    EXPECT_EQ(to.download(), (std::vector<std::int32_t>{0, 0, 0}));
    ctx.launch(graph);
    EXPECT_EQ(to.download(), (std::vector<std::int32_t>{1, 2, 3}));
  } else {
    GTEST_SKIP() << "nothing is captured on the CPU";
  }
}

TYPED_TEST(Memory, AContextWaitsForAnother) {
  if constexpr (TypeParam::kIsDevice) {
    auto& ctx = this->ctx();
    TypeParam other(false);
    Buffer<std::int32_t, TypeParam> a(ctx, std::vector<std::int32_t>{1, 2, 3}), b(ctx, 3), c(ctx, 3);
    ctx.synchronize();  // what one context allocates is another's once it is there
    ctx.copy(b.data(), a.data(), a.bytes());
    other.wait_for(ctx);
    other.copy(c.data(), b.data(), b.bytes());
    std::vector<std::int32_t> values(3);
    other.download(values.data(), c.data(), c.bytes());
    EXPECT_EQ(values, (std::vector<std::int32_t>{1, 2, 3}));
  } else {
    GTEST_SKIP() << "one context on the CPU";
  }
}

TYPED_TEST(Memory, SharedMemoryIsReadableByTheHost) {
  auto& ctx = this->ctx();
  auto* ring = static_cast<std::int32_t*>(ctx.allocate_shared(64));
  const Buffer<std::int32_t, TypeParam> source(ctx, std::vector<std::int32_t>{42});
  ctx.copy(ring, source.data(), 4);
  ctx.synchronize();
  EXPECT_EQ(ring[0], 42);
  ctx.deallocate_shared(ring, 64);
}

TEST(Backends, AMissingOneSaysSo) {
  std::string why_not;
  if (cuda_available(&why_not)) GTEST_SKIP() << "there is a GPU";
  EXPECT_FALSE(why_not.empty());
  EXPECT_EQ(why_not.find('\n'), std::string::npos);
  try {
    CudaContext ctx;
    FAIL() << "a CudaContext without a GPU";
  } catch (const NoDevice& error) {
    EXPECT_EQ(error.exit_code(), 3);
  }
}

TEST(Backends, CpuContextTakesThreads) {
  EXPECT_GE(CpuContext().threads(), 1);
  EXPECT_GT(CpuContext().memory_bytes(), 0u);
  EXPECT_FALSE(CpuContext().device_name().empty());
}

}  // namespace
}  // namespace splitsim::test
