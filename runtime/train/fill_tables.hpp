// How a step's tables follow from the experiments' schedules: every index finds its experiment by going through all of
// them, which are few, and its place in that one's step by bisection.
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"
#include "runtime/train/step_kernels.hpp"

namespace splitsim::detail {

/// Of one experiment or of all: slots, and ranks of each table.
struct StepCounts {
  std::int32_t slots = 0, whole = 0, groups = 0, clients = 0, served_slots = 0, served = 0;

  PSL_HD void add(const StepCounts& other) {
    slots += other.slots;
    whole += other.whole;
    groups += other.groups;
    clients += other.clients;
    served_slots += other.served_slots;
    served += other.served;
  }
};

struct FillTables {
  const StepState* states;
  const StepSource* sources;
  std::int32_t experiments;
  StepRules rules;
  StepTables tables;
  std::int32_t max_slots;

  /// An experiment's part of the step: runs of its schedule. Without slots it has none.
  struct Current {
    std::int32_t step = 0, first_slot = 0, batch = 0, active = 0;
    bool takes_part = false;
  };
  /// What ends with an experiment's step.
  struct Ends {
    bool round = false, epoch = false;
  };
  /// Ranks of an experiment's part, and that of a slot.
  struct Ranks {
    RunsView runs;  ///< null pointers: one rank
    std::int32_t first = 0, rank = 0;
  };

  // Index i fills slot i and rank i of every table, and what there is of experiment i.
  PSL_HD void operator()(std::int64_t i) const {
    StepCounts before;
    Ends any;
    for (std::int32_t e = 0; e < experiments; ++e) {
      const Current now = current(e);
      const StepCounts own = counts(e, now);
      const ScheduleView& schedule = sources[e].schedule;
      if (is_in(i, before.slots, own.slots)) fill_slot(e, now, static_cast<std::int32_t>(i), before, own);
      if (is_in(i, before.whole, own.whole)) fill_rank(tables.whole, i, e, before.slots);
      if (is_in(i, before.clients, own.clients)) {
        fill_rank(tables.by_client, i, e * rules.clients, i - before.clients, client_runs(e, now), now, before.slots);
      }
      if (is_in(i, before.groups, own.groups)) {
        fill_rank(tables.by_group, i, e * rules.groups, i - before.groups, schedule.groups, now, before.slots);
      }
      if (is_in(i, before.served, own.served)) {
        if (rules.replicas[1] == Sharing::kAll) {
          fill_rank(tables.served, i, e, before.slots);
        } else {
          fill_rank(tables.served, i, e * rules.clients, i - before.served, client_runs(e, now), now, before.slots);
        }
      }
      if (i == e || i == 0) {
        const Ends ends = ends_of(e, now);
        if (i == e) fill_experiment(e, now, ends, before, own);
        any.round = any.round || ends.round;
        any.epoch = any.epoch || ends.epoch;
      }
      before.add(own);
    }
    if (i >= before.slots && i < max_slots) fill_empty_slot(static_cast<std::int32_t>(i));
    end_ranks(tables.whole, i, before.whole, before.slots);
    end_ranks(tables.by_client, i, before.clients, before.slots);
    end_ranks(tables.by_group, i, before.groups, before.slots);
    end_ranks(tables.served, i, before.served, before.served_slots);
    if (i != 0) return;
    tables.slots[0] = before.slots;
    if (!tables.served_slots.empty()) tables.served_slots[0] = before.served_slots;
    tables.any_round_end[0] = any.round ? 1 : 0;
    tables.any_epoch_end[0] = any.epoch ? 1 : 0;
  }

  /// What is gathered for a slot.
  struct SlotImage {
    std::int32_t sample = -1, experiment = 0;
  };
  PSL_HD SlotImage image_of(std::int64_t slot) const {
    for (std::int32_t e = 0; e < experiments; ++e) {
      const Current now = current(e);
      if (slot < now.batch) return {sources[e].schedule.sample[now.first_slot + slot], e};
      slot -= now.batch;
    }
    return {};
  }

 private:
  PSL_HD static bool is_in(std::int64_t i, std::int32_t first, std::int32_t count) {
    return i >= first && i - first < count;
  }

