#include "samplers/pack/level_stock.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "samplers/latency/delay_levels.hpp"

namespace splitsim {

std::int64_t LevelStock::held_samples(std::int32_t j) const {
  return std::accumulate(held_to(j), held_to(j) + classes, std::int64_t{0});
}

LevelStock level_stock(const Population& population, const Profile& profile, std::int64_t levels) {
  const std::vector<std::int64_t> sizes = population.sizes();
  DelayLevels cut = delay_levels(profile.delay_ns, sizes, std::min(levels, kMaxPackLevels));
  if (cut.count() > kMaxPackLevels) cut = delay_levels(profile.delay_ns, sizes, kMaxPackLevels);
  LevelStock stock;
  stock.classes = population.classes;
  stock.class_total = population.class_total;
  stock.samples = population.samples();
  stock.delay_ns = std::move(cut.delay_ns);
  stock.level = std::move(cut.level);
  const auto classes = static_cast<std::size_t>(population.classes);
  stock.held.assign(stock.delay_ns.size() * classes, 0);
  for (std::int32_t k = 0; k < population.clients; ++k) {
    for (std::size_t c = 0; c < classes; ++c) {
      stock.held[static_cast<std::size_t>(stock.level[k]) * classes + c] +=
          population.histogram[static_cast<std::size_t>(k) * classes + c];
    }
  }
  for (std::size_t at = classes; at < stock.held.size(); ++at) stock.held[at] += stock.held[at - classes];
  return stock;
}

}  // namespace splitsim
