#pragma once

#include <cmath>
#include <cstring>

#include "kernels/device/math.hpp"
#include "kernels/device/philox.hpp"
#include "kernels/device/team.hpp"
#include "tests/kernels/device/substrate_probe.hpp"

namespace splitsim::test {

namespace detail {
struct ProbePhilox {
  std::uint32_t* out;
  PSL_HD void operator()(std::int64_t at) const {
    const auto i = static_cast<std::uint32_t>(at);
    const Bits128 bits =
        philox4x32_10({i, i * 0x9E3779B1u, i * 0x85EBCA77u, i * 0xC2B2AE3Du}, i * 0x27D4EB2Fu, ~i * 0x165667B1u);
    out[4 * at] = bits.x;
    out[4 * at + 1] = bits.y;
    out[4 * at + 2] = bits.z;
    out[4 * at + 3] = bits.w;
  }
};

struct ProbeMath {
  const double* x;
  double* out;
  PSL_HD void operator()(std::int64_t i) const {
    std::uint64_t bits;
    memcpy(&bits, &x[i], sizeof bits);
    out[5 * i] = exact_log(x[i]);
    out[5 * i + 1] = exact_exp(x[i]);
    out[5 * i + 2] = neg_log_uniform(bits);
    out[5 * i + 3] = uniform53(bits);
    out[5 * i + 4] = exact_normal(7, {Purpose::kTest, static_cast<std::uint32_t>(i), 0, 0, 0});
  }
};

struct ProbeReduce {
  const float* values;
  const std::int32_t* lengths;
  float* sums;
  std::int64_t* ones;
  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const float* v = values;
    const float sum = team.reduce(
        lengths[block], 0.0f, [=](std::int64_t i) { return v[i]; }, Plus{});
    // A second one at once: the scratch of the first must be free again.
    const std::int64_t count = team.reduce(
        lengths[block], std::int64_t{0}, [](std::int64_t) { return std::int64_t{1}; }, Plus{});
    team.sync();
    if (team.rank() == team.size() - 1) {  // every member has the result, the last as well as the first
      sums[block] = sum;
      ones[block] = count;
    }
  }
};

struct ProbeExact {
  const std::int64_t* values;
  const std::int32_t* lengths;
  std::int64_t* sums;
  double* least;
  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const std::int64_t* v = values;
    const std::int64_t sum = team.reduce_exact(
        lengths[block], std::int64_t{0}, [=](std::int64_t i) { return v[i]; }, Plus{});
    const double low = team.reduce_exact(
        lengths[block], HUGE_VAL, [=](std::int64_t i) { return static_cast<double>(v[i]); },
        [](double a, double b) { return a < b ? a : b; });
    if (team.rank() == team.size() - 1) {
      sums[block] = sum;
      least[block] = low;
    }
  }
};

struct ProbeVisits {
  std::int32_t* visits;
  PSL_HD void operator()(std::int64_t i) const { visits[i] += 1; }
};

struct ProbeBlocks {
  std::int32_t* blocks;
  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    // A team's members add up to kLanes, however many they are.
    for (int i = team.rank(); i < kLanes; i += team.size()) team.atomic_add(&blocks[block], 1);
  }
};
}  // namespace detail

template <class Context>
void probe_philox(Context& ctx, View<std::uint32_t> out) {
  for_each_index(ctx, out.size() / 4, detail::ProbePhilox{out.data()});
}

template <class Context>
void probe_math(Context& ctx, View<const double> x, View<double> out) {
  for_each_index(ctx, x.size(), detail::ProbeMath{x.data(), out.data()});
}

template <class Context>
void probe_reduce(Context& ctx, View<const float> values, View<const std::int32_t> lengths, View<float> sums,
                  View<std::int64_t> ones) {
  for_each_block(ctx, lengths.size(), detail::ProbeReduce{values.data(), lengths.data(), sums.data(), ones.data()});
}

template <class Context>
void probe_exact(Context& ctx, View<const std::int64_t> values, View<const std::int32_t> lengths,
                 View<std::int64_t> sums, View<double> least) {
  for_each_wide_block(ctx, lengths.size(),
                      detail::ProbeExact{values.data(), lengths.data(), sums.data(), least.data()});
}

template <class Context>
void probe_extent(Context& ctx, const Extent& extent, View<std::int32_t> visits, View<std::int32_t> blocks) {
  for_each_index(ctx, extent, detail::ProbeVisits{visits.data()});
  for_each_block(ctx, extent, detail::ProbeBlocks{blocks.data()});
}

}  // namespace splitsim::test
