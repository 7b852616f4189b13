#pragma once

#include <algorithm>

#include "samplers/schedule/schedule.hpp"

namespace splitsim {

namespace detail {

constexpr std::int64_t kTileSlots = 256;  // slots that one index looks through

/// One tile's walk over its slots. Counting and listing share it, so that they cannot disagree.
struct ActiveWalk {
  View<const std::int32_t> step_first;  // [T+1]
  View<const std::int32_t> client;      // [slots]

  /// Calls enter(t) for every step that starts within the tile, before its slots, and open(i) for every slot that is
  /// the first of its client in its step.
  template <class Enter, class Open>
  PSL_HD void operator()(std::int64_t tile, Enter enter, Open open) const {
    const std::int64_t slots = client.size(), begin = tile * kTileSlots;
    const std::int64_t end = begin + kTileSlots < slots ? begin + kTileSlots : slots;
    std::int64_t t = 0, high = step_first.size();  // t becomes the first step at or behind `begin`
    while (t < high) {
      const std::int64_t middle = (t + high) / 2;
      if (step_first[middle] < begin) {
        t = middle + 1;
      } else {
        high = middle;
      }
    }
    for (std::int64_t i = begin; i < end; ++i) {
      bool opens = false;
      for (; t < step_first.size() && step_first[t] == i; ++t, opens = true) enter(t);
      if (opens || client[i] != client[i - 1]) open(i);
    }
    if (end < slots) return;
    for (; t < step_first.size(); ++t) enter(t);  // empty steps at the end, and T itself
  }
};

struct CountActive {
  ActiveWalk walk;
  View<std::int32_t> count;  // [tiles]

  PSL_HD void operator()(std::int64_t tile) const {
    std::int32_t active = 0;
    walk(
        tile, [](std::int64_t) {}, [&](std::int64_t) { ++active; });
    count[tile] = active;
  }
};

struct ListActive {
  ActiveWalk walk;
  View<const std::int32_t> tile_first;
  View<std::int32_t> active_first;
  View<std::int32_t> active_client;
  View<std::int32_t> active_slot;

  PSL_HD void operator()(std::int64_t tile) const {
    std::int32_t at = tile_first[tile];
    walk(
        tile, [&](std::int64_t t) { active_first[t] = at; },
        [&](std::int64_t i) {
          active_client[at] = walk.client[i];
          active_slot[at] = static_cast<std::int32_t>(i);
          ++at;
        });
  }
};

}  // namespace detail

template <class Context>
ActiveLists<Context>::ActiveLists(Context& ctx, const ScheduleBounds& bounds)
    : ctx_(&ctx),
      tile_first_(ctx, (bounds.slots + detail::kTileSlots - 1) / detail::kTileSlots),
      prefix_sum_(ctx, tile_first_.size()) {}

template <class Context>
void ActiveLists<Context>::build(ScheduleBuffer<Context>& buffer) {
  const std::int64_t tiles = (buffer.slots + detail::kTileSlots - 1) / detail::kTileSlots;
  const View<std::int32_t> tile_first = tile_first_.view().sub(0, tiles);
  const detail::ActiveWalk walk{buffer.step_first.view().sub(0, buffer.steps + 1),
                                buffer.client.view().sub(0, buffer.slots)};
  for_each_index(*ctx_, tiles, detail::CountActive{walk, tile_first});
  prefix_sum_.exclusive(tile_first);
  for_each_index(*ctx_, tiles,
                 detail::ListActive{walk, tile_first, buffer.active_first.view(), buffer.active_client.view(),
                                    buffer.active_slot.view()});
}

template <class Context>
Schedule download(const ScheduleBuffer<Context>& buffer) {
  Schedule schedule;
  schedule.sample = buffer.sample.download(buffer.slots);
  schedule.client = buffer.client.download(buffer.slots);
  schedule.step_first = buffer.step_first.download(buffer.steps + 1);
  schedule.active_first = buffer.active_first.download(buffer.steps + 1);
  schedule.active_client = buffer.active_client.download(schedule.active_first.back());
  schedule.active_slot = buffer.active_slot.download(schedule.active_first.back());
  return schedule;
}

template <class Context>
void upload(const Schedule& schedule, ScheduleBuffer<Context>& buffer, ActiveLists<Context>& active_lists) {
  check_schedule(schedule, buffer.bounds);
  buffer.steps = schedule.steps();
  buffer.slots = schedule.slots();
  buffer.sample.upload(schedule.sample);
  buffer.client.upload(schedule.client);
  buffer.step_first.upload(schedule.step_first);
  if (schedule.nobody_active()) {
    buffer.active_first.fill_zero();
    return;
  }
  active_lists.build(buffer);
}

template <class Context>
void upload(Context& ctx, const Schedule& schedule, ScheduleBuffer<Context>& buffer) {
  ActiveLists<Context> active_lists(ctx, buffer.bounds);
  upload(schedule, buffer, active_lists);
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                      \
  template class ActiveLists<C>;                                              \
  template Schedule download(const ScheduleBuffer<C>&);                       \
  template void upload(C&, const Schedule&, ScheduleBuffer<C>&);              \
  template void upload(const Schedule&, ScheduleBuffer<C>&, ActiveLists<C>&);
