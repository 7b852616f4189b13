#pragma once

#include <bit>
#include <vector>

#include "kernels/device/math.hpp"
#include "kernels/device/profile_range.hpp"
#include "samplers/pack/pack_schedule.hpp"

namespace splitsim {

namespace detail {

struct ClassOffsets {
  std::uint64_t seed;
  std::uint32_t epoch;
  View<std::uint32_t> offset;

  PSL_HD void operator()(std::int64_t c) const {
    offset[c] = random_bits(seed, {Purpose::kPackOffset, static_cast<std::uint32_t>(c), 0, epoch, 0}).x;
  }
};

struct DuePositions {
  int class_shift;
  View<const std::int64_t> class_first;  // [C]
  View<const std::int64_t> position;     // [blocks + 1]
  View<const std::int64_t> dealt;        // [C, blocks + 1]
  View<const std::uint32_t> offset;      // [C]
  View<std::uint64_t> key;

  PSL_HD void operator()(std::int64_t i) const {
    const auto c = static_cast<std::int64_t>(key[i] >> class_shift);
    const std::int64_t rank = i - class_first[c], ends = position.size();
    const std::int64_t* mine = dealt.data() + c * ends;
    std::int64_t low = 0, high = ends - 1;  // mine[low] <= rank < mine[high]
    while (high - low > 1) {
      const std::int64_t middle = (low + high) / 2;
      (mine[middle] <= rank ? low : high) = middle;
    }
    // (rank - dealt + u) size / count, all counts below 2^31: whole part and rest apart stay within 64 bits.
    const auto count = static_cast<std::uint64_t>(mine[high] - mine[low]);
    const auto size = static_cast<std::uint64_t>(position[high] - position[low]);
    const std::uint64_t product = static_cast<std::uint64_t>(rank - mine[low]) * size;
    const std::uint64_t rest = ((product % count) << 32) + offset[c] * size;
    key[i] = ((static_cast<std::uint64_t>(position[low]) + product / count) << 32) + rest / count;
  }
};

/// Step sizes in the order that steps are taken in, and 0 behind the last.
struct TakenSizes {
  Chunks chunks;
  View<const std::int32_t> taken;  // [T]
  View<std::int32_t> size;         // [T + 1]

  PSL_HD void operator()(std::int64_t s) const {
    const std::int64_t t = s < taken.size() ? taken[s] : 0;
    size[s] = s < taken.size() ? static_cast<std::int32_t>(chunks.first(t + 1) - chunks.first(t)) : 0;
  }
};

struct StepKeys {
  std::uint64_t seed;
  std::uint32_t epoch;
  View<std::uint64_t> key;
  View<std::int32_t> value;

  PSL_HD void operator()(std::int64_t t) const {
    key[t] = random_u64(seed, {Purpose::kStepOrder, static_cast<std::uint32_t>(t), 0, epoch, 0});
    value[t] = static_cast<std::int32_t>(t);
  }
};

struct StepStarts {
  View<const std::int32_t> taken;       // [T]
  View<const std::int32_t> step_first;  // [T + 1]
  View<std::int32_t> start;             // [T]

  PSL_HD void operator()(std::int64_t s) const { start[taken[s]] = step_first[s]; }
};

struct MoveSteps {
  Chunks chunks;
  View<const std::int32_t> start;   // [T]
  View<const std::int32_t> sample;  // [N] in step order
  View<std::int32_t> moved;

  PSL_HD void operator()(std::int64_t i) const {
    const std::int64_t t = chunks.step_of(i);
    moved[start[t] + (i - chunks.first(t))] = sample[i];
  }
};

// Rows of a law with their zeros, by class: [C, blocks + 1].
inline std::vector<std::int64_t> dealt_by_class(const DealingLaw& law) {
  std::vector<std::int64_t> dealt;
  for (std::int32_t c = 0; c < law.classes; ++c) {
    dealt.push_back(0);
    for (std::int64_t b = 0; b < law.blocks(); ++b) {
      dealt.push_back(law.dealt[static_cast<std::size_t>(b) * law.classes + c]);
    }
  }
  return dealt;
}

inline std::vector<std::int64_t> positions_of(const DealingLaw& law) {
  std::vector<std::int64_t> position{0};
  position.insert(position.end(), law.position.begin(), law.position.end());
  return position;
}

}  // namespace detail

template <class Context>
PackSchedule<Context>::PackSchedule(Context& ctx, const DevicePopulation<Context>& population, const LevelStock& stock,
                                    const DealingLaw& law, const Chunks& chunks, StepOrder order)
    : ctx_(&ctx),
      population_(&population),
      chunks_(chunks),
      shuffled_(order == StepOrder::kShuffled),
      class_order_(ctx, population, stock),
      pairs_(ctx, chunks.samples),
      position_(ctx, detail::positions_of(law)),
      dealt_(ctx, detail::dealt_by_class(law)),
      offset_(ctx, stock.classes),
      steps_(ctx, chunks.steps()),
      start_(ctx, chunks.steps()),
      prefix_sum_(ctx, chunks.steps() + 1),
      active_lists_(ctx, bounds()) {}

template <class Context>
void PackSchedule<Context>::build(std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out) {
  Context& ctx = *ctx_;
  out.slots = chunks_.samples;
  out.steps = chunks_.steps();
  class_order_.sort(pairs_, seed, epoch);
  {
    const Range range("pack: sort by due position");
    for_each_index(ctx, offset_.size(), detail::ClassOffsets{seed, epoch, offset_.view()});
    for_each_index(ctx, out.slots,
                   detail::DuePositions{class_order_.class_shift(), class_order_.class_first(), position_.view(),
                                        dealt_.view(), offset_.view(), pairs_.keys()});
    pairs_.sort(32 + std::bit_width(static_cast<std::uint64_t>(out.slots - 1)));
  }
  const View<std::int32_t> step_first = out.step_first.view().sub(0, out.steps + 1);
  if (shuffled_) {
    take_steps(seed, epoch, out);
  } else {
    for_each_index(ctx, out.steps + 1, detail::CutSteps{chunks_, step_first});
  }
  {
    const Range range("pack: group by client");
    group_by_client(ctx, pairs_, View<const std::int32_t>(step_first), chunks_.batch, population_->owner.view(),
                    population_->clients, out.sample.view().sub(0, out.slots), out.client.view().sub(0, out.slots));
  }
  const Range range("pack: active lists");
  active_lists_.build(out);
}

template <class Context>
void PackSchedule<Context>::take_steps(std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out) {
  const Range range("pack: shuffle steps");
  Context& ctx = *ctx_;
  const View<std::int32_t> step_first = out.step_first.view().sub(0, out.steps + 1);
  for_each_index(ctx, out.steps, detail::StepKeys{seed, epoch, steps_.keys(), steps_.values()});
  steps_.sort();
  const View<const std::int32_t> taken = steps_.values();
  for_each_index(ctx, out.steps + 1, detail::TakenSizes{chunks_, taken, step_first});
  prefix_sum_.exclusive(step_first);
  for_each_index(ctx, out.steps, detail::StepStarts{taken, step_first, start_.view()});
  for_each_index(ctx, out.slots, detail::MoveSteps{chunks_, start_.view(), pairs_.values(), out.sample.view()});
  ctx.copy(pairs_.values().data(), out.sample.data(), static_cast<std::size_t>(out.slots) * sizeof(std::int32_t));
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C) template class PackSchedule<C>;
