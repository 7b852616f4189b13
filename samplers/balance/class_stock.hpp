// What clients have left of each class in the course of an epoch, in the order of the epoch's keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "samplers/population/population.hpp"

namespace splitsim {

/// Samples are named by their rank in `order`, the epoch's samples in ugs order [N].
class ClassStock {
 public:
  ClassStock(const Population& population, const std::vector<std::int32_t>& order)
      : classes_(population.classes), left_(population.histogram), next_(left_.size()), rank_(order.size()) {
    std::int64_t first = 0;
    for (std::size_t cell = 0; cell < next_.size(); ++cell) {
      next_[cell] = first;
      first += left_[cell];
    }
    std::vector<std::int64_t> end = next_;
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
      const std::int32_t sample = order[rank];
      rank_[end[cell_of(population.owner[sample], population.label[sample])]++] = static_cast<std::int32_t>(rank);
    }
  }

  std::int32_t left(std::int32_t client, std::int32_t label) const { return left_[cell_of(client, label)]; }
  /// Rank of the client's next sample of this class, of which it must have one.
  std::int32_t take(std::int32_t client, std::int32_t label) {
    const std::size_t cell = cell_of(client, label);
    left_[cell] -= 1;
    return rank_[next_[cell]++];
  }

 private:
  std::size_t cell_of(std::int32_t client, std::int32_t label) const {
    return static_cast<std::size_t>(client) * classes_ + label;
  }

  std::int32_t classes_;
  std::vector<std::int32_t> left_;  // [K, C]
  std::vector<std::int64_t> next_;  // [K, C] place of the next sample's rank
  std::vector<std::int32_t> rank_;  // [N] by (client, class, rank)
};

}  // namespace splitsim
