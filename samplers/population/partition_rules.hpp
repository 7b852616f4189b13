// The partition rules and what they share; partition.cpp checks the settings and drives them. Host only.
// Determinism: exact by (settings, seed); draws are addressed by sample, client, class or shard.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/device/philox.hpp"
#include "samplers/population/partition.hpp"

namespace splitsim {

/// Which draw of Purpose::kPartition: its addresses' epoch field. Values are part of every result.
enum class PartitionDraw : std::uint32_t {
  kProportions = 0,  ///< Dirichlet draws, element = client, step = class
  kClassChoice = 1,  ///< element = client, step = its how-manieth class
  kSampleOwner = 2,  ///< element = sample
  kPlaceClass = 3,   ///< client_dirichlet: element = place
};
/// Which order of Purpose::kPartitionShuffle: its addresses' step field. Values are part of every result.
enum class PartitionOrder : std::uint32_t {
  kSamples = 0,
  kShards = 1,
  kPlaces = 2,
  kLabels = 3,  ///< label_count: epoch = deck
};

/// What every rule works from.
struct PartitionInput {
  const std::vector<std::int32_t>& labels;
  const PartitionSettings& settings;
  std::uint64_t seed;
  std::int32_t clients;                   ///< K
  std::vector<std::int32_t> order;        ///< [N] all samples in random order
  std::vector<std::int32_t> by_class;     ///< [N] samples grouped by class, in that order within each
  std::vector<std::int64_t> class_first;  ///< [C+1] class c is by_class[class_first[c], class_first[c+1])
  std::vector<std::int32_t> present;      ///< classes with samples, ascending

  PartitionInput(const std::vector<std::int32_t>& labels, std::int32_t classes, const PartitionSettings& settings,
                 std::uint64_t seed);
  std::int64_t samples() const { return static_cast<std::int64_t>(labels.size()); }              ///< N
  std::int32_t classes() const { return static_cast<std::int32_t>(class_first.size()) - 1; }     ///< C
  std::int64_t class_size(std::int32_t c) const { return class_first[c + 1] - class_first[c]; }  ///< N_c
};

/// One attempt of a rule: an owner for every sample, or why this attempt must be drawn again.
struct Owners {
  std::vector<std::int32_t> owner;  ///< [N]
  std::string refusal;              ///< empty if the deal stands
};
/// A rule bound to its input (which must outlive it): attempt -> deal. Attempts are independent.
using Rule = std::function<Owners(std::uint32_t attempt)>;

// The rules, described one by one in partition_kinds(). Errors: InputError naming keys, values and what is allowed.
Rule iid_rule(const PartitionInput& input);
Rule quantity_rule(const PartitionInput& input);
Rule dirichlet_rule(const PartitionInput& input);
Rule client_dirichlet_rule(const PartitionInput& input);
Rule extended_dirichlet_balanced_rule(const PartitionInput& input);
Rule extended_dirichlet_original_rule(const PartitionInput& input);
Rule shards_rule(const PartitionInput& input);
Rule label_count_rule(const PartitionInput& input);

// ---- shared pieces ----

/// 0..n-1 in random order: sorted by (64 random bits addressed by id, id).
std::vector<std::int32_t> shuffled(std::int64_t n, std::uint64_t seed, Address at);

/// 64 random bits of one draw.
inline std::uint64_t partition_bits(std::uint64_t seed, PartitionDraw draw, std::uint32_t element, std::uint32_t step,
                                    std::uint32_t attempt) {
  return random_u64(seed, {Purpose::kPartition, element, step, static_cast<std::uint32_t>(draw), attempt});
}

/// An index in [0, n) from 64 random bits; its bias is below n / 2^64.
inline std::int64_t index_below(std::uint64_t random, std::int64_t n) {
  return static_cast<std::int64_t>((static_cast<unsigned __int128>(random) * static_cast<std::uint64_t>(n)) >> 64);
}

/// ln-gamma draws of `members` (null: clients 0, 1, ..) for one class; normalised they are Dir(alpha 1) over them.
void draw_log_proportions(const PartitionInput& input, std::int32_t class_id, const std::int32_t* members,
                          std::uint32_t attempt, std::vector<double>& out);

/// Integer sizes that sum to `total`, proportional to `weights` (which sum to 1): floors, and what is left goes to the
/// largest remainders, ties to the lowest index.
std::vector<std::int64_t> largest_remainder(const std::vector<double>& weights, std::int64_t total);

/// The owner of place i when n places are dealt to K clients in order, in runs whose lengths differ by at most 1.
inline std::int32_t even_owner(std::int64_t i, std::int64_t n, std::int64_t clients) {
  const std::int64_t size = n / clients, longer = n % clients;
  return static_cast<std::int32_t>(i < longer * (size + 1) ? i / (size + 1)
                                                           : longer + (i - longer * (size + 1)) / size);
}

}  // namespace splitsim
