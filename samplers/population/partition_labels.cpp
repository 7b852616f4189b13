// The rules that deal labels without proportions: shards and label_count.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "samplers/population/partition_rules.hpp"

namespace splitsim {

Rule shards_rule(const PartitionInput& input) {
  const std::int64_t each = input.settings.shards_per_client;
  if (each < 1 || input.clients * each > input.samples()) {
    throw InputError(
        fmt::format("partition.shards_per_client = {} with partition.clients = {} and {} samples: allowed is "
                    "1 to {}, so that no shard is empty",
                    each, input.clients, input.samples(), input.samples() / input.clients));
  }
  return [&input, each](std::uint32_t attempt) {
    const std::int64_t shards = input.clients * each;
    const std::vector<std::int32_t> order =
        shuffled(shards, input.seed,
                 {Purpose::kPartitionShuffle, 0, static_cast<std::uint32_t>(PartitionOrder::kShards), 0, attempt});
    std::vector<std::int32_t> shard_owner(shards);
    for (std::int64_t i = 0; i < shards; ++i) shard_owner[order[i]] = static_cast<std::int32_t>(i / each);
    Owners deal;
    deal.owner.resize(input.labels.size());
    for (std::int64_t i = 0; i < input.samples(); ++i) {
      deal.owner[input.by_class[i]] = shard_owner[even_owner(i, input.samples(), shards)];
    }
    return deal;
  };
}

namespace {

/// Labels are dealt like cards: from a shuffled deck of all classes, and a new deck when it is used up; a client passes
/// over the labels it already holds. So every class gets an owner, and the numbers of owners differ by at most 1.
std::vector<std::vector<std::int32_t>> deal_labels(const PartitionInput& input, std::uint32_t attempt) {
  const auto classes = static_cast<std::int64_t>(input.present.size());
  std::vector<std::vector<std::int32_t>> owners(input.classes());
  std::vector<std::int32_t> last_client(input.classes(), -1);
  std::vector<std::int32_t> deck;
  Address at{Purpose::kPartitionShuffle};
  at.step = static_cast<std::uint32_t>(PartitionOrder::kLabels);
  at.attempt = attempt;
  for (std::int32_t k = 0; k < input.clients; ++k) {
    for (std::int32_t j = 0; j < input.settings.labels_per_client; ++j) {
      const auto is_new = [&](std::int32_t c) { return last_client[c] != k; };
      auto card = std::find_if(deck.begin(), deck.end(), is_new);
      if (card == deck.end()) {
        // Only an empty deck gets here: what a client passes over waits in a deck that holds every other label too.
        for (const std::int32_t i : shuffled(classes, input.seed, at)) deck.push_back(input.present[i]);
        ++at.epoch;
        card = std::find_if(deck.begin(), deck.end(), is_new);
      }
      last_client[*card] = k;
      owners[*card].push_back(k);
      deck.erase(card);
    }
  }
  return owners;
}

}  // namespace

Rule label_count_rule(const PartitionInput& input) {
  const auto classes = static_cast<std::int64_t>(input.present.size());
  const std::int64_t each = input.settings.labels_per_client;
  if (each < 1 || each > classes) {
    throw InputError(
        fmt::format("partition.labels_per_client = {}: allowed is 1 to {}, the classes of the data", each, classes));
  }
  if (input.clients * each < classes) {
    throw InputError(fmt::format(
        "partition.clients = {} x partition.labels_per_client = {} owns at most {} classes, but the data have "
        "{}: the product must be at least that",
        input.clients, each, input.clients * each, classes));
  }
  return [&input](std::uint32_t attempt) {
    const std::vector<std::vector<std::int32_t>> owners = deal_labels(input, attempt);
    Owners deal;
    for (const std::int32_t c : input.present) {
      const auto members = static_cast<std::int64_t>(owners[c].size());
      if (input.class_size(c) < members) {
        deal.refusal = fmt::format("class {} has {} samples for {} owners", c, input.class_size(c), members);
        return deal;
      }
    }
    deal.owner.resize(input.labels.size());
    for (const std::int32_t c : input.present) {
      const std::int64_t first = input.class_first[c], size = input.class_size(c);
      const auto members = static_cast<std::int64_t>(owners[c].size());
      for (std::int64_t i = 0; i < size; ++i) {
        deal.owner[input.by_class[first + i]] = owners[c][even_owner(i, size, members)];
      }
    }
    return deal;
  };
}

}  // namespace splitsim
