// What the tests of the numeric kernels share: maps of slots to replicas, inputs whose sums are exact in float, junk
// for empty slots, and a guard on what a kernel must not do.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/device/buffer.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "kernels/nn/support/layout.hpp"
#include "kernels/primitives/precision.hpp"
#include "tests/contexts.hpp"
#include "tests/reference/nn_reference.hpp"

namespace splitsim::test {

constexpr float kJunk = std::numeric_limits<float>::quiet_NaN();

/// Slots per active replica, in rank order.
struct StepLayout {
  std::string name;
  std::int32_t max_slots;
  std::int32_t replicas;  ///< 1: tied
  std::vector<std::int32_t> counts;

  std::int32_t slots() const { return std::accumulate(counts.begin(), counts.end(), 0); }
  std::int32_t active() const { return static_cast<std::int32_t>(counts.size()); }
  std::int32_t max_active() const { return replicas == 1 ? 1 : std::min(max_slots, replicas); }
  /// Replicas are not ranks: spread and descending, so that mixing them up shows.
  std::int32_t replica(std::int32_t rank) const { return replicas - 1 - rank * (replicas / std::max(1, active())); }
  std::int32_t rank(std::int32_t slot) const {
    std::int32_t r = 0;
    for (std::int32_t end = counts[0]; slot >= end; end += counts[++r]) {
    }
    return r;
  }
};

inline std::vector<StepLayout> step_layouts() {
  return {{"tied", 24, 1, {24}},
          {"tied, empty slots", 40, 1, {21}},
          {"tied, one slot", 8, 1, {1}},
          {"own weights each", 7, 9, {1, 1, 1, 1, 1}},
          {"uneven", 50, 11, {1, 17, 3, 9, 1, 8}},
          {"no slots", 4, 5, {}}};
}

/// A ReplicaMap in the memory of a context.
template <class Context>
class DeviceMap {
 public:
  DeviceMap(Context& ctx, const StepLayout& layout) {
    std::vector<std::int32_t> replica(layout.max_active(), -1), first(layout.max_active() + 1, -1);
    std::vector<std::int32_t> rank(layout.max_slots, 0);
    replica[0] = 0;  // of empty slots
    first[0] = 0;
    for (std::int32_t r = 0; r < layout.active(); ++r) {
      replica[r] = layout.replica(r);
      first[r + 1] = first[r] + layout.counts[r];
      for (std::int32_t s = first[r]; s < first[r + 1]; ++s) rank[s] = r;
    }
    slots_ = Buffer<std::int32_t, Context>(ctx, std::vector<std::int32_t>{layout.slots()});
    active_ = Buffer<std::int32_t, Context>(ctx, std::vector<std::int32_t>{layout.active()});
    replica_ = Buffer<std::int32_t, Context>(ctx, replica);
    first_ = Buffer<std::int32_t, Context>(ctx, first);
    rank_ = Buffer<std::int32_t, Context>(ctx, rank);
    map_ = {slots_.data(), active_.data(),   replica_.data(),     first_.data(),
            rank_.data(),  layout.max_slots, layout.max_active(), layout.replicas};
  }
  const ReplicaMap& operator*() const { return map_; }

