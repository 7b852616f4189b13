// Which samples of which clients make up each global batch of one epoch.
//
// An epoch is a list of slots in step order; step t is slots [step_first[t], step_first[t+1]), sorted by client. The
// active clients of step t are entries [active_first[t], active_first[t+1]) of (active_client, active_slot), ascending,
// where active_slot is the epoch-wide index of the client's first slot in that step. All arrays have capacities fixed
// before the run, so a captured training step can read them at unchanging addresses.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/device/buffer.hpp"
#include "kernels/device/macros.hpp"
#include "kernels/primitives/sort.hpp"

namespace splitsim {

/// Upper bounds, fixed before the run from (population, sampler settings).
struct ScheduleBounds {
  std::int64_t slots = 0;   ///< per epoch
  std::int64_t steps = 0;   ///< T per epoch
  std::int64_t batch = 0;   ///< S: slots per step
  std::int64_t active = 0;  ///< active clients per step
};

/// Runs of slots of one epoch that belong to the same thing: those of step t are [first[t], first[t+1]), ascending by
/// slot.
struct RunsView {
  const std::int32_t* first = nullptr;  ///< [T+1]
  const std::int32_t* id = nullptr;     ///< whose they are
  const std::int32_t* slot = nullptr;   ///< epoch-wide index of the first slot

  /// Samples of run e, which lies in step t, whose slots end at `step_end`.
  PSL_HD std::int32_t samples_of(std::int64_t t, std::int64_t e, std::int32_t step_end) const {
    return (e + 1 < first[t + 1] ? slot[e + 1] : step_end) - slot[e];
  }
};

/// Trivially copyable device pointers of one epoch's schedule.
struct ScheduleView {
  const std::int32_t* sample = nullptr;         ///< [slots]
  const std::int32_t* client = nullptr;         ///< [slots]
  const std::int32_t* step_first = nullptr;     ///< [T+1]
  const std::int32_t* active_first = nullptr;   ///< [T+1]
  const std::int32_t* active_client = nullptr;  ///< [<= slots]
  const std::int32_t* active_slot = nullptr;    ///< [<= slots]
  /// [T] of a schedule dealt into micro-steps: the step of the original one that each belongs to; null: its own.
  const std::int32_t* parent = nullptr;
  RunsView groups = {};  ///< of a schedule dealt by groups; else null

  PSL_HD std::int32_t parent_of(std::int32_t step) const { return parent == nullptr ? step : parent[step]; }
  /// B_t.
  PSL_HD std::int32_t batch(std::int64_t t) const { return step_first[t + 1] - step_first[t]; }
  /// b: samples of active entry e, which lies in step t.
  PSL_HD std::int32_t samples_of(std::int64_t t, std::int64_t e) const {
    return clients().samples_of(t, e, step_first[t + 1]);
  }
  PSL_HD RunsView clients() const { return {active_first, active_client, active_slot}; }
};

/// Host value: what is saved, loaded, hashed and compared.
struct Schedule {
  std::vector<std::int32_t> sample;
  std::vector<std::int32_t> client;
  std::vector<std::int32_t> step_first;
  std::vector<std::int32_t> active_first;
  std::vector<std::int32_t> active_client;
  std::vector<std::int32_t> active_slot;

  std::int64_t steps() const { return static_cast<std::int64_t>(step_first.size()) - 1; }
  std::int64_t slots() const { return static_cast<std::int64_t>(sample.size()); }
  /// Pointers into this schedule, on the host.
  ScheduleView view() const {
    return {sample.data(),        client.data(),      step_first.data(), active_first.data(),
            active_client.data(), active_slot.data(), nullptr,           {}};
  }
  /// SHA-256 over (sample, client, step_first); the active lists follow from these.
  std::string sha256() const;
  /// Whether the active lists say that no client takes part (the central sampler); false while they are unset.
  bool nobody_active() const;
};

/// Device storage for one epoch, at capacity. `steps` and `slots` of the epoch now in it are known to the host without
/// a read, since every sampler knows them before it draws.
template <class Context>
struct ScheduleBuffer {
  ScheduleBuffer(Context& ctx, const ScheduleBounds& limits)
      : bounds(limits),
        sample(ctx, limits.slots),
        client(ctx, limits.slots),
        step_first(ctx, limits.steps + 1),
        active_first(ctx, limits.steps + 1),
        active_client(ctx, limits.slots),
        active_slot(ctx, limits.slots) {}

  ScheduleView view() const {
    return {sample.data(),        client.data(),      step_first.data(), active_first.data(),
            active_client.data(), active_slot.data(), nullptr,           {}};
  }
  static std::uint64_t bytes(const ScheduleBounds& limits) {
    return 4u * (4u * static_cast<std::uint64_t>(limits.slots) + 2u * static_cast<std::uint64_t>(limits.steps + 1));
  }

  ScheduleBounds bounds;
  std::int64_t steps = 0;
  std::int64_t slots = 0;
  Buffer<std::int32_t, Context> sample;
  Buffer<std::int32_t, Context> client;
  Buffer<std::int32_t, Context> step_first;
  Buffer<std::int32_t, Context> active_first;
  Buffer<std::int32_t, Context> active_client;
  Buffer<std::int32_t, Context> active_slot;
};

/// Throws InputError unless `schedule` is one (lengths agree, steps in order, ids from 0, slots sorted by client within
/// a step) and fits into `bounds`.
void check_schedule(const Schedule& schedule, const ScheduleBounds& bounds);

/// The tightest bounds that hold `schedule`.
ScheduleBounds bounds_of(const Schedule& schedule);

/// Completes a buffer's active lists from (client, step_first), for at least one slot; owns the workspace for that.
template <class Context>
class ActiveLists {
 public:
  ActiveLists(Context& ctx, const ScheduleBounds& bounds);
  void build(ScheduleBuffer<Context>& buffer);

 private:
  Context* ctx_;
  Buffer<std::int32_t, Context> tile_first_;  // [tiles of slots] active entries before each tile
  PrefixSum<Context> prefix_sum_;
};

/// Puts a schedule that is complete on the host, active lists included and in any order within a step, on the device.
/// It must fit into the buffer's bounds.
template <class Context>
void upload_complete(const Schedule& schedule, ScheduleBuffer<Context>& buffer) {
  buffer.steps = schedule.steps();
  buffer.slots = schedule.slots();
  buffer.sample.upload(schedule.sample);
  buffer.client.upload(schedule.client);
  buffer.step_first.upload(schedule.step_first);
  buffer.active_first.upload(schedule.active_first);
  buffer.active_client.upload(schedule.active_client);
  buffer.active_slot.upload(schedule.active_slot);
}

/// Copies an epoch's schedule to the host. Synchronises.
template <class Context>
Schedule download(const ScheduleBuffer<Context>& buffer);

/// Puts a host-built schedule (sample, client, step_first; slots sorted by client within a step) on the device and
/// completes its active lists; one with nobody_active() stays so. Errors: those of check_schedule().
template <class Context>
void upload(Context& ctx, const Schedule& schedule, ScheduleBuffer<Context>& buffer);
/// The same with a workspace of the caller's, made for the buffer's bounds: allocates nothing.
template <class Context>
void upload(const Schedule& schedule, ScheduleBuffer<Context>& buffer, ActiveLists<Context>& active_lists);

}  // namespace splitsim