  PSL_HD Current current(std::int32_t e) const {
    Current now;
    const StepState& state = states[e];
    const ScheduleView& schedule = sources[e].schedule;
    now.takes_part = state.step < state.steps && !state.stops(schedule);
    if (!now.takes_part) return now;
    now.step = state.step;
    now.first_slot = schedule.step_first[now.step];
    now.batch = schedule.step_first[now.step + 1] - now.first_slot;
    now.active = schedule.active_first[now.step + 1] - schedule.active_first[now.step];
    return now;
  }

  PSL_HD StepCounts counts(std::int32_t e, const Current& now) const {
    const ScheduleView& schedule = sources[e].schedule;
    StepCounts own;
    if (now.batch == 0) return own;
    own.slots = now.batch;
    own.whole = 1;
    own.clients = now.active > 0 ? now.active : 1;
    if (schedule.groups.first != nullptr) {
      own.groups = schedule.groups.first[now.step + 1] - schedule.groups.first[now.step];
    }
    if (!tables.served_slots.empty() && rules.uploads.in(schedule.parent_of(now.step))) {
      own.served_slots = own.slots;
      own.served = rules.replicas[1] == Sharing::kAll ? own.whole : own.clients;
    }
    return own;
  }

  /// Of a step in which nobody takes part: one rank.
  PSL_HD RunsView client_runs(std::int32_t e, const Current& now) const {
    return now.active > 0 ? sources[e].schedule.clients() : RunsView{};
  }

