// Clock's body.
#pragma once

#include <algorithm>
#include <optional>

#include "base/error.hpp"
#include "kernels/device/profile_range.hpp"
#include "kernels/primitives/sort.hpp"
#include "runtime/clock/folds.hpp"
#include "runtime/clock/run_ahead_fold.hpp"
#include "runtime/clock/timeline.hpp"

namespace splitsim {

namespace detail {

/// Keys whose stable sort puts each step's entries into a random service order, or the order in which their groups are
/// served; the steps stay where they are.
struct ServiceKeys {
  EpochEntries entries;
  const std::int32_t* group;  ///< [K], or null
  std::int32_t groups;
  std::int64_t capacity;
  std::uint64_t seed;
  std::uint32_t epoch;
  View<std::uint64_t> key;   ///< [capacity]
  View<std::int32_t> order;  ///< [capacity]

  PSL_HD void operator()(std::int64_t e) const {
    order[e] = static_cast<std::int32_t>(e);
    if (e >= entries.first(entries.steps)) {
      key[e] = ~std::uint64_t{0};
      return;
    }
    const std::int64_t t = entries.step_of(e);
    const std::int32_t k = entries.client(e);
    key[e] = (static_cast<std::uint64_t>(t) << 32) |
             (group == nullptr ? service_key(seed, epoch, t, k)
                               : group_turn_key(entries.service_order, seed, epoch, t, group[k], groups));
  }
};

}  // namespace detail

template <class Context>
struct Clock<Context>::Impl {
  Impl(Context& context, const Profile& host_profile, const LatencySettings& settings, const ScheduleBounds& bounds,
       const ClockMode& clock_mode)
      : ctx(context),
        mode(resolved(clock_mode, settings)),
        one_barrier(settings.barrier == Barrier::kOne),
        model_sync(resolved_sync(clock_mode, settings)),
        jitter(checked_drawer(settings.jitter)),
        clients(host_profile.clients()),
        capacity(std::min(bounds.slots, bounds.steps * bounds.active)),
        piece(steps_of_piece(settings, bounds)),
        server_fixed_ns(host_profile.server_fixed_ns),
        server_per_sample_ns(host_profile.server_per_sample_ns),
        client_times(ctx, packed(host_profile)),
        entry_forward_ns(ctx, std::min(capacity, piece * bounds.active)),
        entry_backward_ns(ctx, entry_forward_ns.size()),
        times(ctx, bounds.steps) {
    if (mode.round_steps < 0) {
      throw InputError("round length = " + std::to_string(mode.round_steps) + " steps: must be >= 0 (0: the epoch)");
    }
    if (sorts()) service.emplace(ctx, capacity);
    if (mode.kind == ClockKind::kClusters) {
      if (static_cast<std::int32_t>(mode.groups.of.size()) != clients) {
        throw InputError("clock: a mode of clusters needs the group of each of " + std::to_string(clients) +
                         " clients");
      }
      group = Buffer<std::int32_t, Context>(ctx, mode.groups.of);
    }
    if (overlaps(mode.kind)) {
      ready_ns = Buffer<std::int64_t, Context>(ctx, clients);
      server_ns = Buffer<std::int64_t, Context>(ctx, 2);
      set_ready(0);
    }
    if (settings.drops_late()) earliest_ns = Buffer<std::int64_t, Context>(ctx, bounds.steps);
    if (mode.track_waiting) {
      waiting_ns = Buffer<std::int64_t, Context>(ctx, clients);
      total_ns = Buffer<std::int64_t, Context>(ctx, clients);
      if (mode.held_entries == 0) entry_waiting = Buffer<EntryWaiting, Context>(ctx, capacity);
      waiting_ns.fill_zero();
      total_ns.fill_zero();
    }
  }

  static ClockMode resolved(ClockMode mode, const LatencySettings& settings) {
    mode.kind = resolved_kind(mode, settings);
    return mode;
  }
  static Drawer checked_drawer(const Distribution& distribution) {
    check_distribution(distribution, "clock.jitter", false);
    const DistributionInfo& info = distribution_info(distribution.kind);
    if (!info.jitter)
      throw InputError("clock.jitter.kind = \"" + info.name + "\": cannot be drawn per step and client");
    return make_drawer(distribution);
  }

  /// Steps whose durations are held at a time: all of them, unless nobody asks for entries and steps know nothing of each
  /// other.
  std::int64_t steps_of_piece(const LatencySettings& settings, const ScheduleBounds& bounds) const {
    const bool whole = mode.held_entries == 0 || mode.kind != ClockKind::kBarrier || settings.drops_late();
    if (whole || bounds.active == 0) return bounds.steps;
    return std::min(bounds.steps, std::max<std::int64_t>(1, mode.held_entries / bounds.active));
  }

