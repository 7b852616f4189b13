#pragma once

#include "kernels/device/profile_range.hpp"
#include "samplers/keyed/keyed_thresholds.hpp"
#include "samplers/local/local.hpp"
#include "samplers/schedule/sample_order.hpp"

namespace splitsim {

namespace detail {

constexpr std::int64_t kTileSamples = 128;  // samples of one client that one index adds up

struct SortedExponentials {
  std::uint64_t seed;
  std::uint32_t epoch;
  View<const std::int32_t> sample;
  View<std::int32_t> order;
  View<double> threshold;

  PSL_HD void operator()(std::int64_t place) const {
    order[place] = sample[place];
    threshold[place] = sample_exponential(seed, epoch, sample[place]);
  }
};

/// Turns a tile's sorted exponentials into E_1 + .. + E_j, counted from the tile's start; reads its left neighbour's
/// last one, which is why the sums go elsewhere first.
struct TileWalk {
  View<const std::int64_t> client_first;
  View<const std::int32_t> tile_first;
  View<const double> exponential;

  /// Calls sum(place, E_1 + .. + E_j within the tile) for every place of the tile.
  template <class Sum>
  PSL_HD void operator()(std::int64_t tile, Sum sum) const {
    std::int64_t k = 0, high = client_first.size() - 1;  // the client with tile_first[k] <= tile < tile_first[k + 1]
    while (high - k > 1) {
      const std::int64_t middle = (k + high) / 2;
      if (tile_first[middle] <= tile) {
        k = middle;
      } else {
        high = middle;
      }
    }
    const std::int64_t first = client_first[k], size = client_first[k + 1] - first;
    const std::int64_t begin = (tile - tile_first[k]) * kTileSamples;
    const std::int64_t end = begin + kTileSamples < size ? begin + kTileSamples : size;
    double before = begin == 0 ? 0.0 : exponential[first + begin - 1];
    double total = 0.0;
    for (std::int64_t j = begin; j < end; ++j) {
      total += static_cast<double>(size - j) * (exponential[first + j] - before);
      before = exponential[first + j];
      sum(first + j, total);
    }
  }
};

struct TileTotals {
  TileWalk walk;
  View<double> tile_total;

  PSL_HD void operator()(std::int64_t tile) const {
    double last = 0.0;
    walk(tile, [&](std::int64_t, double total) { last = total; });
    tile_total[tile] = last;
  }
};

struct TileBases {
  View<const std::int32_t> tile_first;
  View<double> tile_base;  // in: totals, out: sums of the client's totals before

  PSL_HD void operator()(std::int64_t k) const {
    double base = 0.0;
    for (std::int64_t tile = tile_first[k]; tile < tile_first[k + 1]; ++tile) {
      const double total = tile_base[tile];
      tile_base[tile] = base;
      base += total;
    }
  }
};

struct TileThresholds {
  TileWalk walk;
  View<const double> tile_base;
  View<double> threshold;

  PSL_HD void operator()(std::int64_t tile) const {
    walk(tile, [&](std::int64_t place, double total) { threshold[place] = tile_base[tile] + total; });
  }
};

inline std::vector<std::int32_t> tiles_of_clients(const Population& population, DepletionRule rule) {
  if (rule == DepletionRule::kOdds) return {};
  std::vector<std::int32_t> first{0};
  for (std::int32_t k = 0; k < population.clients; ++k) {
    first.push_back(first.back() + static_cast<std::int32_t>((population.size(k) + kTileSamples - 1) / kTileSamples));
  }
  return first;
}

}  // namespace detail

template <class Context>
ClientThresholds<Context>::ClientThresholds(Context& ctx, const Population& population,
                                            const DevicePopulation<Context>& device_population, DepletionRule rule)
    : ctx_(&ctx),
      population_(&device_population),
      rule_(rule),
      order_(ctx, population.samples()),
      threshold_(ctx, population.samples()) {
  const std::vector<std::int32_t> tiles = detail::tiles_of_clients(population, rule);
  if (tiles.empty()) return;
  tile_first_ = Buffer<std::int32_t, Context>(ctx, tiles);
  tile_base_ = Buffer<double, Context>(ctx, tiles.back());
}

template <class Context>
void ClientThresholds<Context>::build(PairSort<Context>& pairs, std::uint64_t seed, std::uint32_t epoch) {
  local_order(*ctx_, *population_, pairs, seed, epoch);
  const Range range("thresholds");
  const std::int64_t samples = order_.size();
  if (rule_ == DepletionRule::kOdds) {
    for_each_index(*ctx_, samples,
                   detail::SortedExponentials{seed, epoch, pairs.values(), order_.view(), threshold_.view()});
    return;
  }
  // The keys are free now; they hold the exponentials while the sums are formed.
  const View<double> exponential(reinterpret_cast<double*>(pairs.keys().data()), samples);
  for_each_index(*ctx_, samples, detail::SortedExponentials{seed, epoch, pairs.values(), order_.view(), exponential});
  const detail::TileWalk walk{population_->client_first.view(), tile_first_.view(), exponential};
  for_each_index(*ctx_, tile_base_.size(), detail::TileTotals{walk, tile_base_.view()});
  for_each_index(*ctx_, population_->clients, detail::TileBases{tile_first_.view(), tile_base_.view()});
  for_each_index(*ctx_, tile_base_.size(), detail::TileThresholds{walk, tile_base_.view(), threshold_.view()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)              \
  template class ClientThresholds<C>;
