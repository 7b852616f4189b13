// Deals epochs by a law (dealing_law.hpp), on the device. Sample r of class c in the class order (class_order.hpp) is due
// where the law has dealt r + u_c of its class, u_c uniform per class and epoch: positions are integers, in units of 2^-32
// samples, so that due positions are ordered alike everywhere (equal ones by class). All samples by due position are cut
// into T = ceil(N/B) steps. In the steps of one block of the law each class so has its share of the block's rate times
// the step's size, rounded up or down at either end. Since the blocks' ends are whole samples and whole steps, exactly the
// law's samples lie before each. Then the T steps are taken in an order drawn per epoch, which changes no step's time.
// Two sorts of N pairs, one of T; nothing per step is done on the host. Determinism: exact on every backend, for any
// number of threads.
#pragma once

#include <cstdint>

#include "kernels/primitives/sort.hpp"
#include "samplers/keyed/keyed.hpp"
#include "samplers/pack/class_order.hpp"
#include "samplers/pack/dealing_law.hpp"
#include "samplers/schedule/sampler.hpp"
#include "samplers/schedule/schedule.hpp"

namespace splitsim {

template <class Context>
class PackSchedule {
 public:
  PackSchedule(Context& ctx, const DevicePopulation<Context>& population, const LevelStock& stock,
               const DealingLaw& law, const Chunks& chunks, StepOrder order);

  ScheduleBounds bounds() const { return keyed_bounds(chunks_, population_->clients); }
  void build(std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out);

 private:
  void take_steps(std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out);

  Context* ctx_;
  const DevicePopulation<Context>* population_;
  Chunks chunks_;
  bool shuffled_;
  ClassOrder<Context> class_order_;
  PairSort<Context> pairs_;
  Buffer<std::int64_t, Context> position_;  // [blocks + 1] from 0
  Buffer<std::int64_t, Context> dealt_;     // [C, blocks + 1] from 0
  Buffer<std::uint32_t, Context> offset_;   // [C] u_c
  PairSort<Context> steps_;                 // [T]
  Buffer<std::int32_t, Context> start_;     // [T] where a step's samples go
  PrefixSum<Context> prefix_sum_;
  ActiveLists<Context> active_lists_;
};

}  // namespace splitsim