  bool sorts() const {
    if (mode.kind == ClockKind::kClusters) return true;
    return (mode.kind == ClockKind::kChain || mode.kind == ClockKind::kRelay) &&
           mode.service_order == ServiceOrder::kRandom;
  }
  static std::vector<ProfileRow> packed(const Profile& profile) {
    std::vector<ProfileRow> times;
    times.reserve(profile.delay_ns.size());
    for (std::size_t k = 0; k < profile.delay_ns.size(); ++k) times.push_back(profile_row(profile, k));
    return times;
  }
  ProfileView profile() const { return {client_times.data(), server_fixed_ns, server_per_sample_ns}; }

  void set_ready(std::int64_t t) {
    ready_ns.upload(std::vector<std::int64_t>(static_cast<std::size_t>(clients), t));
    server_ns.upload({t, t});
  }

  EntryDurations durations(const ScheduleBuffer<Context>& schedule, std::uint64_t seed, std::uint32_t epoch,
                           std::int64_t from_step = 0) {
    const EpochEntries entries{
        schedule.view(), schedule.steps, entry_forward_ns.data(), entry_backward_ns.data(), mode.service_order,
        nullptr,         from_step};
    return {entries, profile(), jitter, clients, seed, epoch, model_sync == ModelSync::kStep, {mode.upload_every}};
  }
  EpochEntries enqueue_durations(const ScheduleBuffer<Context>& schedule, std::uint64_t seed, std::uint32_t epoch) {
    const EntryDurations all = durations(schedule, seed, epoch);
    for_each_index(ctx, Extent{capacity, schedule.active_first.data() + schedule.steps, 1}, all);
    return all.entries;
  }

  /// Barriers of an epoch, piece by piece.
  void enqueue_pieces(const ScheduleBuffer<Context>& schedule, std::uint64_t seed, std::uint32_t epoch) {
    for (std::int64_t from = 0; from < schedule.steps; from += piece) {
      const std::int64_t to = std::min(from + piece, schedule.steps);
      const EntryDurations of = durations(schedule, seed, epoch, from);
      for_each_index(ctx, entry_forward_ns.size(), PieceDurations{of, to});
      for_each_block(ctx, to - from, BarrierFold{of.entries, profile(), one_barrier, nullptr, times.data()});
      enqueue_waiting(of.entries, to);
    }
  }

  void enqueue_waiting(const EpochEntries& entries, std::int64_t to_step) {
    if (!mode.track_waiting) return;
    for_each_block(ctx, 1,
                   WaitingFold{entries,
                               profile(),
                               mode.kind,
                               group.data(),
                               times.data(),
                               {waiting_ns.data(), total_ns.data(), entry_waiting.data()},
                               to_step});
  }

  /// Fills times[0, T) on the device.
  void enqueue(const ScheduleBuffer<Context>& schedule, std::uint64_t seed, std::uint32_t epoch,
               const std::vector<std::int64_t>& earliest) {
    const std::int64_t steps = schedule.steps;
    if (piece < steps) {
      enqueue_pieces(schedule, seed, epoch);
      enqueue_rounds(durations(schedule, seed, epoch).entries);
      return;
    }
    EpochEntries entries = enqueue_durations(schedule, seed, epoch);
    earliest_ns.upload(earliest);
    if (service) {
      for_each_index(
          ctx, capacity,
          detail::ServiceKeys{entries, group.size() > 0 ? group.data() : nullptr, mode.groups.count, capacity,
                              mode.service_seed.value_or(seed), epoch, service->keys(), service->values()});
      service->sort();
      entries.order = service->values().data();
    }
    switch (mode.kind) {
      case ClockKind::kBarrier:
        for_each_block(ctx, steps,
                       BarrierFold{entries, profile(), one_barrier, earliest.empty() ? nullptr : earliest_ns.data(),
                                   times.data()});
        break;
      case ClockKind::kChain:
        for_each_block(ctx, steps, ChainFold{entries, profile(), times.data()});
        break;
      case ClockKind::kRelay:
        for_each_block(ctx, steps, RelayFold{entries, profile(), times.data()});
        break;
      case ClockKind::kClusters:
        for_each_block(ctx, steps, ClusterFold{entries, profile(), group.data(), one_barrier, times.data()});
        break;
      case ClockKind::kServer:
        for_each_index(ctx, steps, ServerFold{entries, profile(), times.data()});
        break;
      case ClockKind::kRunAhead:
      case ClockKind::kLocal:
      case ClockKind::kOneWay:
        for_each_block(ctx, 1,
                       RunAheadFold{entries,
                                    profile(),
                                    mode.kind == ClockKind::kRunAhead,
                                    {mode.kind == ClockKind::kRunAhead ? 1
                                     : mode.kind == ClockKind::kOneWay ? mode.upload_every
                                                                       : 0},
                                    model_sync == ModelSync::kRound,
                                    {mode.round_steps},
                                    ready_ns.data(),
                                    server_ns.data(),
                                    {waiting_ns.data(), total_ns.data(), entry_waiting.data()},
                                    times.data()});
        return;  // it did the rest as well
    }
    enqueue_waiting(entries, steps);
    enqueue_rounds(entries);
  }

