#pragma once

#include <algorithm>

#include "kernels/device/math.hpp"
#include "kernels/device/profile_range.hpp"
#include "samplers/keyed/keyed.hpp"
#include "samplers/schedule/sample_order.hpp"

namespace splitsim {

namespace detail {

struct FillKeys {
  std::uint64_t seed;
  std::uint32_t epoch;
  View<const std::int32_t> owner;
  View<const double> odds;  // [K], or empty: all 1
  View<std::uint64_t> key;
  View<std::int32_t> value;

  PSL_HD void operator()(std::int64_t i) const {
    const double e = sample_exponential(seed, epoch, i);
    key[i] = bits_of(odds.empty() ? e : e / odds[owner[i]]);
    value[i] = static_cast<std::int32_t>(i);
  }
};

struct ThresholdKeys {
  View<const std::int32_t> owner;
  View<const std::int32_t> order;
  View<const double> threshold;
  View<const double> rates;
  View<std::uint64_t> key;
  View<std::int32_t> value;

  PSL_HD void operator()(std::int64_t place) const {
    const std::int32_t sample = order[place];
    key[sample] = bits_of(threshold[place] / rates[owner[sample]]);
    value[place] = static_cast<std::int32_t>(place);
  }
};

}  // namespace detail

template <class Context>
KeyedSchedule<Context>::KeyedSchedule(Context& ctx, const DevicePopulation<Context>& population, const Chunks& chunks,
                                      bool owners)
    : ctx_(&ctx),
      population_(&population),
      chunks_(chunks),
      owners_(owners),
      pairs_(ctx, chunks.samples),
      active_lists_(ctx, bounds()) {}

template <class Context>
ScheduleBounds KeyedSchedule<Context>::bounds() const {
  return keyed_bounds(chunks_, owners_ ? population_->clients : 0);
}

template <class Context>
void KeyedSchedule<Context>::build(View<const double> odds, std::uint64_t seed, std::uint32_t epoch,
                                   ScheduleBuffer<Context>& out) {
  {
    const Range range("keyed: draw keys");
    for_each_index(*ctx_, chunks_.samples,
                   detail::FillKeys{seed, epoch, population_->owner.view(), odds, pairs_.keys(), pairs_.values()});
  }
  sort_and_cut(out);
}

template <class Context>
void KeyedSchedule<Context>::build(const ClientThresholds<Context>& thresholds, View<const double> rates,
                                   ScheduleBuffer<Context>& out) {
  for_each_index(*ctx_, chunks_.samples,
                 detail::ThresholdKeys{population_->owner.view(), thresholds.order(), thresholds.threshold(), rates,
                                       pairs_.keys(), pairs_.values()});
  sort_and_cut(out);
}

template <class Context>
void KeyedSchedule<Context>::sort_and_cut(ScheduleBuffer<Context>& out) {
  Context& ctx = *ctx_;
  out.slots = chunks_.samples;
  out.steps = chunks_.steps();
  {
    const Range range("keyed: sort");
    pairs_.sort(63);  // keys are positive doubles
  }
  const View<std::int32_t> step_first = out.step_first.view().sub(0, out.steps + 1);
  for_each_index(ctx, out.steps + 1, detail::CutSteps{chunks_, step_first});
  if (!owners_) {
    const auto bytes = static_cast<std::size_t>(out.slots) * sizeof(std::int32_t);
    ctx.copy(out.sample.data(), pairs_.values().data(), bytes);
    out.client.fill_zero();
    out.active_first.fill_zero();
    return;
  }
  {
    const Range range("keyed: group by client");
    group_by_client(ctx, pairs_, View<const std::int32_t>(step_first), chunks_.batch, population_->owner.view(),
                    population_->clients, out.sample.view().sub(0, out.slots), out.client.view().sub(0, out.slots));
  }
  const Range range("keyed: active lists");
  active_lists_.build(out);
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)           \
  template class KeyedSchedule<C>;
