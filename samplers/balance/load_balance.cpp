#include "samplers/balance/load_balance.hpp"

#include <algorithm>

namespace splitsim {

Schedule balanced_schedule(const Population& population, const std::vector<std::int32_t>& order, const Chunks& chunks,
                           StepDealer& dealer) {
  ClassStock stock(population, order);
  Schedule schedule;
  schedule.sample.reserve(order.size());
  schedule.client.reserve(order.size());
  schedule.step_first = {0};
  std::vector<std::int32_t> labels;
  std::vector<Supply> supplies;
  for (std::int64_t t = 0; t < chunks.steps(); ++t) {
    labels.clear();
    for (std::int64_t i = chunks.first(t); i < chunks.first(t + 1); ++i) labels.push_back(population.label[order[i]]);
    supplies.clear();
    dealer.deal(labels, stock, supplies);
    std::sort(supplies.begin(), supplies.end());
    for (const auto& [client, rank] : supplies) {
      schedule.sample.push_back(order[rank]);
      schedule.client.push_back(client);
    }
    schedule.step_first.push_back(static_cast<std::int32_t>(schedule.sample.size()));
  }
  return schedule;
}

}  // namespace splitsim
