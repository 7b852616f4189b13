// The keyed family with rates that change from step to step (see keyed_thresholds.hpp). Step t takes the B_t samples
// whose clocks reach their thresholds first: the smallest (theta_kj - clock_k) / rate_k, ties by (client, place in its
// order). Time stops when the last of them leaves, and every clock keeps what it has run, so that the next step may go
// on at other rates. With constant rates this is the one-sort schedule of KeyedSchedule, up to rounding.
//
// Rates are given as logarithms: Dirichlet draws of small shapes span hundreds of orders of magnitude.
// A step costs O(K) for each of some ten looks at all clients (keyed_steps_cut.hpp), in tiles. Determinism: exact.
#pragma once

#include <cstdint>

#include "samplers/keyed/keyed.hpp"
#include "samplers/keyed/keyed_thresholds.hpp"

namespace splitsim {

namespace detail {
struct SteppedView;  // the device arrays: samplers/keyed/keyed_steps_cut.hpp
}

template <class Context>
class SteppedSchedule {
 public:
  SteppedSchedule(Context& ctx, const DevicePopulation<Context>& population, const Chunks& chunks);

  /// Begins an epoch; `thresholds` must stay as they are until its end.
  void start(const ClientThresholds<Context>& thresholds, ScheduleBuffer<Context>& out);
  /// Fills step t (in order, from 0). log_rates: [K] on the device, finite for every client that has samples left.
  /// Takes the samples drawn away from `histogram` [C, K] and `size` [K] unless these are empty.
  void step(std::int64_t t, View<const double> log_rates, View<std::int32_t> histogram, View<std::int32_t> size,
            ScheduleBuffer<Context>& out);
  /// Ends the epoch: completes the active lists.
  void finish(ScheduleBuffer<Context>& out);

  View<const std::uint8_t> taken() const { return taken_.view(); }  ///< [N] 1 for samples that have left
  View<const std::int32_t> given() const { return head_.view(); }   ///< [K] samples that have left, per client
  /// How many clients with samples have none left. Reads the device.
  std::int64_t depleted();

 private:
  detail::SteppedView view();

  Context* ctx_;
  const DevicePopulation<Context>* population_;
  Chunks chunks_;
  const ClientThresholds<Context>* thresholds_ = nullptr;
  Buffer<std::int32_t, Context> head_;     // [K] samples given so far
  Buffer<std::int32_t, Context> take_;     // [K] samples given in this step
  Buffer<std::int32_t, Context> offset_;   // [K] slots of the step before the client's
  Buffer<double, Context> clock_;          // [K]
  Buffer<double, Context> log_time_;       // [K] ln of the time until the client's next sample leaves
  Buffer<double, Context> search_;         // [5] times of the search for the step's end
  Buffer<std::int32_t, Context> marks_;    // [4] and its counts; depleted clients
  Buffer<double, Context> tile_time_;      // [tiles of clients]
  Buffer<std::int32_t, Context> tile_count_;  // [several, tiles]
  Buffer<std::uint8_t, Context> taken_;    // [N]
  PrefixSum<Context> prefix_sum_;
  ActiveLists<Context> active_lists_;
};

}  // namespace splitsim
