// Bodies of runtime/train/step_kernels.hpp.
#pragma once

#include "kernels/device/team.hpp"
#include "kernels/nn/gather_pixels.hpp"
#include "kernels/nn/loss_of_slot.hpp"
#include "runtime/train/step_kernels.hpp"

namespace splitsim {

namespace {

struct BeginStep {
  const StepState* state;
  ScheduleView schedule;
  StepRules rules;
  const std::int32_t* labels;
  StepTables tables;
  std::int32_t max_slots;

  /// The step's part of the schedule.
  struct Current {
    std::int32_t first_slot, batch, first_active, active;
  };
  /// Ranks of the step, and that of a slot.
  struct Ranks {
    RunsView runs;  ///< null pointers: one rank
    std::int32_t first, count, rank;
  };

  // Index i fills slot i and rank i.
  PSL_HD void operator()(std::int64_t i) const {
    const std::int32_t step = state->step;
    Current now{};
    now.first_slot = schedule.step_first[step];
    now.batch = schedule.step_first[step + 1] - now.first_slot;
    now.first_active = schedule.active_first[step];
    now.active = schedule.active_first[step + 1] - now.first_active;
    if (i == 0) fill_scalars(now);
    const Ranks whole{{}, 0, now.batch > 0 ? 1 : 0, 0};
    const Ranks clients = now.active > 0 ? ranks_of(schedule.clients(), now, i) : whole;
    const Ranks groups = schedule.groups.first != nullptr ? ranks_of(schedule.groups, now, i) : whole;
    if (i < max_slots) fill_slot(now, static_cast<std::int32_t>(i), clients, groups);
    fill_rank(now, tables.whole, i, whole);
    fill_rank(now, tables.by_client, i, clients);
    if (schedule.groups.first != nullptr) fill_rank(now, tables.by_group, i, groups);
    if (!tables.served_slots.empty()) fill_served(now, i, rules.replicas[1] == Sharing::kAll ? whole : clients);
  }

  /// The sample of a slot, -1 for empty ones.
  PSL_HD std::int32_t sample_of(std::int64_t slot) const {
    const std::int64_t at = schedule.step_first[state->step] + slot;
    return at < schedule.step_first[state->step + 1] ? schedule.sample[at] : -1;
  }

 private:
  /// The step's runs, and the one that slot i is in: the last one that starts at or before it.
  PSL_HD Ranks ranks_of(const RunsView& runs, const Current& now, std::int64_t i) const {
    const std::int32_t first = runs.first[state->step], count = runs.first[state->step + 1] - first;
    std::int32_t low = 0;
    for (std::int32_t high = count; low < high;) {
      const std::int32_t middle = (low + high) / 2;
      if (runs.slot[first + middle] - now.first_slot <= i) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return {runs, first, count, low - 1};
  }

  PSL_HD void fill_scalars(const Current& now) const {
    const std::int32_t step = state->step, parent = schedule.parent_of(step);
    tables.slots[0] = now.batch;
    tables.clients[0] = now.active;
    tables.everyone[0] = now.batch > 0 ? rules.clients : 0;
    tables.rate_step[0] = static_cast<std::int32_t>(state->epoch * rules.steps_per_epoch + parent);
    const bool epoch_end = step + 1 == state->steps;
    const bool ends_parent = epoch_end || schedule.parent_of(step + 1) != parent;
    const std::int64_t parents = epoch_end ? parent + 1 : INT64_MAX;  // of the epoch, as far as it matters here
    tables.epoch_end[0] = epoch_end ? 1 : 0;
    tables.round_end[0] = ends_parent && rules.rounds.ends_after(parent, parents) ? 1 : 0;
  }

  /// b of the slot's rank.
  PSL_HD std::int32_t samples_of(const Current& now, const Ranks& ranks) const {
    if (ranks.runs.first == nullptr) return now.batch;
    return ranks.runs.samples_of(state->step, ranks.first + ranks.rank, now.first_slot + now.batch);
  }
  PSL_HD std::int32_t samples_of(const Current& now, Sharing sharing, const Ranks& clients, const Ranks& groups) const {
    return sharing == Sharing::kAll ? now.batch : samples_of(now, sharing == Sharing::kGroup ? groups : clients);
  }

  PSL_HD void fill_slot(const Current& now, std::int32_t i, const Ranks& clients, const Ranks& groups) const {
    const bool valid = i < now.batch;
    const std::int32_t sample = valid ? schedule.sample[now.first_slot + i] : -1;
    tables.sample[i] = sample;
    tables.label[i] = valid ? labels[sample] : 0;
    float weight = 0.0f, scale = 0.0f;
    if (valid) {
      std::int32_t mean_over = now.batch;
      if (rules.loss == LossMean::kReplica) mean_over = samples_of(now, rules.replicas[1], clients, groups);
      if (rules.loss == LossMean::kClient) mean_over = samples_of(now, clients);
      weight = 1.0f / static_cast<float>(mean_over);
      if (!rules.class_weight.empty()) weight *= rules.class_weight[labels[sample]];
      scale = 1.0f;
      if (rules.cut_scale == CutScale::kPerActive && now.active > 0) scale = 1.0f / static_cast<float>(now.active);
      if (rules.cut_scale == CutScale::kOwnBatch) {
        const std::int32_t own = samples_of(now, rules.replicas[0], clients, groups);
        scale = static_cast<float>(now.batch) / static_cast<float>(own);
      }
    }
    tables.weight[i] = weight;
    if (i < tables.local_weight.size()) {
      float local = valid ? 1.0f / static_cast<float>(samples_of(now, clients)) : 0.0f;
      if (valid && !rules.class_weight.empty()) local *= rules.class_weight[labels[sample]];
      tables.local_weight[i] = local;
    }
    tables.cut_scale[i] = scale;
  }

  /// The server's part of a step whose smashed data may stay where they are.
  PSL_HD void fill_served(Current now, std::int64_t i, Ranks ranks) const {
    if (!rules.uploads.in(schedule.parent_of(state->step))) now.batch = ranks.count = 0;
    if (i == 0) tables.served_slots[0] = now.batch;
    fill_rank(now, tables.served, i, ranks);
  }

  PSL_HD void fill_rank(const Current& now, const RankTable& table, std::int64_t i, const Ranks& ranks) const {
    const bool one = ranks.runs.first == nullptr;
    if (i == 0) table.count[0] = ranks.count;
    if (i < max_slots) table.rank[i] = !one && i < now.batch ? ranks.rank : 0;
    if (i < table.replica.size()) table.replica[i] = !one && i < ranks.count ? ranks.runs.id[ranks.first + i] : 0;
    if (i < table.first.size()) {
      if (i >= ranks.count) {
        table.first[i] = now.batch;
      } else {
        table.first[i] = one ? 0 : ranks.runs.slot[ranks.first + i] - now.first_slot;
      }
    }
  }
};

/// begin_step and the gather. A row is a slot, and one more for the last rank's end; a column is a pixel.
struct BeginAndGather {
  BeginStep begin;
  detail::GatherPixels gather;

