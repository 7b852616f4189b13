#include "kernels/nn/layers/tokens/embedding.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

constexpr std::int64_t kBefore = 3, kAfter = 2;  // other parameters of a replica's block

struct Table {
  std::int32_t vocabulary, dimensions, length;
  std::int64_t size() const { return std::int64_t{vocabulary} * dimensions; }
  std::int64_t stride() const { return kBefore + size() + kAfter; }
  std::int64_t out() const { return std::int64_t{dimensions} * length; }
};

struct EmbeddingRun {
  std::vector<float> y, gradients;
};

template <class Context>
EmbeddingRun run_embedding(Context& ctx, Layout layout, const Table& t, const StepLayout& l,
                           const std::vector<float>& ids, const std::vector<float>& parameters,
                           const std::vector<float>& out_gradients) {
  const DeviceMap<Context> map(ctx, l);
  const EmbeddingShape shape{t.vocabulary, t.dimensions, t.length, layout};
  Floats<Context> x(ctx, ids), p(ctx, parameters), y(ctx, static_cast<std::size_t>(l.max_slots * t.out()));
  Floats<Context> dy(ctx, placed(layout, out_gradients, t.dimensions, t.length));
  Floats<Context> dp(ctx, std::vector<float>(static_cast<std::size_t>(l.max_active() * t.stride()), -7.0f));
  {
    const Quiet<Context> quiet(ctx);
    embedding_forward(ctx, *map, shape, x.view(), {p.data() + kBefore, t.stride()}, y.view());
    embedding_backward(ctx, *map, shape, x.view(), dy.view(), {dp.data() + kBefore, t.stride()});
  }
  return {in_order(layout, y.download(), t.dimensions, t.length), dp.download()};
}

std::vector<float> some_ids(std::size_t n, std::int32_t vocabulary, std::uint32_t seed) {
  std::vector<float> ids = integers(n, 1 << 20, seed);
  for (float& id : ids) id = static_cast<float>(static_cast<std::int32_t>(std::abs(id)) % vocabulary);
  return ids;
}

template <class B>
class Embedding : public OnBackend<B> {};
TYPED_TEST_SUITE(Embedding, Backends);

// Values are small integers: every result is exact, whatever the order. Vocabularies below and above the number of parts
// that a GPU or a CPU cuts one into, and none that they divide.
TYPED_TEST(Embedding, IsRowsAndTheirGradientsSums) {
  for (const Table& t : {Table{5, 3, 4}, {37, 8, 6}, {301, 5, 7}, {40, 131, 3}}) {
    for (const StepLayout& l : step_layouts()) {
      SCOPED_TRACE(l.name + ", " + std::to_string(t.vocabulary));
      const auto ids = junk_after(some_ids(l.max_slots * t.length, t.vocabulary, 1), l.slots(), t.length);
      const auto p = integers(l.replicas * t.stride(), 50, 2);
      const auto dy = junk_after(integers(l.max_slots * t.out(), 50, 3), l.slots(), t.out());
      const EmbeddingRun run = run_embedding(this->ctx(), TestFixture::kLayout, t, l, ids, p, dy);
      std::vector<float> expected(l.max_active() * t.stride(), -7.0f);
      for (std::int32_t r = 0; r < l.active(); ++r) {
        std::fill_n(expected.begin() + r * t.stride() + kBefore, t.size(), 0.0f);
      }
      for (std::int32_t slot = 0; slot < l.slots(); ++slot) {
        const std::int32_t rank = l.rank(slot);
        for (std::int32_t c = 0; c < t.dimensions; ++c) {
          for (std::int32_t i = 0; i < t.length; ++i) {
            const auto at = static_cast<std::int64_t>(ids[slot * t.length + i]) * t.dimensions + c;
            const std::int64_t out = slot * t.out() + c * t.length + i;
            ASSERT_EQ(run.y[out], p[l.replica(rank) * t.stride() + kBefore + at]);
            expected[rank * t.stride() + kBefore + at] += dy[out];
          }
        }
      }
      ASSERT_EQ(run.gradients, expected);
    }
  }
}

// What is no id of the vocabulary gives NaN in its own place alone, and nothing to any gradient.
TYPED_TEST(Embedding, NoIdsAreNotClamped) {
  const Table t{6, 2, 8};
  const StepLayout l{"", 2, 3, {1, 1}};
  const std::vector<float> ids = {0, -1, 5, 6, 2.5f, kJunk, 1e30f, -1e30f, 0, 1, 2, 3, 4, 5, -0.0f, 5};
  const auto p = integers(l.replicas * t.stride(), 50, 2), dy = integers(l.max_slots * t.out(), 50, 3);
  const EmbeddingRun run = run_embedding(this->ctx(), TestFixture::kLayout, t, l, ids, p, dy);
  std::vector<float> expected(l.max_active() * t.stride(), -7.0f);
  for (std::int32_t r = 0; r < l.active(); ++r) {
    std::fill_n(expected.begin() + r * t.stride() + kBefore, t.size(), 0.0f);
  }
  for (std::int32_t slot = 0; slot < 2; ++slot) {
    for (std::int32_t c = 0; c < t.dimensions; ++c) {
      for (std::int32_t i = 0; i < t.length; ++i) {
        const float id = ids[slot * t.length + i];
        const std::int64_t out = slot * t.out() + c * t.length + i;
        const bool known = id >= 0 && id < 6 && id == std::floor(id);
        ASSERT_EQ(std::isnan(run.y[out]), !known) << id;
        if (known) expected[slot * t.stride() + kBefore + static_cast<std::int64_t>(id) * t.dimensions + c] += dy[out];
      }
    }
  }
  EXPECT_EQ(run.gradients, expected);
}

// A row that many tokens name is summed in the order of slots and tokens, on every backend and thread count.
TYPED_TEST(Embedding, SumsAreInOrder) {
  const Table t{3, 4, 50};
  const StepLayout l{"", 40, 1, {40}};
  const auto ids = some_ids(l.max_slots * t.length, t.vocabulary, 1);
  const auto p = reals(t.stride(), 2), dy = reals(l.max_slots * t.out(), 3);
  const EmbeddingRun run = run_embedding(this->ctx(), TestFixture::kLayout, t, l, ids, p, dy);
  std::vector<float> expected(static_cast<std::size_t>(t.size()), 0.0f);
  for (std::int64_t i = 0; i < l.max_slots * t.length; ++i) {
    for (std::int32_t c = 0; c < t.dimensions; ++c) {
      expected[static_cast<std::size_t>(ids[i]) * t.dimensions + c] +=
          dy[i / t.length * t.out() + c * t.length + i % t.length];
    }
  }
  EXPECT_EQ(std::vector<float>(run.gradients.begin() + kBefore, run.gradients.end() - kAfter), expected);
  if constexpr (!TypeParam::Context::kIsDevice) {
    CpuContext many(7);
    EXPECT_EQ(run_embedding(many, TestFixture::kLayout, t, l, ids, p, dy).gradients, run.gradients);
  }
}

}  // namespace
}  // namespace splitsim::test