  void enqueue_rounds(const EpochEntries& entries) {
    if (model_sync == ModelSync::kRound) {
      for_each_block(ctx, entries.steps, RoundSync{entries, profile(), {mode.round_steps}, times.data()});
    }
  }

  Context& ctx;
  ClockMode mode;
  bool one_barrier;
  ModelSync model_sync;
  Drawer jitter;
  std::int32_t clients;
  std::int64_t capacity;  // of active entries per epoch
  std::int64_t piece;     // steps whose durations are held at a time
  std::int64_t now_ns = 0;
  std::int64_t server_fixed_ns, server_per_sample_ns;
  Buffer<ProfileRow, Context> client_times;                           // [K]
  Buffer<std::int64_t, Context> entry_forward_ns, entry_backward_ns;  // [entries of a piece]
  std::optional<PairSort<Context>> service;                           // random order only
  Buffer<std::int32_t, Context> group;                                // [K], clusters only
  Buffer<std::int64_t, Context> ready_ns, server_ns;                  // [K], [2], where steps overlap
  Buffer<std::int64_t, Context> waiting_ns, total_ns;                 // [K], track_waiting only
  Buffer<EntryWaiting, Context> entry_waiting;                        // [capacity], track_waiting and held_entries = 0
  Buffer<std::int64_t, Context> earliest_ns;                          // [T], where somebody can be late
  Buffer<StepTime, Context> times;                                    // [T]
};

template <class Context>
Clock<Context>::Clock(Context& ctx, const Profile& profile, const LatencySettings& settings,
                      const ScheduleBounds& bounds, const ClockMode& mode)
    : impl_(std::make_unique<Impl>(ctx, profile, settings, bounds, mode)) {}

template <class Context>
Clock<Context>::~Clock() = default;

template <class Context>
EntryTimes Clock<Context>::entry_times(const ScheduleBuffer<Context>& schedule, std::int64_t entries,
                                       std::uint64_t seed, std::uint32_t epoch) {
  impl_->enqueue_durations(schedule, seed, epoch);
  return {impl_->entry_forward_ns.download(entries), impl_->entry_backward_ns.download(entries)};
}

template <class Context>
Timeline Clock<Context>::build(const ScheduleBuffer<Context>& schedule, std::uint64_t seed, std::uint32_t epoch,
                               const std::vector<std::int64_t>& earliest_ns) {
  const Range range("clock");
  Impl& my = *impl_;
  my.enqueue(schedule, seed, epoch, earliest_ns);
  const std::vector<StepTime> times = my.times.download(schedule.steps);
  const bool relative = !overlaps(my.mode.kind);
  Timeline timeline;
  timeline.start_ns.reserve(times.size());
  timeline.end_ns.reserve(times.size());
  timeline.critical_forward.reserve(times.size());
  timeline.critical_backward.reserve(times.size());
  for (const StepTime& time : times) {
    const std::int64_t base = relative ? my.now_ns : 0;
    timeline.start_ns.push_back(base + time.start_ns);
    my.now_ns = add_ns(base, time.end_ns);
    timeline.end_ns.push_back(my.now_ns);
    timeline.critical_forward.push_back(time.critical_forward);
    timeline.critical_backward.push_back(time.critical_backward);
  }
  if (my.now_ns >= kForever) {
    throw InputError("[clock]: virtual time passes 2^62 ns (146 years) in epoch " + std::to_string(epoch + 1) +
                     ": the latencies must be smaller");
  }
  return timeline;
}

template <class Context>
std::int64_t Clock<Context>::now_ns() const {
  return impl_->now_ns;
}

template <class Context>
void Clock<Context>::set_now_ns(std::int64_t t) {
  impl_->now_ns = t;
  if (overlaps(impl_->mode.kind)) impl_->set_ready(t);
}

template <class Context>
ClockState Clock<Context>::state() const {
  ClockState state;
  state.now_ns = impl_->now_ns;
  if (overlaps(impl_->mode.kind)) {
    state.server_ready_ns = impl_->server_ns.download(1)[0];
    state.client_ready_ns = impl_->ready_ns.download();
  }
  return state;
}

template <class Context>
void Clock<Context>::set_state(const ClockState& state) {
  set_now_ns(state.now_ns);
  if (!overlaps(impl_->mode.kind)) return;
  if (state.client_ready_ns.size() != static_cast<std::size_t>(impl_->clients)) {
    throw InputError("saved clock: it has " + std::to_string(state.client_ready_ns.size()) + " clients: must be " +
                     std::to_string(impl_->clients));
  }
  impl_->ready_ns.upload(state.client_ready_ns);
  impl_->server_ns.upload({state.server_ready_ns, state.now_ns});
}

template <class Context>
ClientWaiting Clock<Context>::waiting() const {
  return {impl_->waiting_ns.download(), impl_->total_ns.download()};
}

template <class Context>
std::vector<EntryWaiting> Clock<Context>::entry_waiting(std::int64_t entries) const {
  return impl_->entry_waiting.download(entries);
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)   \
  template class Clock<C>;
