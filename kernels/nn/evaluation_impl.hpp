// Bodies of kernels/nn/evaluation.hpp.
#pragma once

#include "kernels/device/team.hpp"
#include "kernels/nn/evaluation.hpp"

namespace splitsim {

namespace {

struct BeginEval {
  View<const std::int32_t> ids;
  const std::int32_t* labels;
  EvalTables tables;

  PSL_HD void operator()(std::int64_t i) const {
    const std::int64_t size = tables.sample.size();
    const std::int64_t from = *tables.batch.data() * size;
    const std::int64_t left = ids.size() - from;
    const std::int64_t valid = left < size ? (left > 0 ? left : 0) : size;
    tables.sample[i] = i < valid ? ids[from + i] : -1;
    tables.label[i] = i < valid ? labels[ids[from + i]] : 0;
    tables.rank[i] = 0;
    if (i != 0) return;
    tables.slots[0] = static_cast<std::int32_t>(valid);
    tables.active[0] = 1;
    tables.replica[0] = 0;
    tables.first[0] = 0;
    tables.first[1] = static_cast<std::int32_t>(valid);
  }
};

struct EndEval {
  std::int32_t classes;
  const float* loss;
  const std::int32_t* predicted;
  EvalTables tables;
  std::int32_t* confusion;
  double* loss_sums;

  struct Loss {
    const float* loss;
    PSL_HD double operator()(std::int64_t s) const { return static_cast<double>(loss[s]); }
  };

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t) const {
    const std::int32_t slots = tables.slots[0];
    for (std::int32_t s = team.rank(); s < slots; s += team.size()) {
      team.atomic_add(&confusion[tables.label[s] * classes + predicted[s]], 1);
    }
    const double total = team.reduce(slots, 0.0, Loss{loss}, Plus{});
    if (team.rank() != 0) return;
    loss_sums[tables.batch[0]] = total;
    tables.batch[0] += 1;
  }
};

}  // namespace

template <class Context>
void begin_eval(Context& ctx, View<const std::int32_t> ids, View<const std::int32_t> labels, const EvalTables& tables) {
  for_each_index(ctx, tables.sample.size(), BeginEval{ids, labels.data(), tables});
}

template <class Context>
void end_eval(Context& ctx, std::int32_t classes, View<const float> loss, View<const std::int32_t> predicted,
              const EvalTables& tables, View<std::int32_t> confusion, View<double> loss_sums) {
  for_each_block(ctx, 1, EndEval{classes, loss.data(), predicted.data(), tables, confusion.data(), loss_sums.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                   \
  template void begin_eval(C&, View<const std::int32_t>, View<const std::int32_t>, const EvalTables&);     \
  template void end_eval(C&, std::int32_t, View<const float>, View<const std::int32_t>, const EvalTables&, \
                         View<std::int32_t>, View<double>);
