#pragma once

#include <algorithm>

#include "kernels/device/profile_range.hpp"
#include "samplers/keyed/keyed_steps.hpp"
#include "samplers/keyed/keyed_steps_cut.hpp"

namespace splitsim {

namespace detail {

constexpr std::int64_t kFewClients = 1024;  // their whole search is one launch of one team

/// take: samples until the cut. tile_count: how many of a tile's could be given back, if there are too many.
struct TakeUntilCut {
  SteppedView state;
  View<const double> log_rates;
  std::int64_t batch, teams;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const bool surplus = state.leaving_at_high() > batch;
    const double at = state.high(), before = state.low();
    for (std::int64_t tile = block; tile < state.tiles(); tile += teams) {
      const std::int64_t k0 = state.begin(tile);
      const std::int64_t back = team.template reduce_exact<std::int64_t>(
          state.count(tile), 0,
          [&](std::int64_t i) {
            const std::int64_t k = k0 + i, leaving = state.leaving(k, at, log_rates[k]);
            state.take[k] = static_cast<std::int32_t>(leaving);
            return surplus ? leaving - state.leaving(k, before, log_rates[k]) : std::int64_t{0};
          },
          Plus{});
      if (team.rank() == 0) state.tile_count[tile] = static_cast<std::int32_t>(back);
    }
  }
};

/// Deals the surplus to tiles, the last first: tile_count becomes what a tile gives back.
struct DealSurplus {
  SteppedView state;
  std::int64_t batch;

  PSL_HD void operator()(std::int64_t) const {
    std::int64_t surplus = state.leaving_at_high() - batch;
    if (surplus <= 0) return;  // nobody could give anything
    for (std::int64_t tile = state.tiles() - 1; tile >= 0; --tile) {
      const std::int64_t back = state.tile_count[tile] < surplus ? state.tile_count[tile] : surplus;
      state.tile_count[tile] = static_cast<std::int32_t>(back);
      surplus -= back;
    }
  }
};

/// Gives a surplus back, from the last client on, and notes when the last sample leaves. Time must not stop later: the
/// clocks' lack of memory holds at the times of departures, not at times chosen by looking ahead.
struct EndTiles {
  SteppedView state;
  View<const double> log_rates;
  std::int64_t teams;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const double before = state.low();
    for (std::int64_t tile = block; tile < state.tiles(); tile += teams) {
      const std::int64_t k0 = state.begin(tile);
      if (team.rank() == 0) give_back(tile, before);
      team.sync();
      const double last = team.template reduce_exact<double>(
          state.count(tile), -HUGE_VAL,
          [&](std::int64_t i) {
            const std::int64_t k = k0 + i;
            return state.take[k] == 0 ? -HUGE_VAL
                                      : state.log_time_of(k, state.head[k] + state.take[k] - 1, log_rates[k]);
          },
          LaterTime{});
      if (team.rank() == 0) state.tile_time[tile] = last;
    }
  }

 private:
  PSL_HD void give_back(std::int64_t tile, double before) const {
    std::int64_t surplus = state.tile_count[tile];
    for (std::int64_t k = state.begin(tile) + state.count(tile) - 1; surplus > 0; --k) {
      const std::int64_t most = state.take[k] - state.leaving(k, before, log_rates[k]);
      const std::int64_t back = most < surplus ? most : surplus;
      state.take[k] -= static_cast<std::int32_t>(back);
      surplus -= back;
    }
  }
};

struct EndStep {
  SteppedView state;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t) const {
    const double last = team.template reduce_exact<double>(
        state.tiles(), -HUGE_VAL, [&](std::int64_t tile) { return state.tile_time[tile]; }, LaterTime{});
    if (team.rank() == 0) state.end() = last;
  }
};

struct GiveSamples {
  SteppedView state;
  View<const double> log_rates;
  View<const std::int32_t> label;
  View<std::int32_t> histogram;  // [C, K] or empty
  View<std::int32_t> size;       // [K] or empty
  View<std::int32_t> sample;     // [B_t] slots of the step
  View<std::int32_t> client;

  PSL_HD void operator()(std::int64_t k) const {
    if (state.depleted(k)) return;
    const std::int32_t count = state.take[k];
    for (std::int32_t j = 0; j < count; ++j) {
      const std::int32_t given = state.order[state.client_first[k] + state.head[k] + j];
      sample[state.offset[k] + j] = given;
      client[state.offset[k] + j] = static_cast<std::int32_t>(k);
      state.taken[given] = 1;
      if (!histogram.empty()) histogram[label[given] * state.head.size() + k] -= 1;
    }
    state.head[k] += count;
    if (!size.empty()) size[k] -= count;
    if (!state.depleted(k)) state.clock[k] += exact_exp(state.end() + log_rates[k]);
  }
};

struct CountDepleted {
  SteppedView state;
  std::int64_t teams;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    for (std::int64_t tile = block; tile < state.tiles(); tile += teams) {
      const std::int64_t k0 = state.begin(tile);
      const std::int32_t count = team.template reduce_exact<std::int32_t>(
          state.count(tile), 0,
          [&](std::int64_t i) { return state.size(k0 + i) > 0 && state.depleted(k0 + i) ? 1 : 0; }, Plus{});
      if (team.rank() == 0) state.tile_count[tile] = count;
    }
  }
};

