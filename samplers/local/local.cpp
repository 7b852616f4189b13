#include "samplers/local/local.hpp"

#include <algorithm>

namespace splitsim {

namespace {
/// a / b rounded to nearest, ties to even, at least 1; a >= 0, b > 0.
std::int64_t rounded_share(std::int64_t a, std::int64_t b) {
  const std::int64_t quotient = a / b, rest = a % b;
  const bool up = rest > b - rest || (rest == b - rest && quotient % 2 == 1);
  return std::max<std::int64_t>(1, quotient + (up ? 1 : 0));
}
}  // namespace

std::vector<std::int64_t> fls_batches(const Population& population, std::int64_t batch) {
  return std::vector<std::int64_t>(static_cast<std::size_t>(population.clients),
                                   rounded_share(batch, population.clients));
}

std::vector<std::int64_t> fpls_batches(const Population& population, std::int64_t batch) {
  std::vector<std::int64_t> batches(static_cast<std::size_t>(population.clients));
  for (std::int32_t k = 0; k < population.clients; ++k) {
    batches[k] = rounded_share(batch * population.size(k), population.samples());
  }
  return batches;
}

Schedule local_layout(const Population& population, const std::vector<std::int64_t>& batches) {
  std::int64_t steps = 0;
  for (std::int32_t k = 0; k < population.clients; ++k) {
    steps = std::max(steps, (population.size(k) + batches[k] - 1) / batches[k]);
  }
  Schedule layout;
  layout.step_first.assign(static_cast<std::size_t>(steps) + 1, 0);
  for (std::int32_t k = 0; k < population.clients; ++k) {
    for (std::int64_t j = 0; j < population.size(k); ++j) layout.step_first[j / batches[k] + 1] += 1;
  }
  for (std::int64_t t = 0; t < steps; ++t) layout.step_first[t + 1] += layout.step_first[t];

  layout.sample.resize(static_cast<std::size_t>(population.samples()));
  layout.client.resize(layout.sample.size());
  std::vector<std::int32_t> next(layout.step_first.begin(), layout.step_first.end() - 1);
  for (std::int32_t k = 0; k < population.clients;
       ++k) {  // in order of clients, so that every step is sorted by client
    for (std::int64_t j = 0; j < population.size(k); ++j) {
      const std::int32_t slot = next[j / batches[k]]++;
      layout.sample[slot] = static_cast<std::int32_t>(population.client_first[k] + j);
      layout.client[slot] = k;
    }
  }
  return layout;
}

}  // namespace splitsim
