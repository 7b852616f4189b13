// Layers of sequences that only move numbers or add them: position, concat, global max pool. All of small integers.
#include <gtest/gtest.h>

#include <vector>

#include "kernels/nn/layers/concat.hpp"
#include "kernels/nn/layers/pool/global_max_pool.hpp"
#include "kernels/nn/layers/tokens/position.hpp"
#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

template <class B>
class SequenceLayers : public OnBackend<B> {};
TYPED_TEST_SUITE(SequenceLayers, Backends);

TYPED_TEST(SequenceLayers, PositionIsAddedAndItsGradientSummed) {
  constexpr std::int32_t kFeatures = 70, kBefore = 3, kStride = kFeatures + 5;
  for (const StepLayout& l : step_layouts()) {
    SCOPED_TRACE(l.name);
    const DeviceMap<typename TypeParam::Context> map(this->ctx(), l);
    const auto values = junk_after(integers(l.max_slots * kFeatures, 9, 1), l.slots(), kFeatures);
    const auto given = junk_after(integers(l.max_slots * kFeatures, 9, 2), l.slots(), kFeatures);
    const auto weights = integers(l.replicas * kStride, 9, 3);
    Floats<typename TypeParam::Context> x(this->ctx(), values), dy(this->ctx(), given), p(this->ctx(), weights);
    Floats<typename TypeParam::Context> dp(this->ctx(), std::vector<float>(l.max_active() * kStride, -7.0f));
    {
      const Quiet<typename TypeParam::Context> quiet(this->ctx());
      position_forward(this->ctx(), *map, kFeatures, x.view(), {p.data() + kBefore, kStride}, x.view());
      position_backward(this->ctx(), *map, kFeatures, dy.view(), {dp.data() + kBefore, kStride});
    }
    std::vector<float> gradient(l.max_active() * kStride, -7.0f);
    for (std::int32_t r = 0; r < l.active(); ++r)
      std::fill_n(gradient.begin() + r * kStride + kBefore, kFeatures, 0.0f);
    const auto y = x.download();
    for (std::int32_t slot = 0; slot < l.slots(); ++slot) {
      const std::int32_t rank = l.rank(slot);
      for (std::int32_t i = 0; i < kFeatures; ++i) {
        ASSERT_EQ(y[slot * kFeatures + i],
                  values[slot * kFeatures + i] + weights[l.replica(rank) * kStride + kBefore + i]);
        gradient[rank * kStride + kBefore + i] += given[slot * kFeatures + i];
      }
    }
    EXPECT_EQ(dp.download(), gradient);
  }
}

TYPED_TEST(SequenceLayers, ConcatJoinsChannelsAndPartsTheirGradient) {
  const StepLayout l{"", 9, 1, {6}};
  const DeviceMap<typename TypeParam::Context> map(this->ctx(), l);
  for (const ConcatShape shape : {ConcatShape{3, 5, 7, TestFixture::kLayout},
                                  {4, 1, 1, TestFixture::kLayout},
                                  {1, 40, 3, TestFixture::kLayout}}) {
    const std::int32_t n = shape.pixels, first = shape.first * n, second = shape.second * n, both = first + second;
    const auto left = integers(l.max_slots * first, 99, 1), right = integers(l.max_slots * second, 99, 2);
    const auto given = integers(l.max_slots * both, 99, 3);
    Floats<typename TypeParam::Context> a(this->ctx(), placed(shape.layout, left, shape.first, n));
    Floats<typename TypeParam::Context> b(this->ctx(), placed(shape.layout, right, shape.second, n));
    Floats<typename TypeParam::Context> dy(this->ctx(), placed(shape.layout, given, shape.first + shape.second, n));
    Floats<typename TypeParam::Context> y(this->ctx(), dy.size()), da(this->ctx(), a.size()), db(this->ctx(), b.size());
    {
      const Quiet<typename TypeParam::Context> quiet(this->ctx());
      concat_forward(this->ctx(), (*map).valid(), shape, a.view(), b.view(), y.view());
      concat_backward(this->ctx(), (*map).valid(), shape, false, dy.view(), da.view());
      concat_backward(this->ctx(), (*map).valid(), shape, true, dy.view(), db.view());
    }
    const auto joined = in_order(shape.layout, y.download(), shape.first + shape.second, n);
    const auto of_a = in_order(shape.layout, da.download(), shape.first, n);
    const auto of_b = in_order(shape.layout, db.download(), shape.second, n);
    for (std::int32_t slot = 0; slot < l.slots(); ++slot) {
      for (std::int32_t i = 0; i < both; ++i) {
        const bool is_second = i >= first;
        ASSERT_EQ(joined[slot * both + i], is_second ? right[slot * second + i - first] : left[slot * first + i]);
        ASSERT_EQ(is_second ? of_b[slot * second + i - first] : of_a[slot * first + i], given[slot * both + i]);
      }
    }
  }
}

TYPED_TEST(SequenceLayers, GlobalMaxPoolTakesTheFirstOfTheGreatest) {
  const StepLayout l{"", 9, 1, {7}};
  const DeviceMap<typename TypeParam::Context> map(this->ctx(), l);
  for (const PlaneShape shape :
       {PlaneShape{5, 13, TestFixture::kLayout}, {70, 2, TestFixture::kLayout}, {3, 1, TestFixture::kLayout}}) {
    auto values = integers(l.max_slots * shape.size(), 3, 1);  // many ties
    if (shape.pixels > 1) values[1] = kJunk;
    const auto given = integers(l.max_slots * shape.channels, 99, 2);
    Floats<typename TypeParam::Context> x(this->ctx(), placed(shape.layout, values, shape.channels, shape.pixels)),
        dy(this->ctx(), given);
    Floats<typename TypeParam::Context> y(this->ctx(), given.size()), where(this->ctx(), given.size()),
        dx(this->ctx(), values.size());
    {
      const Quiet<typename TypeParam::Context> quiet(this->ctx());
      global_max_pool_forward(this->ctx(), (*map).valid(), shape, x.view(), y.view(), where.view());
      global_max_pool_backward(this->ctx(), (*map).valid(), shape, dy.view(), where.view(), dx.view());
    }
    const auto best = y.download(), at = where.download();
    const auto gradient = in_order(shape.layout, dx.download(), shape.channels, shape.pixels);
    for (std::int32_t plane = 0; plane < l.slots() * shape.channels; ++plane) {
      const float* in = values.data() + plane * shape.pixels;
      std::int32_t expected = 0;
      for (std::int32_t p = 1; p < shape.pixels; ++p) {
        if (in[p] > in[expected] || in[p] != in[p]) expected = p;
      }
      ASSERT_EQ(at[plane], static_cast<float>(expected));
      ASSERT_TRUE(best[plane] == in[expected] || in[expected] != in[expected]);
      for (std::int32_t p = 0; p < shape.pixels; ++p) {
        ASSERT_EQ(gradient[plane * shape.pixels + p], p == expected ? given[plane] : 0.0f);
      }
    }
  }
}

}  // namespace
}  // namespace splitsim::test