struct SumDepleted {
  SteppedView state;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t) const {
    const std::int32_t count = team.template reduce_exact<std::int32_t>(
        state.tiles(), 0, [&](std::int64_t tile) { return state.tile_count[tile]; }, Plus{});
    if (team.rank() == 0) state.marks[3] = count;
  }
};

/// A CPU thread is not worth waking for less than some microseconds' work. What a team covers changes no bits.
template <class Context>
std::int64_t step_teams(std::int64_t tiles) {
  return Context::kIsDevice ? tiles : std::max<std::int64_t>(1, StepTiles::first(tiles) / kSerialBelow);
}

/// Tries several times at once where that takes fewer launches, and closes in until one settles it. A device does not say
/// when: it goes on for as long as it takes but for ties.
template <class Context>
void search_many_clients(Context& ctx, const SteppedView& state, View<const double> log_rates, std::int64_t batch,
                         View<std::int32_t> marks) {
  constexpr int kCuts = Context::kIsDevice ? kMostCuts : 3, kRounds = Context::kIsDevice ? 8 : 40;
  const std::int64_t teams = step_teams<Context>(state.tiles());
  for (int round = 0; round < kRounds; ++round) {
    for_each_block(ctx, teams, CountLeaving{state, log_rates, kCuts, teams});
    for_each_block(ctx, 1, NarrowSearch{state, batch, kCuts});
    if constexpr (!Context::kIsDevice) {
      if (marks[2] != 0) return;
    }
  }
}

}  // namespace detail

template <class Context>
SteppedSchedule<Context>::SteppedSchedule(Context& ctx, const DevicePopulation<Context>& population,
                                          const Chunks& chunks)
    : ctx_(&ctx),
      population_(&population),
      chunks_(chunks),
      head_(ctx, population.clients),
      take_(ctx, population.clients),
      offset_(ctx, population.clients),
      clock_(ctx, population.clients),
      log_time_(ctx, population.clients),
      search_(ctx, 5),
      marks_(ctx, 4),
      tile_time_(ctx, detail::StepTiles::tiles(population.clients)),
      tile_count_(ctx, detail::kMostCuts * tile_time_.size()),
      taken_(ctx, population.samples),
      prefix_sum_(ctx, population.clients),
      active_lists_(ctx, keyed_bounds(chunks, population.clients)) {}

template <class Context>
detail::SteppedView SteppedSchedule<Context>::view() {
  return {population_->client_first.view(),
          thresholds_->order(),
          thresholds_->threshold(),
          head_.view(),
          take_.view(),
          offset_.view(),
          clock_.view(),
          log_time_.view(),
          search_.view(),
          marks_.view(),
          tile_time_.view(),
          tile_count_.view(),
          taken_.view()};
}

template <class Context>
void SteppedSchedule<Context>::start(const ClientThresholds<Context>& thresholds, ScheduleBuffer<Context>& out) {
  thresholds_ = &thresholds;
  head_.fill_zero();
  clock_.fill_zero();
  taken_.fill_zero();
  out.slots = chunks_.samples;
  out.steps = chunks_.steps();
  for_each_index(*ctx_, out.steps + 1, detail::CutSteps{chunks_, out.step_first.view()});
}

template <class Context>
void SteppedSchedule<Context>::step(std::int64_t t, View<const double> log_rates, View<std::int32_t> histogram,
                                    View<std::int32_t> size, ScheduleBuffer<Context>& out) {
  const Range range("keyed: one step");
  Context& ctx = *ctx_;
  const std::int64_t clients = population_->clients;
  const std::int64_t first = chunks_.first(t), batch = chunks_.first(t + 1) - first;
  const detail::SteppedView state = view();
  const std::int64_t teams = detail::step_teams<Context>(state.tiles());
  for_each_block(ctx, teams, detail::NextLeaving{state, log_rates, teams});
  for_each_block(ctx, 1, detail::BeginSearch{state});
  const detail::EndSearch end_search{state, log_rates, batch};
  if (clients < detail::kFewClients) {  // fewer leave most of a wide team without work
    for_each_block(ctx, 1, end_search);
  } else {
    detail::search_many_clients(ctx, state, log_rates, batch, marks_.view());
    for_each_wide_block(ctx, 1, end_search);
  }
  for_each_block(ctx, teams, detail::TakeUntilCut{state, log_rates, batch, teams});
  for_each_index(ctx, 1, detail::DealSurplus{state, batch});
  for_each_block(ctx, teams, detail::EndTiles{state, log_rates, teams});
  for_each_block(ctx, 1, detail::EndStep{state});
  ctx.copy(offset_.data(), take_.data(), take_.bytes());
  prefix_sum_.exclusive(offset_.view());
  for_each_index(ctx, clients,
                 detail::GiveSamples{state, log_rates, population_->label.view(), histogram, size,
                                     out.sample.view().sub(first, batch), out.client.view().sub(first, batch)});
}

template <class Context>
void SteppedSchedule<Context>::finish(ScheduleBuffer<Context>& out) {
  active_lists_.build(out);
}

template <class Context>
std::int64_t SteppedSchedule<Context>::depleted() {
  const std::int64_t teams = detail::step_teams<Context>(tile_time_.size());
  for_each_block(*ctx_, teams, detail::CountDepleted{view(), teams});
  for_each_block(*ctx_, 1, detail::SumDepleted{view()});
  return marks_.download()[3];
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C) template class SteppedSchedule<C>;
