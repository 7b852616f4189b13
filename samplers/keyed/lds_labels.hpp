// The observed labels of lds: S samples drawn without replacement from those that remain, of which only the classes are
// looked at. They are the S with the smallest keys, addressed by (seed, epoch, sample id) apart from the sampler's own
// keys; so as samples leave, the observed ones among the rest stay observed.
//
// Only keys below a bound that about S + 12 sqrt(S) + 100 of them pass are collected and sorted. Fewer than S pass with
// probability < 1e-30 (Chernoff: exp(-x^2 / (2 (S + x))), x = 12 sqrt(S) + 100); the draw would then be that smaller
// set. Determinism: exact.
#pragma once

#include <cstdint>

#include "kernels/primitives/sort.hpp"
#include "samplers/population/population.hpp"

namespace splitsim {

template <class Context>
class ObservedLabels {
 public:
  /// max_observed: the largest S that will be asked for.
  ObservedLabels(Context& ctx, const DevicePopulation<Context>& population, std::int64_t max_observed);

  /// Counts the classes of `observed` <= `remaining` samples. taken: [N], nonzero for samples that have left, or empty
  /// if all `remaining` = N are there.
  void draw(std::uint64_t seed, std::uint32_t epoch, View<const std::uint8_t> taken, std::int64_t remaining,
            std::int64_t observed);
  View<const std::int32_t> counts() const { return counts_.view(); }  ///< [C]

 private:
  Context* ctx_;
  const DevicePopulation<Context>* population_;
  Buffer<std::int32_t, Context> tile_first_;  // [tiles of samples] candidates before each tile
  PrefixSum<Context> prefix_sum_;
  PairSort<Context> candidates_;
  Buffer<std::int32_t, Context> counts_;
};

}  // namespace splitsim
