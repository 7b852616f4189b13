// Bodies of kernels/nn/layers/tokens/position.hpp.
#pragma once

#include "kernels/nn/layers/tokens/position.hpp"

namespace splitsim {

namespace detail {
struct PositionForward {
  std::int64_t features;
  ReplicaMap map;
  const float* x;
  Grouped weight;
  float* y;
  PSL_HD void operator()(std::int64_t slot, std::int32_t i) const {
    y[slot * features + i] = x[slot * features + i] + weight.at(map.replica[map.rank[slot]])[i];
  }
};

struct PositionGradient {
  std::int64_t features;
  const std::int32_t* first;
  const float* dy;
  Grouped gradient;
  PSL_HD void operator()(std::int64_t rank, std::int32_t i) const {
    float sum = 0.0f;
    PSL_UNROLL_READS
    for (std::int64_t slot = first[rank]; slot < first[rank + 1]; ++slot) sum += dy[slot * features + i];
    gradient.at(rank)[i] = sum;
  }
};
}  // namespace detail

template <class Context>
void position_forward(Context& ctx, const ReplicaMap& map, std::int32_t features, View<const float> x, Grouped weight,
                      View<float> y) {
  for_each_cell(ctx, layer_slots<Context>(map.valid()), features,
                detail::PositionForward{features, map, x.data(), weight, y.data()});
}

template <class Context>
void position_backward(Context& ctx, const ReplicaMap& map, std::int32_t features, View<const float> dy,
                       Grouped gradient) {
  for_each_cell(ctx, Extent{map.max_active, map.active}, features,
                detail::PositionGradient{features, map.first, dy.data(), gradient});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                        \
  template void position_forward(C&, const ReplicaMap&, std::int32_t, View<const float>, Grouped, View<float>); \
  template void position_backward(C&, const ReplicaMap&, std::int32_t, View<const float>, Grouped);