  PSL_HD void operator()(std::int64_t slot, std::int32_t pixel) const {
    if (pixel == 0) begin(slot);
    if (slot < begin.max_slots) gather.write(slot, pixel, begin.sample_of(slot));
  }
};

struct EndStep {
  StepState* state;
  StepTables tables;
  const float* loss;
  const std::int32_t* correct;
  StepMetrics* metrics;
  View<const float> other;

  struct Loss {
    const float* loss;
    PSL_HD double operator()(std::int64_t s) const { return static_cast<double>(loss[s]); }
  };
  struct Correct {
    const std::int32_t* correct;
    PSL_HD std::int32_t operator()(std::int64_t s) const { return correct[s]; }
  };

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t) const {
    const std::int32_t batch = tables.slots[0];
    const double total = team.reduce(batch, 0.0, Loss{loss}, Plus{});
    const std::int32_t hits = team.reduce(batch, std::int32_t{0}, Correct{correct}, Plus{});
    const double others = other.empty() ? 0.0 : team.reduce(batch, 0.0, Loss{other.data()}, Plus{});
    if (team.rank() != 0) return;
    StepMetrics& out = metrics[state->step];
    out.loss = batch > 0 ? total / static_cast<double>(batch) : 0.0;
    out.correct = hits;
    out.batch = batch;
    out.active = tables.clients[0];
    out.finite = total - total == 0.0 && others - others == 0.0 ? 1 : 0;
    publish();
    *static_cast<volatile std::int32_t*>(&out.done) = 1;
    state->step += 1;
  }
};

/// The loss of all slots by one team, then the step's end.
struct MeasureStep {
  std::int32_t max_slots;
  detail::SoftmaxCrossEntropy loss;
  EndStep end;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    for (std::int32_t slot = team.rank(); slot < max_slots; slot += team.size()) loss(slot);
    team.sync();
    end(team, block);
  }
};

}  // namespace

template <class Context>
void begin_step(Context& ctx, View<const StepState> state, const ScheduleView& schedule, const StepRules& rules,
                View<const std::int32_t> labels, const StepTables& tables, const StepImages& images) {
  const auto max_slots = static_cast<std::int32_t>(tables.sample.size());
  const BeginStep begin{state.data(), schedule, rules, labels.data(), tables, max_slots};
  const std::int32_t* epoch = &state.data()->epoch;
  if constexpr (Context::kIsDevice) {
    const GatherShape& shape = images.shape;
    for_each_cell(ctx, Extent{std::int64_t{max_slots} + 1}, shape.height * shape.width,
                  BeginAndGather{begin,
                                 {tables.slots.data(), shape, FastDiv(shape.width), images.images.data(),
                                  tables.sample.data(), epoch, images.x.data()}});
  } else {
    for_each_index(ctx, std::int64_t{max_slots} + 1, begin);
    gather_images(ctx, {tables.slots.data(), max_slots}, images.shape, images.images, tables.sample, epoch, images.x);
  }
}

template <class Context>
void measure_step(Context& ctx, View<StepState> state, const StepTables& tables, const CrossEntropyShape& shape,
                  const CrossEntropyInput& in, const CrossEntropyOutput& out, View<StepMetrics> metrics,
                  View<const float> other) {
  constexpr std::int64_t kFloatsOfATeam = 1 << 14;
  const auto max_slots = static_cast<std::int32_t>(tables.sample.size());
  const Slots slots{tables.slots.data(), max_slots};
  const EndStep end{state.data(), tables, out.loss.data(), out.correct.data(), metrics.data(), other};
  if (Context::kIsDevice && std::int64_t{max_slots} * shape.classes <= kFloatsOfATeam) {
    for_each_block(ctx, 1, MeasureStep{max_slots, detail::loss_of(slots, shape, in, out), end});
  } else {
    softmax_cross_entropy(ctx, slots, shape, in, out);
    for_each_block(ctx, 1, end);
  }
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                               \
  template void begin_step(C&, View<const StepState>, const ScheduleView&, const StepRules&, View<const std::int32_t>, \
                           const StepTables&, const StepImages&);                                                      \
  template void measure_step(C&, View<StepState>, const StepTables&, const CrossEntropyShape&,                         \
                             const CrossEntropyInput&, const CrossEntropyOutput&, View<StepMetrics>,                   \
                             View<const float>);
