// An epoch's active entries on the device and the two integer durations of each: what every clock is folded from
// (runtime/clock/timeline.hpp has the formulas). Determinism: exact (double only in the jitter draws).
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"
#include "runtime/clock/entry_parts.hpp"
#include "runtime/clock/nanoseconds.hpp"
#include "runtime/clock/timeline.hpp"
#include "samplers/latency/distribution_draw.hpp"
#include "samplers/schedule/rounds.hpp"
#include "samplers/schedule/schedule.hpp"

namespace splitsim {

/// The profile on the device.
struct ProfileView {
  const ProfileRow* client;  ///< [K]
  std::int64_t server_fixed_ns;
  std::int64_t server_per_sample_ns;

  PSL_HD std::int64_t server_ns(std::int64_t samples) const {
    return add_ns(server_fixed_ns, times_ns(samples, server_per_sample_ns));
  }
};

/// An epoch's active entries e and their durations. Entries of step t are [first(t), first(t + 1)). The durations at hand
/// are those of the steps from from_step on: of all, or of a piece of an epoch that is too long to hold them.
struct EpochEntries {
  ScheduleView schedule;
  std::int64_t steps;
  std::int64_t* forward_at;   ///< [entries of the piece]
  std::int64_t* backward_at;  ///< [entries of the piece]
  ServiceOrder service_order;
  const std::int32_t* order;  ///< [entries] random service order: position -> entry; else null
  std::int64_t from_step = 0;

  PSL_HD std::int64_t& forward_ns(std::int64_t e) const { return forward_at[e - first(from_step)]; }
  PSL_HD std::int64_t& backward_ns(std::int64_t e) const { return backward_at[e - first(from_step)]; }
  PSL_HD std::int64_t first(std::int64_t t) const { return schedule.active_first[t]; }
  PSL_HD std::int64_t active(std::int64_t t) const { return first(t + 1) - first(t); }
  PSL_HD std::int32_t client(std::int64_t e) const { return schedule.active_client[e]; }
  PSL_HD std::int64_t batch(std::int64_t t) const { return schedule.batch(t); }
  /// b: samples of entry e, which lies in step t.
  PSL_HD std::int64_t samples(std::int64_t t, std::int64_t e) const { return schedule.samples_of(t, e); }
  /// The entry that is served at position i of step t.
  PSL_HD std::int64_t served(std::int64_t t, std::int64_t i) const {
    if (order != nullptr) return order[first(t) + i];
    return service_order == ServiceOrder::kReverse ? first(t + 1) - 1 - i : first(t) + i;
  }
  /// The step of entry e: the last one that starts at or before it (empty steps share their start with the next one).
  PSL_HD std::int64_t step_of(std::int64_t e) const {
    std::int64_t low = 0, high = steps;  // first(low) <= e < first(high)
    while (high - low > 1) {
      const std::int64_t middle = (low + high) / 2;
      (first(middle) <= e ? low : high) = middle;
    }
    return low;
  }
};

/// fwd and bwd of every active entry; the same jitter factor for both. A flat launch, since steps can be few and large.
struct EntryDurations {
  EpochEntries entries;
  ProfileView profile;
  Drawer jitter;
  std::int32_t clients;
  std::uint64_t seed;
  std::uint32_t epoch;
  bool sync_every_step;
  Uploads uploads;

  PSL_HD void operator()(std::int64_t e) const {
    const std::int64_t t = entries.step_of(e);
    const std::int64_t b = entries.samples(t, e);
    const std::int32_t k = entries.client(e);
    const double factor = jitter(seed, jitter_address(k, t, epoch), clients, b);
    const EntryParts parts = entry_parts(profile.client[k], factor, b, sync_every_step, uploads.in(t));
    entries.forward_ns(e) = parts.fwd_ns();
    entries.backward_ns(e) = parts.bwd_ns();
  }
};

/// The same for the entries of steps [entries.from_step, to_step), counted from 0.
struct PieceDurations {
  EntryDurations durations;
  std::int64_t to_step;

  PSL_HD void operator()(std::int64_t i) const {
    const EpochEntries& entries = durations.entries;
    const std::int64_t e = entries.first(entries.from_step) + i;
    if (e < entries.first(to_step)) durations(e);
  }
};

}  // namespace splitsim
