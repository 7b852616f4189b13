// Rows of a table by token ids, as torch.nn.Embedding. Ring R1.
//
// The gradient is dense, as torch's: every active replica's [vocabulary, dimensions] is overwritten in each step, whatever
// ids occur, and an optimiser then reads and writes as much: V D floats per replica. The passes over ids cost little
// beside that (a block takes a range of the vocabulary and looks through the ids of its replica's slots).
// Determinism: exact: each row's gradient is added in the order of slots and, within one, of tokens, without atomics.
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"
#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "kernels/nn/support/layout.hpp"

namespace splitsim {

struct EmbeddingShape {
  std::int32_t vocabulary, dimensions, length;
  Layout layout = Layout::kChannelsFirst;  ///< of y; ids have one channel
  PSL_HD PlaneShape planes() const { return {dimensions, length, layout}; }
};

/// y[s, :, t] = row ids[s, t] of the table of s's replica. ids: [S, length], whole numbers in [0, vocabulary) as floats;
/// anything else gives NaN, which shows in the loss. weight: [G][vocabulary, dimensions]; y: [S, dimensions, length].
template <class Context>
void embedding_forward(Context& ctx, const ReplicaMap& map, const EmbeddingShape& shape, View<const float> ids,
                       Grouped weight, View<float> y);

/// gradient: [max_active ranks][vocabulary, dimensions], overwritten for active ranks; what is no id adds nothing.
template <class Context>
void embedding_backward(Context& ctx, const ReplicaMap& map, const EmbeddingShape& shape, View<const float> ids,
                        View<const float> dy, Grouped gradient);

}  // namespace splitsim
