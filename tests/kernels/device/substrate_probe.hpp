// Runs the substrate's functions where a context runs its kernels, so that typed tests can look at the results.
#pragma once

#include <cstdint>

#include "kernels/device/launch.hpp"
#include "kernels/device/view.hpp"

namespace splitsim::test {

/// out[4 i ..]: the counter function on counter {i, i * a, i * b, i * c} and a key made of i, all mod 2^32.
template <class Context>
void probe_philox(Context& ctx, View<std::uint32_t> out);

/// out[5 i ..] = exact_log(x), exact_exp(x), neg_log_uniform(bits of x), uniform53(bits of x), exact_normal at element
/// i.
template <class Context>
void probe_math(Context& ctx, View<const double> x, View<double> out);

/// sums[b] = reduce of the first lengths[b] values; ones[b] = how many.
template <class Context>
void probe_reduce(Context& ctx, View<const float> values, View<const std::int32_t> lengths, View<float> sums,
                  View<std::int64_t> ones);

/// sums[b] = the sum and least[b] = the least of the first lengths[b] values, by the widest teams.
template <class Context>
void probe_exact(Context& ctx, View<const std::int64_t> values, View<const std::int32_t> lengths,
                 View<std::int64_t> sums, View<double> least);

/// visits[i] += 1 for each index of the extent, one thread each; blocks[i] likewise by every member of a team
/// (atomically).
template <class Context>
void probe_extent(Context& ctx, const Extent& extent, View<std::int32_t> visits, View<std::int32_t> blocks);

}  // namespace splitsim::test