 private:
  Buffer<std::int32_t, Context> slots_, active_, replica_, first_, rank_;
  ReplicaMap map_;
};

/// Integers in [-most, most]: sums of a few thousand products of them are exact in float, in any order.
inline std::vector<float> integers(std::size_t n, int most, std::uint32_t seed) {
  std::mt19937 bits(seed);
  std::vector<float> values(n);
  for (float& v : values) v = static_cast<float>(static_cast<int>(bits() % (2u * most + 1u)) - most);
  return values;
}

/// What rounding of factors a product shows.
enum class Rounds { kAlways, kMaybe, kNever };

/// Factors that are small integers times 1 + 2^-12, which TF32 and bf16 round to the integers: so the results of
/// run(precision, x, dy) (with members y, dx, gradients) are those in fp32 with the integers where factors are rounded,
/// else those with the factors themselves. kMaybe: a library may do either.
template <class Run>
void expect_rounded_factors(const Run& run, const std::vector<float>& x, const std::vector<float>& dy, Rounds rounds) {
  const auto more = [](std::vector<float> values) {
    for (float& v : values) v *= 1.0f + 0x1p-12f;
    return values;
  };
  const auto of_integers = run(Precision::kFp32, x, dy);
  const auto of_x = run(Precision::kFp32, more(x), dy), of_dy = run(Precision::kFp32, x, more(dy));
  const auto expect = [&](const std::vector<float>& got, const std::vector<float>& rounded,
                          const std::vector<float>& not_rounded, const char* what) {
    ASSERT_NE(rounded, not_rounded) << what;
    if (rounds == Rounds::kMaybe) {
      EXPECT_TRUE(got == rounded || got == not_rounded) << what;
    } else {
      EXPECT_EQ(got, rounds == Rounds::kAlways ? rounded : not_rounded) << what;
    }
  };
  for (const Precision precision : {Precision::kTf32, Precision::kBf16}) {
    const auto with_x = run(precision, more(x), dy), with_dy = run(precision, x, more(dy));
    expect(with_x.y, of_integers.y, of_x.y, "y");
    expect(with_x.gradients, of_integers.gradients, of_x.gradients, "gradients");
    expect(with_dy.dx, of_integers.dx, of_dy.dx, "dx");
  }
}

/// Reals in (-1, 1).
inline std::vector<float> reals(std::size_t n, std::uint32_t seed) {
  std::mt19937 bits(seed);
  std::vector<float> values(n);
  for (float& v : values) v = static_cast<float>(bits() >> 8) * 0x1p-23f - 1.0f;
  return values;
}

/// NaN from row `rows` on: what empty slots may hold.
inline std::vector<float> junk_after(std::vector<float> values, std::int32_t rows, std::int64_t row_size) {
  for (std::size_t i = rows * row_size; i < values.size(); ++i) values[i] = kJunk;
  return values;
}

inline reference::Tensor row(const std::vector<float>& values, std::int64_t index, std::int64_t size) {
  return {values.begin() + index * size, values.begin() + (index + 1) * size};
}

/// Rows [index * stride, index * stride + size) of a grouped tensor.
inline reference::Tensor grouped_row(const std::vector<float>& values, std::int64_t index, std::int64_t stride,
                                     std::int64_t offset, std::int64_t size) {
  const auto begin = values.begin() + index * stride + offset;
  return {begin, begin + size};
}

/// Fails if the context allocated, synchronised or let the host read during its lifetime.
template <class Context>
class Quiet {
 public:
  explicit Quiet(Context& ctx) : ctx_(ctx), before_(ctx.counters()) {}
  ~Quiet() {
    EXPECT_EQ(ctx_.counters().allocations, before_.allocations);
    EXPECT_EQ(ctx_.counters().synchronizations, before_.synchronizations);
    EXPECT_EQ(ctx_.counters().host_reads, before_.host_reads);
  }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  Context& ctx_;
  ContextCounters before_;
};

template <class Context>
using Floats = Buffer<float, Context>;

/// [n, columns, rows] of [n, rows, columns].
template <class T>
std::vector<T> turned(const std::vector<T>& values, std::int64_t rows, std::int64_t columns) {
  std::vector<T> result(values.size());
  for (std::size_t first = 0; first < values.size(); first += static_cast<std::size_t>(rows * columns)) {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        result[first + static_cast<std::size_t>(c * rows + r)] =
            values[first + static_cast<std::size_t>(r * columns + c)];
      }
    }
  }
  return result;
}
/// As a layer of the layout wants values of [n, channels, pixels], and back.
template <class T>
std::vector<T> placed(Layout layout, const std::vector<T>& values, std::int64_t channels, std::int64_t pixels) {
  return layout == Layout::kChannelsFirst ? values : turned(values, channels, pixels);
}
template <class T>
std::vector<T> in_order(Layout layout, const std::vector<T>& values, std::int64_t channels, std::int64_t pixels) {
  return layout == Layout::kChannelsFirst ? values : turned(values, pixels, channels);
}

}  // namespace splitsim::test
