// The sorts and scans behind the samplers against std's.
#include "kernels/primitives/sort.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "kernels/device/philox.hpp"
#include "tests/contexts.hpp"

namespace splitsim {
namespace {

template <class Context>
class SortTest : public test::OnContext<Context> {};
TYPED_TEST_SUITE(SortTest, test::Contexts);

std::uint64_t random(std::uint32_t i, std::uint32_t stream) { return random_u64(5, {Purpose::kTest, i, stream, 0, 0}); }

// Key patterns that a partition by upper bits finds hard, beside the usual one.
std::uint64_t key_of(const std::string& pattern, std::uint32_t i, std::uint32_t n) {
  if (pattern == "uniform") return random(i, 1) >> 1;
  if (pattern == "equal") return 42;
  if (pattern == "few values") return random(i, 2) % 3 * 1000;
  if (pattern == "descending") return n - i;
  if (pattern == "two clumps")
    return i % 2 == 0 ? random(i, 3) % 1000 : (std::uint64_t{1} << 62) + random(i, 3) % 100000;
  if (pattern == "crowded") return i % 100 == 0 ? random(i, 4) >> 1 : random(i, 4) >> 30;  // 99 % in one bin
  return i % 50 == 0 ? ~std::uint64_t{0} : random(i, 5) % 7;                               // "extreme"
}

TYPED_TEST(SortTest, PairsAreSortedStably) {
  for (const std::uint32_t n : {1u, 2u, 100u, 8192u, 8193u, 300000u}) {
    for (const char* pattern : {"uniform", "equal", "few values", "descending", "two clumps", "crowded", "extreme"}) {
      std::vector<std::uint64_t> keys(n);
      std::vector<std::int32_t> values(n), expected(n);
      for (std::uint32_t i = 0; i < n; ++i) keys[i] = key_of(pattern, i, n);
      std::iota(values.begin(), values.end(), 0);
      expected = values;
      std::stable_sort(expected.begin(), expected.end(), [&](int a, int b) { return keys[a] < keys[b]; });

      PairSort<TypeParam> pairs(this->ctx(), n);
      for (int again = 0; again < 2; ++again) {  // sorted views may move: both halves must work
        this->ctx().upload(pairs.keys().data(), keys.data(), n * sizeof keys[0]);
        this->ctx().upload(pairs.values().data(), values.data(), n * sizeof values[0]);
        pairs.sort();
        std::vector<std::int32_t> sorted(n);
        std::vector<std::uint64_t> sorted_keys(n);
        this->ctx().download(sorted.data(), pairs.values().data(), n * sizeof sorted[0]);
        this->ctx().download(sorted_keys.data(), pairs.keys().data(), n * sizeof sorted_keys[0]);
        ASSERT_EQ(sorted, expected) << pattern << ", n = " << n;
        for (std::uint32_t i = 0; i < n; ++i) ASSERT_EQ(sorted_keys[i], keys[expected[i]]) << pattern;
      }
    }
  }
}

TYPED_TEST(SortTest, PrefixSumsAreExclusive) {
  for (const int n : {1, 7, 5000}) {
    std::vector<std::int32_t> values(n), expected(n);
    for (int i = 0; i < n; ++i) values[i] = static_cast<std::int32_t>(random(i, 6) % 100);
    std::exclusive_scan(values.begin(), values.end(), expected.begin(), 0);
    Buffer<std::int32_t, TypeParam> buffer(this->ctx(), values);
    PrefixSum<TypeParam>(this->ctx(), n).exclusive(buffer.view());
    EXPECT_EQ(buffer.download(), expected);
  }
}

// Steps of very different lengths, so that each way of sorting a step is taken: none, by insertion, by digits, and all
// steps at once where one is too long for a single thread.
TYPED_TEST(SortTest, StepsAreGroupedByClientStably) {
  for (const std::int32_t longest : {1, 20, 300, 40000}) {
    for (const std::int32_t clients : {1, 3, 70000}) {
      std::vector<std::int32_t> first{0};
      for (const std::int32_t length : {std::int32_t{1}, longest, longest / 2, std::int32_t{0}, std::int32_t{2}}) {
        first.push_back(first.back() + length);
      }
      const std::int32_t n = first.back();
      std::vector<std::int32_t> owner(n), order(n);
      for (std::int32_t i = 0; i < n; ++i) owner[i] = static_cast<std::int32_t>(random(i, 7) % clients);
      for (std::int32_t i = 0; i < n; ++i) order[i] = (i + n / 3) % n;
      std::vector<std::int32_t> sample = order, client(n);
      for (std::size_t t = 0; t + 1 < first.size(); ++t) {
        std::stable_sort(sample.begin() + first[t], sample.begin() + first[t + 1],
                         [&](int a, int b) { return owner[a] < owner[b]; });
      }
      for (std::int32_t i = 0; i < n; ++i) client[i] = owner[sample[i]];

      auto& ctx = this->ctx();
      PairSort<TypeParam> pairs(ctx, n);
      ctx.upload(pairs.values().data(), order.data(), n * sizeof order[0]);
      Buffer<std::int32_t, TypeParam> d_first(ctx, first), d_owner(ctx, owner), d_sample(ctx, n), d_client(ctx, n);
      group_by_client(ctx, pairs, View<const std::int32_t>(d_first.view()), longest,
                      View<const std::int32_t>(d_owner.view()), clients, d_sample.view(), d_client.view());
      EXPECT_EQ(d_sample.download(), sample) << "longest " << longest << ", clients " << clients;
      EXPECT_EQ(d_client.download(), client) << "longest " << longest << ", clients " << clients;
    }
  }
}

}  // namespace
}  // namespace splitsim
