// Data set -> clients. Built once, on the host, the same for both backends. Determinism: exact by (settings, seed).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/names.hpp"
#include "samplers/population/population.hpp"

namespace splitsim {

/// extended_dirichlet: how classes are chosen.
enum class ClassRule : std::uint8_t { kBalanced, kOriginal };
constexpr auto names_of(ClassRule) {
  return named_values<ClassRule>({{"balanced", "classes drawn so far are drawn less (paper's code)"},
                              {"original", "uniform class choice, sizes balanced (arXiv 2302.01633)"}});
}

/// By how much clients' pictures are turned.
enum class Rotation : std::uint8_t { kNone, kHalf, kQuarter };
constexpr auto names_of(Rotation) {
  return named_values<Rotation>({{"none", "not at all"},
                                 {"half", "by 0 or 180 degrees"},
                                 {"quarter", "by 0, 90, 180 or 270 degrees (arXiv 2006.04088); square pictures"}});
}

/// Keys of [partition]. Which of them a kind reads is said in partition_kinds().
struct PartitionSettings {
  std::string kind = "extended_dirichlet";
  std::int32_t clients = 32;             ///< K
  double alpha = 3.0;                    ///< concentration, > 0
  std::int32_t classes_per_client = 2;   ///< extended_dirichlet
  ClassRule rule = ClassRule::kBalanced;         ///< extended_dirichlet: balanced | original
  std::int32_t shards_per_client = 2;    ///< shards
  std::int32_t labels_per_client = 2;    ///< label_count
  std::int64_t min_samples = 0;          ///< every client gets at least this many, or an error says it could not be
  std::string file;                      ///< file: .npy, integers, [N]
  // What is wrong with the clients' own data (runtime/data/noise.hpp):
  double label_noise = 0.0;    ///< share of each client's labels that are flipped
  double contrast_sd = 0.0;    ///< of the log of a client's factor on its pixels
  double brightness_sd = 0.0;  ///< of a client's shift of its pixels, in units of the pixel range
  double pixel_noise = 0.0;    ///< standard deviation of every pixel, in units of the pixel range
  Rotation rotation = Rotation::kNone;

  bool has_noise() const { return label_noise > 0.0 || shifts_features(); }
  bool shifts_features() const {
    return contrast_sd > 0.0 || brightness_sd > 0.0 || pixel_noise > 0.0 || rotation != Rotation::kNone;
  }
};

struct PartitionKind {
  std::string name;
  std::string summary;  ///< one line for --help
};
const std::vector<PartitionKind>& partition_kinds();

/// Assigns every sample to one client. labels: [N], values in [0, classes). natural: [N] whom the samples come from, from
/// 0, for by_column; empty if the data do not say.
/// Errors: InputError naming the key, its value and what is allowed (K > N, alpha not finite or <= 0, too few owners for
/// the classes, min_samples out of reach, an unreadable file, K not the number of natural clients).
Population make_partition(const std::vector<std::int32_t>& labels, std::int32_t classes,
                          const PartitionSettings& settings, std::uint64_t seed,
                          const std::vector<std::int32_t>& natural = {});

/// K x C heat map as text, at most `max_rows` client rows and a pooled last line, one character per class share.
std::string heat_map(const Population& population, int max_rows = 32);

}  // namespace splitsim
