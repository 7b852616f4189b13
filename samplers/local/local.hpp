// Local sampling: every client decides alone how much it gives to each step. fls and fpls (paper): client k gives
// min(b_k, what it has left) samples to every step until it is depleted; nothing is redistributed, so late batches
// shrink and steps multiply to T = max_k ceil(n_k / b_k). Which of its samples a client gives follows its local order,
// drawn anew every epoch; who gives how many to which step is the same in every epoch.
//
// Determinism: exact on every backend, for any number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/primitives/sort.hpp"
#include "samplers/population/population.hpp"
#include "samplers/schedule/schedule.hpp"

namespace splitsim {

/// b_k of fls: max(1, B/K rounded to nearest, ties to even), the same for all clients. [K]
std::vector<std::int64_t> fls_batches(const Population& population, std::int64_t batch);
/// b_k of fpls: max(1, B n_k / N rounded to nearest, ties to even). [K]
std::vector<std::int64_t> fpls_batches(const Population& population, std::int64_t batch);

/// A schedule of places instead of samples: `sample` of a slot is a place in the list of all samples grouped by client,
/// client k's j-th own sample having place client_first[k] + j. Active lists are left empty.
Schedule local_layout(const Population& population, const std::vector<std::int64_t>& batches);

/// Puts all samples into pairs.values(), grouped by client, each client's ordered by (e_i, sample id), where e_i is the
/// sample's key in ugs (in pass 0; other passes over the same data have keys of their own). `pairs` must hold N.
template <class Context>
void local_order(Context& ctx, const DevicePopulation<Context>& population, PairSort<Context>& pairs,
                 std::uint64_t seed, std::uint32_t epoch, std::uint32_t pass = 0);

/// Draws epochs of a fixed layout, filling its places by each epoch's local orders. With several `passes`, each over
/// all samples in orders of its own, places p N to (p + 1) N - 1 are those of pass p.
template <class Context>
class LocalSchedule {
 public:
  LocalSchedule(Context& ctx, const DevicePopulation<Context>& population, const Schedule& layout,
                std::int64_t passes = 1);

  const ScheduleBounds& bounds() const { return layout_.bounds; }
  void build(std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out);

 private:
  Context* ctx_;
  const DevicePopulation<Context>* population_;
  ScheduleBuffer<Context> layout_;
  PairSort<Context> pairs_;
  std::int64_t passes_;
  Buffer<std::int32_t, Context> orders_;  // [passes, N], if there are several
};

}  // namespace splitsim
