// All samples by class, within a class those of slower clients first (by delay level), within a level in ugs's order with
// the same seed (but for samples whose random bits agree down to what the sort key has room for, 52 bits or a few less:
// they go by id). Determinism: exact on every backend, for any number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/primitives/sort.hpp"
#include "samplers/pack/level_stock.hpp"
#include "samplers/population/population.hpp"

namespace splitsim {

template <class Context>
class ClassOrder {
 public:
  ClassOrder(Context& ctx, const DevicePopulation<Context>& population, const LevelStock& stock);

  /// Puts the samples into pairs.values(), which must hold N, and keys with their class in pairs.keys().
  void sort(PairSort<Context>& pairs, std::uint64_t seed, std::uint32_t epoch) const;
  /// A sample's class is its key shifted right by this.
  int class_shift() const { return level_bits_ + hash_bits_; }
  /// [C] how many samples are of smaller classes.
  View<const std::int64_t> class_first() const { return class_first_.view(); }

 private:
  Context* ctx_;
  const DevicePopulation<Context>* population_;
  Buffer<std::int32_t, Context> level_;  // [K]
  Buffer<std::int64_t, Context> class_first_;
  int class_bits_, level_bits_, hash_bits_;
};

}  // namespace splitsim
