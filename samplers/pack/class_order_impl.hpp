#pragma once

#include <algorithm>
#include <bit>

#include "kernels/device/math.hpp"
#include "kernels/device/profile_range.hpp"
#include "samplers/pack/class_order.hpp"

namespace splitsim {

namespace detail {

struct ClassLevelKeys {
  std::uint64_t seed;
  std::uint32_t epoch;
  View<const std::int32_t> owner;
  View<const std::int32_t> label;
  View<const std::int32_t> level;  // [K]
  int level_bits, hash_bits;
  View<std::uint64_t> key;
  View<std::int32_t> value;

  PSL_HD void operator()(std::int64_t i) const {
    // Large bits are small exponential variates, which ugs takes first.
    const std::uint64_t hash =
        ~random_u64(seed, {Purpose::kSampleKey, static_cast<std::uint32_t>(i), 0, epoch, 0}) >> (64 - hash_bits);
    const auto place =
        (static_cast<std::uint64_t>(label[i]) << level_bits) | static_cast<std::uint64_t>(level[owner[i]]);
    key[i] = (place << hash_bits) | hash;
    value[i] = static_cast<std::int32_t>(i);
  }
};

inline std::vector<std::int64_t> firsts_of(const std::vector<std::int64_t>& counts) {
  std::vector<std::int64_t> firsts;
  std::int64_t first = 0;
  for (const std::int64_t count : counts) {
    firsts.push_back(first);
    first += count;
  }
  return firsts;
}

}  // namespace detail

template <class Context>
ClassOrder<Context>::ClassOrder(Context& ctx, const DevicePopulation<Context>& population, const LevelStock& stock)
    : ctx_(&ctx),
      population_(&population),
      level_(ctx, stock.level),
      class_first_(ctx, detail::firsts_of(stock.class_total)),
      class_bits_(std::bit_width(static_cast<std::uint32_t>(stock.classes - 1))),
      level_bits_(std::bit_width(static_cast<std::uint32_t>(stock.levels() - 1))),
      hash_bits_(std::min(52, 63 - class_bits_ - level_bits_)) {}

template <class Context>
void ClassOrder<Context>::sort(PairSort<Context>& pairs, std::uint64_t seed, std::uint32_t epoch) const {
  const Range range("pack: order classes");
  for_each_index(*ctx_, population_->samples,
                 detail::ClassLevelKeys{seed, epoch, population_->owner.view(), population_->label.view(),
                                        level_.view(), level_bits_, hash_bits_, pairs.keys(), pairs.values()});
  pairs.sort(class_bits_ + level_bits_ + hash_bits_);
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C) template class ClassOrder<C>;
