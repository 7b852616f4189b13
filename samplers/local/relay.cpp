#include "samplers/local/relay.hpp"

#include <algorithm>

namespace splitsim {

Schedule relay_layout(const Population& population, std::int64_t batch, std::int64_t local_epochs) {
  Schedule layout;
  layout.sample.reserve(static_cast<std::size_t>(population.samples() * local_epochs));
  layout.client.reserve(layout.sample.capacity());
  layout.step_first = {0};
  for (std::int32_t k = 0; k < population.clients; ++k) {
    for (std::int64_t pass = 0; pass < local_epochs; ++pass) {
      const std::int64_t end = pass * population.samples() + population.client_first[k + 1];
      for (std::int64_t place = end - population.size(k); place < end;) {
        const std::int64_t stop = std::min(place + batch, end);
        for (; place < stop; ++place) {
          layout.sample.push_back(static_cast<std::int32_t>(place));
          layout.client.push_back(k);
        }
        layout.step_first.push_back(static_cast<std::int32_t>(layout.sample.size()));
      }
    }
  }
  return layout;
}

}  // namespace splitsim
