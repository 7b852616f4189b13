// What modes do to gradient rows: against loops over clients, places and rows.
#include "kernels/nn/gradient_rows.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

template <class Context>
class GradientRowsTest : public OnContext<Context> {
 protected:
  // Runs of slots by client, as a step has them.
  struct Step {
    explicit Step(Context& ctx, const std::vector<std::int32_t>& sizes)
        : first(sizes.size() + 3), replica(sizes.size() + 2), count(static_cast<std::int32_t>(sizes.size())) {
      for (std::size_t r = 0; r < sizes.size(); ++r) first[r + 1] = first[r] + sizes[r];
      for (std::size_t r = sizes.size(); r < first.size(); ++r) first[r] = first[sizes.size()];
      for (std::size_t r = 0; r < replica.size(); ++r) replica[r] = static_cast<std::int32_t>(2 * r + 1);
      device_first = Buffer<std::int32_t, Context>(ctx, first);
      device_replica = Buffer<std::int32_t, Context>(ctx, replica);
      counts = Buffer<std::int32_t, Context>(ctx, std::vector<std::int32_t>{count, first.back(), 0});
    }
    Segments segments() const {
      return {counts.data(), device_first.data(), nullptr, static_cast<std::int32_t>(first.size()) - 1};
    }
    /// Of one experiment.
    Spans spans() const { return {counts.data() + 2, counts.data() + 1, counts.data() + 2, counts.data(), 1}; }
    Slots slots(std::int32_t max) const { return {counts.data() + 1, max}; }
    ReplicaMap map() const {
      ReplicaMap map;
      map.active = counts.data();
      map.replica = device_replica.data();
      map.max_active = static_cast<std::int32_t>(replica.size());
      map.replicas = 2 * map.max_active + 1;
      return map;
    }
    std::vector<std::int32_t> first, replica;
    std::int32_t count;
    Buffer<std::int32_t, Context> device_first, device_replica, counts;
  };
};
TYPED_TEST_SUITE(GradientRowsTest, Contexts);

TYPED_TEST(GradientRowsTest, PlacesBecomeTheirMeanOverTheClientsThatShareThem) {
  constexpr std::int64_t kFeatures = 37;
  constexpr std::int32_t kMaxSlots = 40;
  for (const std::vector<std::int32_t>& sizes :
       std::vector<std::vector<std::int32_t>>{{8, 8, 8, 8}, {1, 10, 3, 1, 7}, {20}, {}, {2, 2, 2}}) {
    const typename TestFixture::Step step(this->ctx(), sizes);
    // Multiples of 3 x 4 x 5: sums and means of up to five rows are exact.
    std::vector<float> x = integers(kMaxSlots * kFeatures, 9, 4);
    for (float& v : x) v *= 60.0f;
    for (const double share : {0.0, 0.07, 0.25, 0.5, 1.0}) {
      std::vector<float> expected = x;
      for (std::int32_t place = 0; place < kMaxSlots; ++place) {
        std::vector<std::int32_t> rows;
        for (std::size_t r = 0; r < sizes.size(); ++r) {
          const auto mixed = static_cast<std::int32_t>(std::ceil(share * sizes[r] - 1e-6));
          if (place < mixed) rows.push_back(step.first[r] + place);
        }
        for (std::int64_t f = 0; f < kFeatures && !rows.empty(); ++f) {
          float sum = 0.0f;
          for (const std::int32_t row : rows) sum += x[row * kFeatures + f];
          for (const std::int32_t row : rows) expected[row * kFeatures + f] = sum / static_cast<float>(rows.size());
        }
      }
      Floats<TypeParam> device(this->ctx(), x);
      mix_places(this->ctx(), step.segments(), step.spans(), step.slots(kMaxSlots), share, kFeatures, device.view());
      EXPECT_EQ(device.download(), expected) << "share " << share << ", " << sizes.size() << " clients";
    }
  }
}

// 0.07 of 100 places are 7, though 0.07 x 100 is more than 7 in binary.
TYPED_TEST(GradientRowsTest, SharesAreMeantAsWritten) {
  const typename TestFixture::Step step(this->ctx(), {100, 100});
  std::vector<float> x(200, 2.0f);
  std::fill_n(x.begin(), 100, 0.0f);
  Floats<TypeParam> device(this->ctx(), x);
  mix_places(this->ctx(), step.segments(), step.spans(), step.slots(200), 0.07, 1, device.view());
  const std::vector<float> mixed = device.download();
  EXPECT_EQ(std::count(mixed.begin(), mixed.end(), 1.0f), 14);
}

