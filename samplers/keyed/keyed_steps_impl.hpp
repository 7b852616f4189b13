#pragma once

#include <algorithm>

#include "kernels/device/math.hpp"
#include "kernels/device/profile_range.hpp"
#include "samplers/keyed/keyed_steps.hpp"

namespace splitsim {

namespace detail {

struct SteppedView {
  View<const std::int64_t> client_first;  // [K+1]
  View<const std::int32_t> order;         // [N]
  View<const double> threshold;           // [N]
  View<std::int32_t> head, take, offset;  // [K]
  View<double> clock, log_time;           // [K]
  View<double> cut;                       // [2]
  View<std::int32_t> surplus;             // [2]
  View<std::uint8_t> taken;               // [N]

  PSL_HD std::int64_t size(std::int64_t k) const { return client_first[k + 1] - client_first[k]; }
  PSL_HD bool depleted(std::int64_t k) const { return head[k] == size(k); }

  /// ln of the time from now until client k's sample at `place` of its order leaves. Rounding may leave a threshold at
  /// or behind the clock: then it leaves at once.
  PSL_HD double log_time_of(std::int64_t k, std::int64_t place, double log_rate) const {
    const double rest = threshold[client_first[k] + place] - clock[k];
    return exact_log(rest > 1e-300 ? rest : 1e-300) - log_rate;
  }

  /// Samples of client k that leave until ln(time) = at.
  PSL_HD std::int64_t leaving(std::int64_t k, double at, double log_rate) const {
    if (depleted(k) || log_time[k] > at) return 0;
    const double limit = clock[k] + exact_exp(at + log_rate);
    const double* own = threshold.data() + client_first[k];
    std::int64_t low = head[k] + 1, high = size(k);  // the head leaves; find the first that does not
    while (low < high) {
      const std::int64_t middle = (low + high) / 2;
      if (own[middle] <= limit) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low - head[k];
  }
};

struct NextLeaving {
  SteppedView state;
  View<const double> log_rates;

  PSL_HD void operator()(std::int64_t k) const {
    state.log_time[k] = state.depleted(k) ? HUGE_VAL : state.log_time_of(k, state.head[k], log_rates[k]);
  }
};

struct EarlierTime {
  PSL_HD double operator()(double a, double b) const { return a < b ? a : b; }
};
struct LaterTime {
  PSL_HD double operator()(double a, double b) const { return a > b ? a : b; }
};

/// Finds ln of a time until which at least `batch` samples leave, and exactly so many unless several leave at that very
/// time; cut[1] is then a time until which fewer leave. One team.
struct FindCut {
  SteppedView state;
  View<const double> log_rates;
  std::int64_t batch;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t) const {
    const std::int64_t clients = log_rates.size();
    const auto leaving = [&](double at) {
      return team.template reduce_exact<std::int64_t>(
          clients, 0, [&](std::int64_t k) { return state.leaving(k, at, log_rates[k]); }, Plus{});
    };
    const double first = team.template reduce_exact<double>(
        clients, HUGE_VAL, [&](std::int64_t k) { return state.log_time[k]; }, EarlierTime{});
    double low = -HUGE_VAL, high = first;
    const double magnitude = first < 0.0 ? -first : first;
    double reach = magnitude * 0x1p-40 > 0.0625 ? magnitude * 0x1p-40 : 0.0625;
    std::int64_t count = leaving(high);
    while (count < batch) {
      low = high;
      high = first + reach;
      reach *= 2.0;
      count = leaving(high);
    }
    while (count > batch && low > -HUGE_VAL) {
      const double middle = low + 0.5 * (high - low);
      if (!(middle > low && middle < high)) break;
      const std::int64_t at_middle = leaving(middle);
      if (at_middle < batch) {
        low = middle;
      } else {
        high = middle;
        count = at_middle;
      }
    }
    if (team.rank() == 0) {
      state.cut[0] = high;
      state.cut[1] = low;
      state.surplus[0] = static_cast<std::int32_t>(count - batch);
    }
  }
};

struct TakeUntilCut {
  SteppedView state;
  View<const double> log_rates;

  PSL_HD void operator()(std::int64_t k) const {
    state.take[k] = static_cast<std::int32_t>(state.leaving(k, state.cut[0], log_rates[k]));
  }
};

/// Gives a surplus back, from the last client on, and stops time when the last sample of the step leaves. Time must not
/// stop later: the clocks' lack of memory holds at the times of departures, not at times chosen by looking ahead.
struct EndStep {
  SteppedView state;
  View<const double> log_rates;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t) const {
    const std::int64_t clients = log_rates.size();
    if (team.rank() == 0) {
      std::int64_t surplus = state.surplus[0];
      for (std::int64_t k = clients - 1; k >= 0 && surplus > 0; --k) {
        const std::int64_t early = state.leaving(k, state.cut[1], log_rates[k]);
        const std::int64_t back = state.take[k] - early < surplus ? state.take[k] - early : surplus;
        if (back <= 0) continue;
        state.take[k] -= static_cast<std::int32_t>(back);
        surplus -= back;
      }
    }
    team.sync();
    const double end = team.template reduce<double>(
        clients, -HUGE_VAL,
        [&](std::int64_t k) {
          return state.take[k] == 0 ? -HUGE_VAL : state.log_time_of(k, state.head[k] + state.take[k] - 1, log_rates[k]);
        },
        LaterTime{});
    if (team.rank() == 0) state.cut[0] = end;
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
    if (!state.depleted(k)) state.clock[k] += exact_exp(state.cut[0] + log_rates[k]);
  }
};

struct CountDepleted {
  SteppedView state;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t) const {
    const std::int32_t count = team.template reduce<std::int32_t>(
        state.head.size(), 0, [&](std::int64_t k) { return state.size(k) > 0 && state.depleted(k) ? 1 : 0; }, Plus{});
    if (team.rank() == 0) state.surplus[1] = count;
  }
};

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
      cut_(ctx, 2),
      surplus_(ctx, 2),
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
          cut_.view(),
          surplus_.view(),
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
  for_each_index(ctx, clients, detail::NextLeaving{state, log_rates});
  constexpr std::int64_t kManyClients = 1024;  // fewer leave most of a wide team without work
  const detail::FindCut find_cut{state, log_rates, batch};
  if (clients < kManyClients) {
    for_each_block(ctx, 1, find_cut);
  } else {
    for_each_wide_block(ctx, 1, find_cut);
  }
  for_each_index(ctx, clients, detail::TakeUntilCut{state, log_rates});
  for_each_block(ctx, 1, detail::EndStep{state, log_rates});
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
  for_each_block(*ctx_, 1, detail::CountDepleted{view()});
  return surplus_.download()[1];
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C) template class SteppedSchedule<C>;
