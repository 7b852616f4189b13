#include "kernels/device/launch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/device/team.hpp"
#include "tests/kernels/device/substrate_probe.hpp"
#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

template <class Context>
class Launch : public OnContext<Context> {};
TYPED_TEST_SUITE(Launch, Contexts);

TYPED_TEST(Launch, EveryIndexOnceUpToTheDevicesCount) {
  for (const std::int64_t outer : {0, 1, 7, 300, 5000}) {
    for (const std::int64_t inner : {1, 13}) {
      for (const std::int32_t count : {-1, 0, 1, 6, 299, 100'000}) {  // -1: no count on the device
        Buffer<std::int32_t, TypeParam> on_device(this->ctx(), std::vector<std::int32_t>{count});
        Buffer<std::int32_t, TypeParam> visits(this->ctx(), std::vector<std::int32_t>(outer * inner + 1, 0));
        Buffer<std::int32_t, TypeParam> blocks(this->ctx(), std::vector<std::int32_t>(outer * inner + 1, 0));
        {
          const Quiet<TypeParam> quiet(this->ctx());
          probe_extent(this->ctx(), Extent{outer, count < 0 ? nullptr : on_device.data(), inner}, visits.view(),
                       blocks.view());
        }
        const std::int64_t reach = (count < 0 ? outer : std::min<std::int64_t>(outer, count)) * inner;
        std::vector<std::int32_t> once(outer * inner + 1, 0);
        std::fill_n(once.begin(), reach, 1);
        EXPECT_EQ(visits.download(), once);
        std::fill_n(once.begin(), reach, kLanes);
        EXPECT_EQ(blocks.download(), once);
      }
    }
  }
}

/// The documented pattern, written independently: strided partial sums, then a tree that halves the lanes.
float fold(const std::vector<float>& values, std::int32_t n) {
  std::vector<float> lane(128, 0.0f);
  for (std::int32_t i = 0; i < n; ++i) lane[i % 128] += values[i];
  while (lane.size() > 1) {
    std::vector<float> next(lane.size() / 2);
    for (std::size_t i = 0; i < next.size(); ++i) next[i] = lane[i] + lane[i + next.size()];
    lane = next;
  }
  return lane[0];
}

TYPED_TEST(Launch, ExactReductionsOfTheWidestTeams) {
  const std::vector<std::int32_t> lengths{0, 1, 31, 32, 33, 1023, 1024, 1025, 5000};
  std::vector<std::int64_t> values(5000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int64_t>((i * 7919) % 5003) - 2500;
  const Buffer<std::int64_t, TypeParam> in(this->ctx(), values);
  const Buffer<std::int32_t, TypeParam> n(this->ctx(), lengths);
  Buffer<std::int64_t, TypeParam> sums(this->ctx(), n.size());
  Buffer<double, TypeParam> least(this->ctx(), n.size());
  probe_exact(this->ctx(), in.view(), n.view(), sums.view(), least.view());
  const auto sum = sums.download();
  const auto low = least.download();
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const auto end = values.begin() + lengths[i];
    EXPECT_EQ(sum[i], std::accumulate(values.begin(), end, std::int64_t{0})) << lengths[i];
    EXPECT_EQ(low[i], lengths[i] == 0 ? HUGE_VAL : static_cast<double>(*std::min_element(values.begin(), end)));
  }
}

TYPED_TEST(Launch, ReduceHasTheBitsOfItsPattern) {
  const std::vector<std::int32_t> lengths{0, 1, 2, 127, 128, 129, 255, 1000, 4096, 99'999};
  const auto values = reals(100'000, 1);
  const Floats<TypeParam> in(this->ctx(), values);
  const Buffer<std::int32_t, TypeParam> n(this->ctx(), lengths);
  Floats<TypeParam> sums(this->ctx(), n.size());
  Buffer<std::int64_t, TypeParam> ones(this->ctx(), n.size());
  probe_reduce(this->ctx(), in.view(), n.view(), sums.view(), ones.view());
  const auto sum = sums.download();
  const auto one = ones.download();
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    EXPECT_EQ(sum[i], fold(values, lengths[i])) << lengths[i];
    EXPECT_EQ(one[i], lengths[i]);
  }
}

TEST(LaunchCpu, ReduceDoesNotDependOnTheNumberOfThreads) {
  const std::vector<std::int32_t> lengths(50, 77'777);
  const auto values = reals(100'000, 2);
  for (const int threads : {1, 2, 7}) {
    CpuContext ctx(threads);
    const Floats<CpuContext> in(ctx, values);
    const Buffer<std::int32_t, CpuContext> n(ctx, lengths);
    Floats<CpuContext> sums(ctx, n.size());
    Buffer<std::int64_t, CpuContext> ones(ctx, n.size());
    probe_reduce(ctx, in.view(), n.view(), sums.view(), ones.view());
    for (const float sum : sums.download()) ASSERT_EQ(sum, fold(values, 77'777)) << threads;
  }
}

}  // namespace
}  // namespace splitsim::test
