// group_by_client as one sort by (step, client): no step or client can be too large for it.
#pragma once

#include <bit>

#include "kernels/primitives/sort.hpp"

namespace splitsim::detail {

/// The step that slot i lies in: the last t with first[t] <= i.
PSL_HD inline std::int64_t step_of(View<const std::int32_t> first, std::int64_t i) {
  std::int64_t low = 0, high = first.size() - 1;
  while (high - low > 1) {
    const std::int64_t middle = (low + high) / 2;
    (first[middle] <= i ? low : high) = middle;
  }
  return low;
}

struct StepClientKey {
  View<const std::int32_t> step_first;
  View<const std::int32_t> owner;
  View<const std::int32_t> sample;
  View<std::uint64_t> key;
  int client_bits;

  PSL_HD void operator()(std::int64_t i) const {
    key[i] = (static_cast<std::uint64_t>(step_of(step_first, i)) << client_bits) |
             static_cast<std::uint64_t>(owner[sample[i]]);
  }
};

struct SplitStepClient {
  View<const std::uint64_t> key;
  View<const std::int32_t> value;
  View<std::int32_t> sample;
  View<std::int32_t> client;
  std::uint64_t client_mask;

  PSL_HD void operator()(std::int64_t i) const {
    sample[i] = value[i];
    client[i] = static_cast<std::int32_t>(key[i] & client_mask);
  }
};

template <class Context>
void group_by_client_globally(Context& ctx, PairSort<Context>& pairs, View<const std::int32_t> step_first,
                              View<const std::int32_t> owner, std::int32_t clients, View<std::int32_t> sample,
                              View<std::int32_t> client) {
  const std::int64_t slots = sample.size();
  const int client_bits = std::bit_width(static_cast<std::uint32_t>(clients - 1));
  const int step_bits = std::bit_width(static_cast<std::uint64_t>(step_first.size() - 2));
  for_each_index(ctx, slots, StepClientKey{step_first, owner, pairs.values(), pairs.keys(), client_bits});
  pairs.sort(client_bits + step_bits);
  const std::uint64_t mask = (std::uint64_t{1} << client_bits) - 1;
  for_each_index(ctx, slots, SplitStepClient{pairs.keys(), pairs.values(), sample, client, mask});
}

}  // namespace splitsim::detail
