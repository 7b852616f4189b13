// The first and the last kernel of an evaluation batch. Ring R1. Determinism: exact.
#pragma once

#include <cstdint>

#include "kernels/device/view.hpp"

namespace splitsim {

/// Slots of one evaluation batch: consecutive entries of a list of samples, all on replica 0.
struct EvalTables {
  View<std::int32_t> batch;    // [1] which batch comes next
  View<std::int32_t> slots;    // [1] valid slots of this batch
  View<std::int32_t> sample;   // [S] id, -1 for empty slots
  View<std::int32_t> label;    // [S]
  View<std::int32_t> active;   // [1] = 1
  View<std::int32_t> replica;  // [1] = 0
  View<std::int32_t> first;    // [2]
  View<std::int32_t> rank;     // [S] = 0
};

/// Fills the tables with the samples ids[batch S, batch S + S). labels: of the whole data set.
template <class Context>
void begin_eval(Context& ctx, View<const std::int32_t> ids, View<const std::int32_t> labels, const EvalTables& tables);

/// Adds the batch to confusion ([classes, classes], row = label, column = prediction), stores the sum of its losses at
/// loss_sums[batch] and moves on to the next batch.
template <class Context>
void end_eval(Context& ctx, std::int32_t classes, View<const float> loss, View<const std::int32_t> predicted,
              const EvalTables& tables, View<std::int32_t> confusion, View<double> loss_sums);

}  // namespace splitsim
