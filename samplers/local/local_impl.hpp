#pragma once

#include <algorithm>
#include <bit>

#include "kernels/device/profile_range.hpp"
#include "samplers/local/local.hpp"
#include "samplers/schedule/sample_order.hpp"

namespace splitsim {

namespace detail {

struct FillLocalKeys {
  std::uint64_t seed;
  std::uint32_t epoch;
  std::uint32_t pass;
  View<std::uint64_t> key;
  View<std::int32_t> value;

  PSL_HD void operator()(std::int64_t i) const {
    key[i] = bits_of(sample_exponential(seed, epoch, i, pass));
    value[i] = static_cast<std::int32_t>(i);
  }
};

struct OwnerKeys {
  View<const std::int32_t> owner;
  View<const std::int32_t> sample;
  View<std::uint64_t> key;

  PSL_HD void operator()(std::int64_t i) const { key[i] = static_cast<std::uint64_t>(owner[sample[i]]); }
};

struct FillPlaces {
  View<const std::int32_t> place;
  View<const std::int32_t> order;
  View<std::int32_t> sample;

  PSL_HD void operator()(std::int64_t i) const { sample[i] = order[place[i]]; }
};

}  // namespace detail

template <class Context>
void local_order(Context& ctx, const DevicePopulation<Context>& population, PairSort<Context>& pairs,
                 std::uint64_t seed, std::uint32_t epoch, std::uint32_t pass) {
  const Range range("local order");
  for_each_index(ctx, population.samples, detail::FillLocalKeys{seed, epoch, pass, pairs.keys(), pairs.values()});
  pairs.sort(63);
  for_each_index(ctx, population.samples, detail::OwnerKeys{population.owner.view(), pairs.values(), pairs.keys()});
  pairs.sort(std::bit_width(static_cast<std::uint32_t>(population.clients - 1)));
}

template <class Context>
LocalSchedule<Context>::LocalSchedule(Context& ctx, const DevicePopulation<Context>& population, const Schedule& layout,
                                      std::int64_t passes)
    : ctx_(&ctx),
      population_(&population),
      layout_(ctx, bounds_of(layout)),
      pairs_(ctx, population.samples),
      passes_(passes),
      orders_(ctx, passes > 1 ? passes * population.samples : 0) {
  upload(ctx, layout, layout_);
}

template <class Context>
void LocalSchedule<Context>::build(std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out) {
  Context& ctx = *ctx_;
  const std::int64_t samples = population_->samples;
  for (std::int64_t pass = 0; pass < passes_; ++pass) {
    local_order(ctx, *population_, pairs_, seed, epoch, static_cast<std::uint32_t>(pass));
    if (passes_ > 1) {
      ctx.copy(orders_.data() + pass * samples, pairs_.values().data(),
               static_cast<std::size_t>(samples) * sizeof(std::int32_t));
    }
  }
  const View<const std::int32_t> order = passes_ == 1 ? pairs_.values() : orders_.view();
  const Range range("local: fill the layout");
  out.slots = layout_.slots;
  out.steps = layout_.steps;
  for_each_index(ctx, out.slots, detail::FillPlaces{layout_.sample.view(), order, out.sample.view()});
  const auto copy = [&](const auto& from, auto& to, std::int64_t count) {
    ctx.copy(to.data(), from.data(), static_cast<std::size_t>(count) * sizeof(std::int32_t));
  };
  copy(layout_.client, out.client, out.slots);
  copy(layout_.step_first, out.step_first, out.steps + 1);
  copy(layout_.active_first, out.active_first, out.steps + 1);
  copy(layout_.active_client, out.active_client, out.slots);
  copy(layout_.active_slot, out.active_slot, out.slots);
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                \
  template void local_order(C&, const DevicePopulation<C>&, PairSort<C>&, std::uint64_t, std::uint32_t, \
      std::uint32_t);                                                                                   \
  template class LocalSchedule<C>;
