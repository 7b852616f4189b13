// Bodies of kernels/nn/layers/tokens/embedding.hpp.
#pragma once

#include <algorithm>

#include "kernels/device/math.hpp"
#include "kernels/nn/layers/tokens/embedding.hpp"
#include "kernels/nn/support/steps.hpp"

namespace splitsim {

namespace detail {
constexpr std::uint32_t kNotANumber = 0x7fc00000u;

/// -1: not a whole number in [0, vocabulary).
PSL_HD inline std::int32_t token_id(float x, std::int32_t vocabulary) {
  if (!(x >= 0.0f && x < static_cast<float>(vocabulary))) return -1;
  const auto id = static_cast<std::int32_t>(x);
  return static_cast<float>(id) == x ? id : -1;
}

struct EmbeddingForward {
  EmbeddingShape shape;
  SplitPlace split;
  ReplicaMap map;
  const float* ids;
  Grouped weight;
  float* y;

  PSL_HD void operator()(std::int64_t slot, std::int32_t i) const {
    const SplitPlace::Place at = split(i);
    const std::int32_t id = token_id(ids[slot * shape.length + at.pixel], shape.vocabulary);
    const float* table = weight.at(map.replica[map.rank[slot]]);
    y[slot * shape.planes().size() + i] =
        id < 0 ? float_of(kNotANumber) : table[std::int64_t{id} * shape.dimensions + at.channel];
  }
};

/// A block is a rank and one of `ranges` equal parts of the vocabulary; a member of the team keeps to its columns.
struct EmbeddingGradient {
  EmbeddingShape shape;
  std::int32_t ranges;
  const std::int32_t* first;
  const float* ids;
  const float* dy;
  Grouped gradient;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const std::int64_t rank = block / ranges, range = block - rank * ranges;
    const std::int64_t begin = range * shape.vocabulary / ranges, end = (range + 1) * shape.vocabulary / ranges;
    const std::int32_t n = shape.dimensions;
    const Steps steps(shape.planes());
    float* rows = gradient.at(rank);
    for (std::int64_t i = begin * n + team.rank(); i < end * n; i += team.size()) rows[i] = 0.0f;
    team.sync();
    for (std::int64_t slot = first[rank]; slot < first[rank + 1]; ++slot) {
      const float* of_slot = dy + slot * shape.planes().size();
      for (std::int32_t t = 0; t < shape.length; ++t) {
        const std::int32_t id = token_id(ids[slot * shape.length + t], shape.vocabulary);
        if (id < begin || id >= end) continue;
        float* row = rows + std::int64_t{id} * n;
        for (std::int32_t c = team.rank(); c < n; c += team.size()) row[c] += of_slot[steps(c, t)];
      }
    }
  }
};
}  // namespace detail

template <class Context>
void embedding_forward(Context& ctx, const ReplicaMap& map, const EmbeddingShape& shape, View<const float> ids,
                       Grouped weight, View<float> y) {
  for_each_cell(ctx, layer_slots<Context>(map.valid()), shape.planes().size(),
                detail::EmbeddingForward{shape, SplitPlace(shape.planes()), map, ids.data(), weight, y.data()});
}

template <class Context>
void embedding_backward(Context& ctx, const ReplicaMap& map, const EmbeddingShape& shape, View<const float> ids,
                        View<const float> dy, Grouped gradient) {
  // Enough blocks to fill a GPU with one replica; on a CPU few, since each looks through all ids.
  const std::int32_t ranges = std::min(shape.vocabulary, Context::kIsDevice ? 256 : 16);
  for_each_block(ctx, Extent{map.max_active, map.active, ranges},
                 detail::EmbeddingGradient{shape, ranges, map.first, ids.data(), dy.data(), gradient});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                               \
  template void embedding_forward(C&, const ReplicaMap&, const EmbeddingShape&, View<const float>, Grouped,            \
                                  View<float>);                                                                        \
  template void embedding_backward(C&, const ReplicaMap&, const EmbeddingShape&, View<const float>, View<const float>, \
                                   Grouped);