TYPED_TEST(GradientRowsTest, PullsEachRowFromItsReplicaToTheStart) {
  constexpr std::int64_t kSize = 301, kStride = 352;
  const typename TestFixture::Step step(this->ctx(), {3, 1, 2});  // replicas 1, 3, 5
  const std::vector<float> rows = integers(5 * kSize, 5, 1), theta = integers(12 * kStride, 7, 2);
  const std::vector<float> start = integers(kStride, 7, 3);
  Floats<TypeParam> gradients(this->ctx(), rows);
  const Floats<TypeParam> parameters(this->ctx(), theta), begin(this->ctx(), start);
  pull_to_start(this->ctx(), {step.map(), step.spans(), kSize, gradients.view()}, 0.5f,
                View<const float>(parameters.view()), kStride, View<const float>(begin.view()));
  const std::vector<float> pulled = gradients.download();
  for (std::int64_t r = 0; r < 5; ++r) {
    for (std::int64_t p = 0; p < kSize; ++p) {
      const float by = r < 3 ? 0.5f * (theta[(2 * r + 1) * kStride + p] - start[p]) : 0.0f;
      ASSERT_EQ(pulled[r * kSize + p], rows[r * kSize + p] + by) << r << " " << p;
    }
  }
}

TYPED_TEST(GradientRowsTest, TurnsRowsToTheMeanOfThoseThatAgree) {
  constexpr std::int64_t kSize = 401;
  const typename TestFixture::Step step(this->ctx(), {1, 1, 1, 1});
  std::vector<float> rows = integers(6 * kSize, 6, 11);
  for (std::int64_t p = 0; p < kSize; ++p) {  // three about alike, one against them
    for (const std::int64_t r : {0, 1, 2}) rows[r * kSize + p] += static_cast<float>(p % 7);
    rows[3 * kSize + p] = -rows[p];
  }
  const auto row = [&](std::int64_t r) {
    return std::vector<double>(rows.begin() + r * kSize, rows.begin() + (r + 1) * kSize);
  };
  const auto dot = [](const std::vector<double>& a, const std::vector<double>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  };
  std::vector<double> mean(kSize), leader(kSize);
  for (std::int64_t r = 0; r < 4; ++r) {
    for (std::int64_t p = 0; p < kSize; ++p) mean[p] += row(r)[p] / 4;
  }
  double chosen = 0.0;
  for (std::int64_t r = 0; r < 4; ++r) {
    if (dot(row(r), mean) <= 0.0) continue;
    chosen += 1.0;
    for (std::int64_t p = 0; p < kSize; ++p) leader[p] += row(r)[p];
  }
  ASSERT_EQ(chosen, 3.0);
  for (double& v : leader) v /= chosen;
  Floats<TypeParam> gradients(this->ctx(), rows), scratch(this->ctx(), std::vector<float>(kSize));
  Buffer<double, TypeParam> workspace(this->ctx(), align_workspace(step.map().max_active));
  align_rows(this->ctx(), {step.map(), step.spans(), kSize, gradients.view()}, 0.75f, scratch.view(), workspace.view());
  const std::vector<float> turned = gradients.download();
  for (std::int64_t r = 0; r < 4; ++r) {
    const double ratio = std::sqrt(dot(row(r), row(r)) / dot(leader, leader));
    for (std::int64_t p = 0; p < kSize; ++p) {
      const double g = row(r)[p];
      // A dozen roundings of numbers below 32.
      ASSERT_NEAR(turned[r * kSize + p], g + 0.75 * (ratio * leader[p] - g), 12 * 0x1p-24 * 32) << r << " " << p;
    }
  }
  for (std::int64_t p = 4 * kSize; p < 6 * kSize; ++p) ASSERT_EQ(turned[p], rows[p]);  // no ranks of this step
}

TYPED_TEST(GradientRowsTest, OneRowStaysAsItIs) {
  constexpr std::int64_t kSize = 77;
  const typename TestFixture::Step step(this->ctx(), {4});
  const std::vector<float> rows = integers(3 * kSize, 6, 12);
  Floats<TypeParam> gradients(this->ctx(), rows), leader(this->ctx(), std::vector<float>(kSize));
  Buffer<double, TypeParam> workspace(this->ctx(), align_workspace(step.map().max_active));
  align_rows(this->ctx(), {step.map(), step.spans(), kSize, gradients.view()}, 0.3f, leader.view(), workspace.view());
  EXPECT_EQ(gradients.download(), rows);
}

}  // namespace
}  // namespace splitsim::test
