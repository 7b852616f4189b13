#include "samplers/local/allocation.hpp"

#include <algorithm>

namespace splitsim {

Schedule allocated_layout(const Population& population, std::int64_t batch, const Allocate& deal) {
  std::vector<std::int64_t> left(static_cast<std::size_t>(population.clients));
  for (std::int32_t k = 0; k < population.clients; ++k) left[k] = population.size(k);
  Schedule layout;
  layout.sample.reserve(static_cast<std::size_t>(population.samples()));
  layout.client.reserve(layout.sample.capacity());
  layout.step_first = {0};
  std::vector<Share> shares;
  std::int64_t wanted = 0;
  for (std::int64_t remaining = population.samples(); remaining > 0; remaining -= wanted) {
    const std::int64_t now = std::min(batch, remaining);
    const auto keeps_more = [&](const Share& share) { return left[share.client] > share.samples; };
    if (now != wanted || !std::all_of(shares.begin(), shares.end(), keeps_more)) shares = deal(left, now);
    wanted = now;
    for (const Share& share : shares) {
      const std::int64_t place = population.client_first[share.client + 1] - left[share.client];
      for (std::int64_t j = 0; j < share.samples; ++j) layout.sample.push_back(static_cast<std::int32_t>(place + j));
      layout.client.insert(layout.client.end(), static_cast<std::size_t>(share.samples), share.client);
      left[share.client] -= share.samples;
    }
    layout.step_first.push_back(static_cast<std::int32_t>(layout.sample.size()));
  }
  return layout;
}

}  // namespace splitsim
