#include "samplers/balance/stratified.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "kernels/device/philox.hpp"

namespace splitsim {

namespace {

// Classes' samples of the first `part` of all `samples`: p_c part, rounded to sum to part, largest remainders up.
std::vector<std::int64_t> share_of(const std::vector<std::int64_t>& class_total, std::int64_t samples,
                                   std::int64_t part) {
  std::vector<std::int64_t> share;
  std::vector<std::pair<std::int64_t, std::size_t>> remainder;
  std::int64_t left = part;
  for (std::size_t c = 0; c < class_total.size(); ++c) {
    share.push_back(class_total[c] * part / samples);  // below 2^62
    remainder.emplace_back(-(class_total[c] * part % samples), c);
    left -= share.back();
  }
  std::sort(remainder.begin(), remainder.end());
  for (std::int64_t i = 0; i < left; ++i) share[remainder[i].second] += 1;
  return share;
}

// Deals `share` to these steps of equal size, row by row in their order.
void deal_evenly(const std::vector<std::int64_t>& share, const std::vector<std::int64_t>& steps,
                 std::vector<std::int32_t>& counts) {
  const auto rows = static_cast<std::int64_t>(steps.size());
  std::int64_t next = 0;  // row that gets the next sample too many
  for (std::size_t c = 0; c < share.size(); ++c) {
    const std::int64_t each = share[c] / rows;
    for (const std::int64_t t : steps) counts[t * share.size() + c] = static_cast<std::int32_t>(each);
    for (std::int64_t i = share[c] - each * rows; i > 0; --i, next = (next + 1) % rows) {
      counts[steps[next] * share.size() + c] += 1;
    }
  }
}

}  // namespace

std::vector<std::int32_t> stratified_counts(const std::vector<std::int64_t>& class_total, const Chunks& chunks,
                                            std::uint64_t seed, std::uint32_t epoch) {
  const std::int64_t steps = chunks.steps();
  std::vector<std::pair<std::uint64_t, std::int64_t>> drawn;
  for (std::int64_t t = 0; t < steps; ++t) {
    drawn.emplace_back(random_u64(seed, {Purpose::kStepOrder, static_cast<std::uint32_t>(t), 0, epoch, 0}), t);
  }
  std::sort(drawn.begin(), drawn.end());
  const auto size = [&](std::int64_t t) { return chunks.first(t + 1) - chunks.first(t); };
  std::vector<std::int64_t> larger, smaller;  // steps have two sizes at most
  for (const auto& [key, t] : drawn) (size(t) == size(0) ? larger : smaller).push_back(t);
  std::vector<std::int32_t> counts(static_cast<std::size_t>(steps) * class_total.size());
  std::vector<std::int64_t> share =
      share_of(class_total, chunks.samples, static_cast<std::int64_t>(larger.size()) * size(0));
  deal_evenly(share, larger, counts);
  if (smaller.empty()) return counts;
  for (std::size_t c = 0; c < share.size(); ++c) share[c] = class_total[c] - share[c];
  deal_evenly(share, smaller, counts);
  return counts;
}

std::vector<std::int32_t> stratified_order(const std::vector<std::int32_t>& order,
                                           const std::vector<std::int32_t>& label,
                                           const std::vector<std::int64_t>& class_total, const Chunks& chunks,
                                           std::uint64_t seed, std::uint32_t epoch) {
  const std::size_t classes = class_total.size();
  const std::vector<std::int32_t> counts = stratified_counts(class_total, chunks, seed, epoch);
  // Classes are dealt to steps in turn: when a step has its count of one, the next of it goes to the next step.
  std::vector<std::int64_t> step(classes, 0), given(classes, 0);
  std::vector<std::int64_t> next(static_cast<std::size_t>(chunks.steps()));
  for (std::size_t t = 0; t < next.size(); ++t) next[t] = chunks.first(static_cast<std::int64_t>(t));
  std::vector<std::int32_t> dealt(order.size());
  for (const std::int32_t sample : order) {
    const auto c = static_cast<std::size_t>(label[sample]);
    while (given[c] == counts[step[c] * classes + c]) {
      step[c] += 1;
      given[c] = 0;
    }
    given[c] += 1;
    dealt[next[step[c]]++] = sample;
  }
  return dealt;
}

}  // namespace splitsim
