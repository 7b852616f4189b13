#pragma once

#include <bit>
#include <utility>
#include <vector>

#include "kernels/device/profile_range.hpp"
#include "samplers/pack/lbpack.hpp"
#include "samplers/pack/step_cover.hpp"

namespace splitsim {

namespace detail {

struct CountStepClasses {
  View<const std::int32_t> step_first;  // [T + 1]
  View<const std::int32_t> sample;
  View<const std::int32_t> label;
  std::int32_t classes;
  View<std::int32_t> count;  // [T, C]

  PSL_HD void operator()(std::int64_t t) const {
    std::int32_t* mine = count.data() + t * classes;
    for (std::int32_t c = 0; c < classes; ++c) mine[c] = 0;
    for (std::int64_t i = step_first[t]; i < step_first[t + 1]; ++i) mine[label[sample[i]]] += 1;
  }
};

struct ClassTurnKeys {
  Chunks chunks;
  View<const std::int32_t> sample;
  View<const std::int32_t> label;
  View<const std::int32_t> turn;  // [T], or empty: the steps' own order
  int turn_bits;
  View<std::uint64_t> key;
  View<std::int32_t> value;

  PSL_HD void operator()(std::int64_t i) const {
    const std::uint64_t when = turn.empty() ? 0 : static_cast<std::uint64_t>(turn[chunks.step_of(i)]);
    key[i] = (static_cast<std::uint64_t>(label[sample[i]]) << turn_bits) | when;
    value[i] = static_cast<std::int32_t>(i);
  }
};

struct DealToPlaces {
  View<const std::int32_t> place;
  View<const std::int32_t> sample;
  View<std::int32_t> dealt;

  PSL_HD void operator()(std::int64_t i) const { dealt[place[i]] = sample[i]; }
};

}  // namespace detail

template <class Context>
LbPackSchedule<Context>::LbPackSchedule(Context& ctx, const DevicePopulation<Context>& population, LevelStock stock,
                                        const Chunks& chunks, StepOrder order)
    : ctx_(&ctx),
      population_(&population),
      stock_(std::move(stock)),
      chunks_(chunks),
      shuffled_(order == StepOrder::kShuffled),
      ugs_(ctx, population, chunks, false),
      class_order_(ctx, population, stock_),
      place_(ctx, chunks.samples),
      counts_(ctx, shuffled_ ? chunks.steps() * stock_.classes : 0),
      turn_(ctx, shuffled_ ? chunks.steps() : 0),
      active_lists_(ctx, bounds()) {}

template <class Context>
void LbPackSchedule<Context>::build(std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out) {
  Context& ctx = *ctx_;
  ugs_.build({}, seed, epoch, out);
  if (shuffled_) rank_steps(out);
  PairSort<Context>& pairs = ugs_.workspace();
  const auto bytes = static_cast<std::size_t>(out.slots) * sizeof(std::int32_t);
  {
    const Range range("lbpack: places by class");
    const int turn_bits = shuffled_ ? std::bit_width(static_cast<std::uint64_t>(chunks_.steps() - 1)) : 0;
    for_each_index(ctx, out.slots,
                   detail::ClassTurnKeys{chunks_, out.sample.view(), population_->label.view(), turn_.view(), turn_bits,
                                         pairs.keys(), pairs.values()});
    pairs.sort(turn_bits + std::bit_width(static_cast<std::uint32_t>(stock_.classes - 1)));
    ctx.copy(place_.data(), pairs.values().data(), bytes);
  }
  class_order_.sort(pairs, seed, epoch);
  for_each_index(ctx, out.slots, detail::DealToPlaces{place_.view(), pairs.values(), out.sample.view()});
  ctx.copy(pairs.values().data(), out.sample.data(), bytes);
  {
    const Range range("lbpack: group by client");
    const View<const std::int32_t> step_first = out.step_first.view().sub(0, out.steps + 1);
    group_by_client(ctx, pairs, step_first, chunks_.batch, population_->owner.view(), population_->clients,
                    out.sample.view().sub(0, out.slots), out.client.view().sub(0, out.slots));
  }
  const Range range("lbpack: active lists");
  active_lists_.build(out);
}

template <class Context>
void LbPackSchedule<Context>::rank_steps(const ScheduleBuffer<Context>& ugs) {
  const Range range("lbpack: order steps");
  for_each_index(*ctx_, ugs.steps,
                 detail::CountStepClasses{ugs.step_first.view(), ugs.sample.view(), population_->label.view(),
                                          stock_.classes, counts_.view()});
  const std::vector<std::int32_t> order = covering_order(counts_.download(), stock_);
  std::vector<std::int32_t> turn(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) turn[order[i]] = static_cast<std::int32_t>(i);
  turn_.upload(turn);
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C) template class LbPackSchedule<C>;