  /// The run that an experiment's slot is in: the last one that starts at or before it.
  PSL_HD Ranks ranks_of(const RunsView& runs, const Current& now, std::int32_t slot) const {
    if (runs.first == nullptr) return {};
    const std::int32_t first = runs.first[now.step];
    std::int32_t low = 0;
    for (std::int32_t high = runs.first[now.step + 1] - first; low < high;) {
      const std::int32_t middle = (low + high) / 2;
      if (runs.slot[first + middle] - now.first_slot <= slot) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return {runs, first, low - 1};
  }

  PSL_HD Ends ends_of(std::int32_t e, const Current& now) const {
    Ends ends;
    if (!now.takes_part) return ends;
    const ScheduleView& schedule = sources[e].schedule;
    const std::int32_t parent = schedule.parent_of(now.step);
    ends.epoch = now.step + 1 == states[e].steps;
    const bool ends_parent = ends.epoch || schedule.parent_of(now.step + 1) != parent;
    const std::int64_t parents = ends.epoch ? parent + 1 : INT64_MAX;  // of the epoch, as far as it matters here
    ends.round = ends_parent && rules.rounds.ends_after(parent, parents);
    return ends;
  }

  PSL_HD void fill_experiment(std::int32_t e, const Current& now, const Ends& ends, const StepCounts& before,
                              const StepCounts& own) const {
    tables.first_slot[e] = before.slots;
    tables.own_slots[e] = now.batch;
    tables.clients[e] = now.active;
    const std::int64_t parent = now.takes_part ? sources[e].schedule.parent_of(now.step) : 0;
    tables.rate_step[e] = static_cast<std::int32_t>(states[e].epoch * sources[e].steps_per_epoch + parent);
    tables.epoch_end[e] = ends.epoch ? 1 : 0;
    tables.round_end[e] = ends.round ? 1 : 0;
    fill_span(tables.whole, e, before.whole, own.whole);
    fill_span(tables.by_client, e, before.clients, own.clients);
    fill_span(tables.by_group, e, before.groups, own.groups);
    fill_span(tables.served, e, before.served, own.served);
  }
  PSL_HD static void fill_span(const RankTable& table, std::int32_t e, std::int32_t first, std::int32_t count) {
    if (table.count.empty()) return;
    table.experiment_first[e] = first;
    table.experiment_count[e] = count;
  }

  /// b of the slot's rank.
  PSL_HD std::int32_t samples_of(const Current& now, const Ranks& ranks) const {
    if (ranks.runs.first == nullptr) return now.batch;
    return ranks.runs.samples_of(now.step, ranks.first + ranks.rank, now.first_slot + now.batch);
  }
  PSL_HD std::int32_t samples_of(const Current& now, Sharing sharing, const Ranks& clients, const Ranks& groups) const {
    return sharing == Sharing::kAll ? now.batch : samples_of(now, sharing == Sharing::kGroup ? groups : clients);
  }

  PSL_HD void fill_slot(std::int32_t e, const Current& now, std::int32_t i, const StepCounts& before,
                        const StepCounts& own_counts) const {
    const StepSource& source = sources[e];
    const std::int32_t slot = i - before.slots;
    const Ranks clients = ranks_of(client_runs(e, now), now, slot);
    const Ranks groups = ranks_of(source.schedule.groups, now, slot);
    const std::int32_t sample = source.schedule.sample[now.first_slot + slot], label = source.labels[sample];
    tables.sample[i] = sample;
    tables.experiment[i] = e;
    tables.epoch[i] = states[e].epoch;
    tables.seed[i] = source.seed;
    tables.label[i] = label;
    std::int32_t mean_over = now.batch;
    if (rules.loss == LossMean::kReplica) mean_over = samples_of(now, rules.replicas[1], clients, groups);
    if (rules.loss == LossMean::kClient) mean_over = samples_of(now, clients);
    float weight = 1.0f / static_cast<float>(mean_over), scale = 1.0f;
    if (source.class_weight != nullptr) weight *= source.class_weight[label];
    if (rules.cut_scale == CutScale::kPerActive && now.active > 0) scale = 1.0f / static_cast<float>(now.active);
    if (rules.cut_scale == CutScale::kOwnBatch) {
      const std::int32_t own = samples_of(now, rules.replicas[0], clients, groups);
      scale = static_cast<float>(now.batch) / static_cast<float>(own);
    }
    tables.weight[i] = weight;
    tables.cut_scale[i] = scale;
    if (i < tables.local_weight.size()) {
      float local = 1.0f / static_cast<float>(samples_of(now, clients));
      if (source.class_weight != nullptr) local *= source.class_weight[label];
      tables.local_weight[i] = local;
    }
    tables.whole.rank[i] = before.whole;
    tables.by_client.rank[i] = before.clients + clients.rank;
    if (!tables.by_group.count.empty()) tables.by_group.rank[i] = before.groups + groups.rank;
    if (!tables.served.count.empty()) {
      const bool many = rules.replicas[1] != Sharing::kAll;
      tables.served.rank[i] = own_counts.served > 0 ? before.served + (many ? clients.rank : 0) : 0;
    }
  }

  PSL_HD void fill_empty_slot(std::int32_t i) const {
    tables.sample[i] = -1;
    tables.experiment[i] = tables.epoch[i] = tables.label[i] = 0;
    tables.seed[i] = 0;
    tables.weight[i] = tables.cut_scale[i] = 0.0f;
    if (i < tables.local_weight.size()) tables.local_weight[i] = 0.0f;
    tables.whole.rank[i] = tables.by_client.rank[i] = 0;
    if (!tables.by_group.count.empty()) tables.by_group.rank[i] = 0;
    if (!tables.served.count.empty()) tables.served.rank[i] = 0;
  }

  /// The rank of an experiment that has one.
  PSL_HD static void fill_rank(const RankTable& table, std::int64_t i, std::int32_t replica, std::int32_t first) {
    table.replica[i] = replica;
    table.first[i] = first;
  }
  /// Its `local`-th one: a run, or all of it.
  PSL_HD static void fill_rank(const RankTable& table, std::int64_t i, std::int32_t first_replica, std::int64_t local,
                               const RunsView& runs, const Current& now, std::int32_t slots_before) {
    if (runs.first == nullptr) {
      fill_rank(table, i, first_replica, slots_before);
      return;
    }
    const std::int64_t run = runs.first[now.step] + local;
    fill_rank(table, i, first_replica + runs.id[run], slots_before + runs.slot[run] - now.first_slot);
  }
  /// Behind the last rank.
  PSL_HD static void end_ranks(const RankTable& table, std::int64_t i, std::int32_t count, std::int32_t slots) {
    if (i == 0 && !table.count.empty()) table.count[0] = count;
    if (i < count) return;
    if (i < table.replica.size()) table.replica[i] = 0;
    if (i < table.first.size()) table.first[i] = slots;
  }
};

}  // namespace splitsim::detail
