// The rules that ignore labels (iid, quantity) and the pieces that all rules share.
#include "samplers/population/partition_rules.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/primitives/gamma.hpp"

namespace splitsim {

PartitionInput::PartitionInput(const std::vector<std::int32_t>& labels_in, std::int32_t classes,
                               const PartitionSettings& settings_in, std::uint64_t seed_in)
    : labels(labels_in), settings(settings_in), seed(seed_in), clients(settings_in.clients) {
  Address at{Purpose::kPartitionShuffle};
  at.step = static_cast<std::uint32_t>(PartitionOrder::kSamples);
  order = shuffled(samples(), seed, at);
  class_first.assign(static_cast<std::size_t>(classes) + 1, 0);
  for (const std::int32_t label : labels) ++class_first[label + 1];
  std::partial_sum(class_first.begin(), class_first.end(), class_first.begin());
  std::vector<std::int64_t> next(class_first.begin(), class_first.end() - 1);
  by_class.resize(labels.size());
  for (const std::int32_t sample : order) by_class[next[labels[sample]]++] = sample;
  for (std::int32_t c = 0; c < classes; ++c) {
    if (class_size(c) > 0) present.push_back(c);
  }
}

std::vector<std::int32_t> shuffled(std::int64_t n, std::uint64_t seed, Address at) {
  struct Entry {
    std::uint64_t key;
    std::int32_t id;
    bool operator<(const Entry& other) const { return key != other.key ? key < other.key : id < other.id; }
  };
  std::vector<Entry> entries(n);
#pragma omp parallel for firstprivate(at) if (n > 100000)
  for (std::int64_t i = 0; i < n; ++i) {
    at.element = static_cast<std::uint32_t>(i);
    entries[i] = {random_u64(seed, at), static_cast<std::int32_t>(i)};
  }
  std::sort(entries.begin(), entries.end());
  std::vector<std::int32_t> ids(n);
  for (std::int64_t i = 0; i < n; ++i) ids[i] = entries[i].id;
  return ids;
}

void draw_log_proportions(const PartitionInput& input, std::int32_t class_id, const std::int32_t* members,
                          std::uint32_t attempt, std::vector<double>& out) {
  const auto n = static_cast<std::int64_t>(out.size());
#pragma omp parallel for if (n > 10000)
  for (std::int64_t i = 0; i < n; ++i) {
    const auto client = static_cast<std::uint32_t>(members == nullptr ? i : members[i]);
    out[i] = draw_log_gamma(input.settings.alpha, input.seed,
                            {Purpose::kPartition, client, static_cast<std::uint32_t>(class_id),
                             static_cast<std::uint32_t>(PartitionDraw::kProportions), attempt * kGammaAttempts});
  }
}

std::vector<std::int64_t> largest_remainder(const std::vector<double>& weights, std::int64_t total) {
  const auto n = static_cast<std::int64_t>(weights.size());
  std::vector<std::int64_t> sizes(n);
  std::vector<double> remainder(n);
  std::int64_t left = total;
  for (std::int64_t i = 0; i < n; ++i) {
    const double quota = weights[i] * static_cast<double>(total);
    sizes[i] = static_cast<std::int64_t>(quota);
    remainder[i] = quota - static_cast<double>(sizes[i]);
    left -= sizes[i];
  }
  // Remainders are below 1 each and sum to `left` but for rounding, so that 0 <= left < n.
  std::vector<std::int64_t> by_remainder(n);
  std::iota(by_remainder.begin(), by_remainder.end(), 0);
  std::nth_element(by_remainder.begin(), by_remainder.begin() + left, by_remainder.end(),
                   [&](std::int64_t a, std::int64_t b) {
                     return remainder[a] != remainder[b] ? remainder[a] > remainder[b] : a < b;
                   });
  for (std::int64_t i = 0; i < left; ++i) ++sizes[by_remainder[i]];
  return sizes;
}

Rule iid_rule(const PartitionInput& input) {
  return [&input](std::uint32_t) {  // sizes are fixed: there is nothing to draw again
    Owners deal;
    deal.owner.resize(input.labels.size());
    for (std::int64_t i = 0; i < input.samples(); ++i) {
      deal.owner[input.order[i]] = even_owner(i, input.samples(), input.clients);
    }
    return deal;
  };
}

Rule quantity_rule(const PartitionInput& input) {
  return [&input](std::uint32_t attempt) {
    std::vector<double> weights(input.clients);
    draw_log_proportions(input, 0, nullptr, attempt, weights);
    normalize_log_weights({weights.data(), input.clients});
    const std::vector<std::int64_t> sizes = largest_remainder(weights, input.samples());
    Owners deal;
    deal.owner.resize(input.labels.size());
    std::int64_t next = 0;
    for (std::int32_t k = 0; k < input.clients; ++k) {
      for (std::int64_t i = 0; i < sizes[k]; ++i) deal.owner[input.order[next++]] = k;
    }
    return deal;
  };
}

}  // namespace splitsim
