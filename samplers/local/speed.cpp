#include "samplers/local/speed.hpp"

#include <algorithm>

namespace splitsim {

namespace {

using Wide = unsigned __int128;  // wanted w_k < 2^31 2^60

struct Bidder {
  std::int32_t client;
  std::int64_t samples;  // dealt in this round
  Wide weight;
  Wide remainder;
};

/// Deals `wanted` samples to `bidders` (ascending by client) by largest remainder.
void deal_round(const std::vector<std::int64_t>& per_sample_ns, std::int64_t wanted, std::vector<Bidder>& bidders) {
  std::int64_t fastest = per_sample_ns[bidders.front().client];
  for (const Bidder& bidder : bidders) fastest = std::min(fastest, per_sample_ns[bidder.client]);
  Wide total = 0;
  for (Bidder& bidder : bidders) {
    bidder.weight = (static_cast<Wide>(fastest) << 60) / static_cast<Wide>(per_sample_ns[bidder.client]);
    total += bidder.weight;
  }
  std::int64_t spare = wanted;
  for (Bidder& bidder : bidders) {
    const Wide quota = static_cast<Wide>(wanted) * bidder.weight;
    bidder.samples = static_cast<std::int64_t>(quota / total);
    bidder.remainder = quota % total;
    spare -= bidder.samples;
  }
  std::vector<std::size_t> rank(bidders.size());
  for (std::size_t i = 0; i < rank.size(); ++i) rank[i] = i;
  std::nth_element(rank.begin(), rank.begin() + spare, rank.end(), [&](std::size_t a, std::size_t b) {
    return bidders[a].remainder != bidders[b].remainder ? bidders[a].remainder > bidders[b].remainder : a < b;
  });
  for (std::int64_t i = 0; i < spare; ++i) bidders[rank[i]].samples += 1;
}

}  // namespace

std::vector<Share> speed_shares(const std::vector<std::int64_t>& per_sample_ns, const std::vector<std::int64_t>& left,
                                std::int64_t wanted) {
  std::vector<Bidder> bidders;
  for (std::size_t k = 0; k < left.size(); ++k) {
    if (left[k] > 0) bidders.push_back({static_cast<std::int32_t>(k), 0, 0, 0});
  }
  std::vector<std::int64_t> dealt(left.size(), 0);
  while (wanted > 0) {
    deal_round(per_sample_ns, wanted, bidders);
    wanted = 0;
    for (const Bidder& bidder : bidders) {
      const std::int64_t taken = std::min(bidder.samples, left[bidder.client] - dealt[bidder.client]);
      dealt[bidder.client] += taken;
      wanted += bidder.samples - taken;
    }
    std::erase_if(bidders, [&](const Bidder& bidder) { return dealt[bidder.client] == left[bidder.client]; });
  }
  std::vector<Share> shares;
  for (std::size_t k = 0; k < dealt.size(); ++k) {
    if (dealt[k] > 0) shares.push_back({static_cast<std::int32_t>(k), dealt[k]});
  }
  return shares;
}

Schedule speed_layout(const Population& population, const ClientTimes& times, std::int64_t batch) {
  return allocated_layout(population, batch, [&](const std::vector<std::int64_t>& left, std::int64_t wanted) {
    return speed_shares(times.per_sample_ns, left, wanted);
  });
}

}  // namespace splitsim
