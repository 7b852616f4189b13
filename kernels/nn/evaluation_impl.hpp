// Bodies of kernels/nn/evaluation.hpp.
#pragma once

#include "kernels/device/team.hpp"
#include "kernels/nn/evaluation.hpp"

namespace splitsim {

namespace {

/// Which replicas a pass tests, by their places in the request, and on how many samples each.
struct EvalPass {
  std::int32_t first_replica, count;
  std::int32_t first_sample, samples;  // places in the list

  PSL_HD EvalPass(const EvalRequest& r, std::int32_t pass) {
    const std::int32_t parts = r.parts(), group = pass / parts, part = pass - group * parts;
    first_replica = group * r.together;
    count = r.replicas - first_replica < r.together ? r.replicas - first_replica : r.together;
    const std::int32_t left = r.samples - part * r.batch;
    first_sample = r.first_sample + part * r.batch;
    samples = left < r.batch ? left : r.batch;
  }
};

struct BeginEval {
  const std::int32_t *ids, *labels;
  EvalTables tables;

  PSL_HD void operator()(std::int64_t slot) const {
    const EvalPass now(tables.request[0], tables.pass[0]);
    const std::int32_t i = static_cast<std::int32_t>(slot), valid = now.count * now.samples;
    const std::int32_t rank = i < valid ? i / now.samples : 0;
    const std::int32_t id = i < valid ? ids[now.first_sample + i - rank * now.samples] : -1;
    tables.sample[i] = id;
    tables.label[i] = id < 0 ? 0 : labels[id];
    tables.whole.rank[i] = 0;
    tables.replicas.rank[i] = rank;
    if (i < now.count) {
      tables.replicas.replica[i] = tables.tested[now.first_replica + i];
      tables.replicas.first[i + 1] = (i + 1) * now.samples;
    }
    if (i != 0) return;
    tables.slots[0] = valid;
    tables.whole.count[0] = 1;
    tables.whole.replica[0] = 0;
    tables.whole.first[1] = valid;
    tables.replicas.count[0] = now.count;
    tables.whole.first[0] = tables.replicas.first[0] = 0;
  }
};

struct EndEval {
  std::int32_t classes;
  const float* loss;
  const std::int32_t* predicted;
  EvalTables tables;
  EvalResults results;

  struct Loss {
    const float* loss;
    PSL_HD double operator()(std::int64_t s) const { return static_cast<double>(loss[s]); }
  };

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t) const {
    const EvalRequest request = tables.request[0];
    const std::int32_t pass = tables.pass[0], slots = tables.slots[0], classes2 = classes * classes;
    const EvalPass now(request, pass);
    for (std::int32_t s = team.rank(); s < slots; s += team.size()) {
      const std::int32_t replica = now.first_replica + tables.replicas.rank[s];
      team.atomic_add(&results.confusion[std::int64_t{replica} * classes2 + tables.label[s] * classes + predicted[s]],
                      1);
    }
    for (std::int32_t r = 0; r < now.count; ++r) {
      const double total = team.reduce(now.samples, 0.0, Loss{loss + r * now.samples}, Plus{});
      if (team.rank() == 0) results.loss_sums[std::int64_t{pass} * request.together + r] = total;
    }
    team.sync();  // everyone has read which pass this is
    if (team.rank() == 0) tables.pass[0] = pass + 1;
  }
};

}  // namespace

template <class Context>
void begin_eval(Context& ctx, View<const std::int32_t> ids, View<const std::int32_t> labels, const EvalTables& tables) {
  for_each_index(ctx, tables.sample.size(), BeginEval{ids.data(), labels.data(), tables});
}

template <class Context>
void end_eval(Context& ctx, std::int32_t classes, View<const float> loss, View<const std::int32_t> predicted,
              const EvalTables& tables, const EvalResults& results) {
  for_each_block(ctx, 1, EndEval{classes, loss.data(), predicted.data(), tables, results});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                   \
  template void begin_eval(C&, View<const std::int32_t>, View<const std::int32_t>, const EvalTables&);     \
  template void end_eval(C&, std::int32_t, View<const float>, View<const std::int32_t>, const EvalTables&, \
                         const EvalResults&);
