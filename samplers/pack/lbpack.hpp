// lbpack (ours): every step has ugs's class counts, those of the same seed, bit for bit; within a class the slowest
// clients' samples are dealt first. Steps are dealt to in ugs's order (slow_first), or (shuffled) first those that hold
// what slow clients have in the fewest steps (step_cover.hpp): ugs's steps are alike, so these lie anywhere in the epoch.
// For equal delays it is ugs, sample for sample. Three sorts of N pairs; shuffled reads [T, C] counts and chooses on the
// host. Determinism: exact on every backend, for any number of threads.
#pragma once

#include <cstdint>

#include "samplers/keyed/keyed.hpp"
#include "samplers/pack/class_order.hpp"
#include "samplers/schedule/sampler.hpp"

namespace splitsim {

template <class Context>
class LbPackSchedule {
 public:
  LbPackSchedule(Context& ctx, const DevicePopulation<Context>& population, LevelStock stock, const Chunks& chunks,
                 StepOrder order);

  ScheduleBounds bounds() const { return keyed_bounds(chunks_, population_->clients); }
  void build(std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out);

 private:
  void rank_steps(const ScheduleBuffer<Context>& ugs);

  Context* ctx_;
  const DevicePopulation<Context>* population_;
  LevelStock stock_;
  Chunks chunks_;
  bool shuffled_;
  KeyedSchedule<Context> ugs_;  // without owners: samples stay in key order
  ClassOrder<Context> class_order_;
  Buffer<std::int32_t, Context> place_;   // [N] places in ugs's order, by class and turn of their step
  Buffer<std::int32_t, Context> counts_;  // [T, C], if shuffled
  Buffer<std::int32_t, Context> turn_;    // [T] of each step, if shuffled
  ActiveLists<Context> active_lists_;
};

}  // namespace splitsim
