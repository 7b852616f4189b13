// Bodies of runtime/train/step_kernels.hpp.
#pragma once

#include "kernels/device/team.hpp"
#include "kernels/nn/gather_pixels.hpp"
#include "kernels/nn/loss_of_slot.hpp"
#include "runtime/train/fill_tables.hpp"
#include "runtime/train/step_kernels.hpp"

namespace splitsim {

namespace {

/// begin_step and the gather. A row is a slot, and one more for the last rank's end; a column is the gather's.
template <class Gather>
struct BeginAndGather {
  detail::FillTables begin;
  Gather gather;

  PSL_HD void operator()(std::int64_t slot, std::int32_t column) const {
    if (column == 0) begin(slot);
    if (slot >= begin.max_slots) return;
    const detail::FillTables::SlotImage image = begin.image_of(slot);
    gather.write(slot, column, image.sample, image.experiment, &begin.states[image.experiment].epoch);
  }
};

/// A block is an experiment.
struct EndStep {
  StepState* states;
  const StepSource* sources;
  bool stop_if_broken;
  StepTables tables;
  const float* losses;
  const std::int32_t* corrects;
  View<StepMetrics> metrics;  ///< [E, steps]
  std::int64_t steps;
  View<const float> others;

  struct Loss {
    const float* loss;
    PSL_HD double operator()(std::int64_t s) const { return static_cast<double>(loss[s]); }
  };
  struct Correct {
    const std::int32_t* correct;
    PSL_HD std::int32_t operator()(std::int64_t s) const { return correct[s]; }
  };

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t experiment) const {
    StepState& state = states[experiment];
    if (state.step >= state.steps) return;
    const std::int32_t batch = tables.own_slots[experiment], first = tables.first_slot[experiment];
    const double total = team.reduce(batch, 0.0, Loss{losses + first}, Plus{});
    const std::int32_t hits = team.reduce(batch, std::int32_t{0}, Correct{corrects + first}, Plus{});
    const double other = others.empty() ? 0.0 : team.reduce(batch, 0.0, Loss{others.data() + first}, Plus{});
    team.sync();  // all have read the state
    if (team.rank() != 0) return;
    StepMetrics& out = metrics[experiment * steps + state.step];
    out.loss = batch > 0 ? total / static_cast<double>(batch) : 0.0;
    out.correct = hits;
    out.batch = batch;
    out.active = tables.clients[experiment];
    out.finite = total - total == 0.0 && other - other == 0.0 ? 1 : 0;
    const bool passed = state.stops(sources[experiment].schedule);
    publish();
    *static_cast<volatile std::int32_t*>(&out.done) = passed ? StepMetrics::kPassed : StepMetrics::kRun;
    if (out.finite == 0 && stop_if_broken) state.broken = 1;
    if (passed) state.halted = 1;  // also in what follows of that step
    state.step += 1;
  }
};

/// The losses of an experiment's slots by one team, then its step's end.
struct MeasureStep {
  std::int32_t max_slots;
  detail::SoftmaxCrossEntropy loss;
  EndStep end;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t experiment) const {
    const std::int32_t first = end.tables.first_slot[experiment];
    const std::int32_t last = first + end.tables.own_slots[experiment];
    for (std::int32_t slot = first + team.rank(); slot < last; slot += team.size()) loss(slot);
    if (experiment == 0) {  // and empty ones
      for (std::int32_t slot = end.tables.slots[0] + team.rank(); slot < max_slots; slot += team.size()) loss(slot);
    }
    team.sync();
    end(team, experiment);
  }
};

}  // namespace

template <class Context>
void begin_step(Context& ctx, const StepExperiments& experiments, const StepRules& rules, const StepTables& tables,
                const StepImages& images) {
  const auto max_slots = static_cast<std::int32_t>(tables.sample.size());
  const detail::FillTables begin{experiments.state.data(),
                                 experiments.source.data(),
                                 static_cast<std::int32_t>(experiments.state.size()),
                                 rules,
                                 tables,
                                 max_slots};
  const GatherSlots of{tables.sample.data(), tables.experiment.data(), tables.epoch.data()};
  if constexpr (Context::kIsDevice) {
    const GatherShape& shape = images.shape;
    const Extent rows{std::int64_t{max_slots} + 1};
    if (shape.floats) {
      const detail::GatherValues gather(tables.slots.data(), shape, images.sources.data(), of, images.x.data());
      for_each_cell(ctx, rows, static_cast<std::int32_t>(shape.size()),
                    BeginAndGather<detail::GatherValues>{begin, gather});
    } else {
      const detail::GatherPixels gather{tables.slots.data(),   shape, FastDiv(shape.width),
                                        images.sources.data(), of,    images.x.data()};
      for_each_cell(ctx, rows, shape.height * shape.width, BeginAndGather<detail::GatherPixels>{begin, gather});
    }
  } else {
    for_each_index(ctx, std::int64_t{max_slots} + 1, begin);
    gather_images(ctx, {tables.slots.data(), max_slots}, images.shape, images.sources, of, images.x);
  }
}

template <class Context>
void measure_step(Context& ctx, const StepExperiments& experiments, const StepTables& tables,
                  const CrossEntropyShape& shape, const CrossEntropyInput& in, const CrossEntropyOutput& out,
                  View<StepMetrics> metrics, View<const float> other) {
  constexpr std::int64_t kFloatsOfATeam = 1 << 14;
  const auto max_slots = static_cast<std::int32_t>(tables.sample.size());
  const std::int64_t teams = experiments.state.size();
  const Slots slots{tables.slots.data(), max_slots};
  const EndStep end{experiments.state.data(),
                    experiments.source.data(),
                    experiments.stop_if_broken,
                    tables,
                    out.loss.data(),
                    out.correct.data(),
                    metrics,
                    metrics.size() / teams,
                    other};
  if (Context::kIsDevice && std::int64_t{max_slots} * shape.classes <= kFloatsOfATeam * teams) {
    for_each_block(ctx, teams, MeasureStep{max_slots, detail::loss_of(slots, shape, in, out), end});
  } else {
    softmax_cross_entropy(ctx, slots, shape, in, out);
    for_each_block(ctx, teams, end);
  }
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                        \
  template void begin_step(C&, const StepExperiments&, const StepRules&, const StepTables&, const StepImages&); \
  template void measure_step(C&, const StepExperiments&, const StepTables&, const CrossEntropyShape&,           \
                             const CrossEntropyInput&, const CrossEntropyOutput&, View<StepMetrics>,            \
                             View<const float>);
