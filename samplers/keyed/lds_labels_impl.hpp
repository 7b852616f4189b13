#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/device/philox.hpp"
#include "kernels/device/profile_range.hpp"
#include "samplers/keyed/lds_labels.hpp"

namespace splitsim {

namespace detail {

constexpr std::int64_t kTileLabels = 64;

/// How many candidates the bound is meant to let through.
inline double wanted_candidates(std::int64_t observed) {
  return static_cast<double>(observed) + 12.0 * std::sqrt(static_cast<double>(observed)) + 100.0;
}
/// How many could ever pass, by the same margin once more.
inline std::int64_t candidate_capacity(std::int64_t observed, std::int64_t samples) {
  const double wanted = wanted_candidates(observed);
  return std::min(samples, static_cast<std::int64_t>(wanted + 12.0 * std::sqrt(wanted) + 100.0));
}

struct CandidateWalk {
  std::uint64_t seed;
  std::uint32_t epoch;
  View<const std::uint8_t> taken;
  std::int64_t samples;
  std::uint64_t bound;  // largest key that passes

  template <class Pass>
  PSL_HD void operator()(std::int64_t tile, Pass pass) const {
    const std::int64_t begin = tile * kTileLabels;
    const std::int64_t end = begin + kTileLabels < samples ? begin + kTileLabels : samples;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::uint64_t key = random_u64(seed, {Purpose::kLdsLabels, static_cast<std::uint32_t>(i), 0, epoch, 0});
      if (key <= bound && (taken.empty() || taken[i] == 0)) pass(key, i);
    }
  }
};

struct CountCandidates {
  CandidateWalk walk;
  View<std::int32_t> count;

  PSL_HD void operator()(std::int64_t tile) const {
    std::int32_t passed = 0;
    walk(tile, [&](std::uint64_t, std::int64_t) { ++passed; });
    count[tile] = passed;
  }
};

struct ListCandidates {
  CandidateWalk walk;
  View<const std::int32_t> tile_first;
  View<std::uint64_t> key;
  View<std::int32_t> sample;

  PSL_HD void operator()(std::int64_t tile) const {
    std::int64_t at = tile_first[tile];
    walk(tile, [&](std::uint64_t candidate_key, std::int64_t i) {
      if (at < key.size()) {
        key[at] = candidate_key;
        sample[at] = static_cast<std::int32_t>(i);
      }
      ++at;
    });
  }
};

struct NoCandidate {
  View<std::uint64_t> key;
  View<std::int32_t> sample;

  PSL_HD void operator()(std::int64_t i) const {
    key[i] = ~std::uint64_t{0};
    sample[i] = -1;
  }
};

struct CountLabels {
  View<const std::int32_t> sample;  // [S]
  View<const std::int32_t> label;
  View<std::int32_t> counts;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t) const {
    for (std::int64_t c = team.rank(); c < counts.size(); c += team.size()) counts[c] = 0;
    team.sync();
    for (std::int64_t i = team.rank(); i < sample.size(); i += team.size()) {
      if (sample[i] >= 0) team.atomic_add(&counts[label[sample[i]]], 1);
    }
  }
};

}  // namespace detail

template <class Context>
ObservedLabels<Context>::ObservedLabels(Context& ctx, const DevicePopulation<Context>& population,
                                        std::int64_t max_observed)
    : ctx_(&ctx),
      population_(&population),
      tile_first_(ctx, (population.samples + detail::kTileLabels - 1) / detail::kTileLabels),
      prefix_sum_(ctx, tile_first_.size()),
      candidates_(ctx, detail::candidate_capacity(max_observed, population.samples)),
      counts_(ctx, population.classes) {}

template <class Context>
void ObservedLabels<Context>::draw(std::uint64_t seed, std::uint32_t epoch, View<const std::uint8_t> taken,
                                   std::int64_t remaining, std::int64_t observed) {
  const Range range("lds: observed labels");
  Context& ctx = *ctx_;
  const double share = detail::wanted_candidates(observed) / static_cast<double>(remaining);
  const std::uint64_t bound = share < 1.0 ? static_cast<std::uint64_t>(share * 0x1p64) : ~std::uint64_t{0};
  const detail::CandidateWalk walk{seed, epoch, taken, population_->samples, bound};
  for_each_index(ctx, tile_first_.size(), detail::CountCandidates{walk, tile_first_.view()});
  prefix_sum_.exclusive(tile_first_.view());
  for_each_index(ctx, candidates_.keys().size(), detail::NoCandidate{candidates_.keys(), candidates_.values()});
  for_each_index(ctx, tile_first_.size(),
                 detail::ListCandidates{walk, tile_first_.view(), candidates_.keys(), candidates_.values()});
  candidates_.sort();
  const std::int64_t count = std::min(observed, candidates_.values().size());
  for_each_block(ctx, 1,
                 detail::CountLabels{candidates_.values().sub(0, count), population_->label.view(), counts_.view()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)            \
  template class ObservedLabels<C>;
