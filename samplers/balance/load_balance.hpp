// Load balancing under ugs's class counts (arXiv 2609.32132, as its abstract puts it; the details are ours): every step
// keeps the number of samples of each class that the ugs schedule with the same seed has in it, but who supplies them
// is chosen anew, so that the step finishes early. Batch statistics over classes, and so the batch deviation, are those
// of ugs. Samples of one client and class are used in key order, and slots of one client in a step stand in key order.
//
// A step can always be dealt, whatever the earlier ones took: they used exactly the ugs counts of each class, so what
// is left over all clients together is exactly what the remaining steps need of each class, and nothing but its stock
// limits what a client may give. The same holds of any other class counts that use up each class: with
// sampler.target = "stratified" they are p_c B, rounded up or down (stratified.hpp, ours).
//
// What is minimised is the one-barrier client time max_k (d_k [b_k > 0] + tau_k b_k); under two barriers it is a
// surrogate. Schedules are built on the host, between epochs. Determinism: exact.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "samplers/balance/class_stock.hpp"
#include "samplers/keyed/keyed.hpp"
#include "samplers/local/client_times.hpp"
#include "samplers/population/population.hpp"
#include "samplers/schedule/sampler.hpp"
#include "samplers/schedule/schedule.hpp"

namespace splitsim {

/// (client, rank of the sample in ugs order).
using Supply = std::pair<std::int32_t, std::int32_t>;

/// Chooses the suppliers of one step after another of one epoch.
class StepDealer {
 public:
  virtual ~StepDealer() = default;
  /// labels: the classes of the step's samples in ugs order. Appends one supply for each, in any order, taken from
  /// stock.
  virtual void deal(const std::vector<std::int32_t>& labels, ClassStock& stock, std::vector<Supply>& supplies) = 0;
};

/// lb_greedy: sample after sample in ugs order goes to the client that would finish it first, d_k + tau_k (b_k + 1),
/// among those that have its class left; equal times to the lowest id. O(log B) a sample.
std::unique_ptr<StepDealer> make_greedy_dealer(const Population& population, const ClientTimes& times);

/// lb_flow: an integral network flow that minimises the step's completion time. Of all flows that do, it is the one
/// that the greedy algorithm for matroids finds: the pairs (client k, its j-th sample) are looked at in order of d_k +
/// tau_k j, equal times by k, and kept if the stocks allow them beside those kept before, whatever classes their
/// clients then give. (Sets of pairs that can be supplied together are the independent sets of a matroid. So not only
/// the last, but every sample of the step, sorted by the times at which clients finish them, is finished as early as
/// can be: no client is loaded more than it must be.) Given how many samples each client gives, the classes that it
/// gives are those whose table x_kc, read client by client and class by class, is lexicographically largest. So the
/// schedule is defined without reference to the flow algorithm. With one class lb_flow deals as makespan does.
std::unique_ptr<StepDealer> make_flow_dealer(const Population& population, const ClientTimes& times);

/// Deals an epoch: order: its samples in ugs order, cut by `chunks`. Active lists are left empty.
Schedule balanced_schedule(const Population& population, const std::vector<std::int32_t>& order, const Chunks& chunks,
                           StepDealer& dealer);

enum class Balance { kGreedy, kFlow };

/// Draws epochs: the ugs order on the device, one read of it, the deal on the host.
template <class Context>
class BalancedSchedule {
 public:
  BalancedSchedule(Context& ctx, const Population& population, const DevicePopulation<Context>& device_population,
                   ClientTimes times, const Chunks& chunks, Balance balance, ClassTarget target);

  ScheduleBounds bounds() const;
  void build(std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out);

 private:
  const Population* population_;
  ClientTimes times_;
  Chunks chunks_;
  Balance balance_;
  ClassTarget target_;
  KeyedSchedule<Context> ugs_;  // without owners: samples stay in key order
  ScheduleBuffer<Context> drawn_;
  ActiveLists<Context> active_lists_;
};

}  // namespace splitsim
