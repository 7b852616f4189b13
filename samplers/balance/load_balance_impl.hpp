#pragma once

#include <algorithm>
#include <utility>

#include "kernels/device/profile_range.hpp"
#include "samplers/balance/load_balance.hpp"
#include "samplers/balance/stratified.hpp"

namespace splitsim {

template <class Context>
BalancedSchedule<Context>::BalancedSchedule(Context& ctx, const Population& population,
                                            const DevicePopulation<Context>& device_population, ClientTimes times,
                                            const Chunks& chunks, Balance balance, ClassTarget target)
    : population_(&population),
      times_(std::move(times)),
      chunks_(chunks),
      balance_(balance),
      target_(target),
      ugs_(ctx, device_population, chunks, false),
      drawn_(ctx, ugs_.bounds()),
      active_lists_(ctx, bounds()) {}

template <class Context>
ScheduleBounds BalancedSchedule<Context>::bounds() const {
  return {chunks_.samples, chunks_.steps(), chunks_.batch, std::min<std::int64_t>(chunks_.batch, population_->clients)};
}

template <class Context>
void BalancedSchedule<Context>::build(std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out) {
  ugs_.build({}, seed, epoch, drawn_);
  std::vector<std::int32_t> order = drawn_.sample.download(drawn_.slots);
  const Range range("load balance: deal");
  if (target_ == ClassTarget::kStratified) {
    order = stratified_order(order, population_->label, population_->class_total, chunks_, seed, epoch);
  }
  const auto dealer =
      balance_ == Balance::kGreedy ? make_greedy_dealer(*population_, times_) : make_flow_dealer(*population_, times_);
  upload(balanced_schedule(*population_, order, chunks_, *dealer), out, active_lists_);
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)              \
  template class BalancedSchedule<C>;
