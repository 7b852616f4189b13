// The list of partitions, the checks that all of them share, and the redraws.
#include "samplers/population/partition.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/npy.hpp"
#include "samplers/population/partition_rules.hpp"

namespace splitsim {
namespace {

struct KindEntry {
  PartitionKind info;
  bool uses_alpha;
  Rule (*rule)(const PartitionInput&);  ///< null for file and by_column
};

Rule extended_dirichlet_rule(const PartitionInput& input) {
  return input.settings.rule == ClassRule::kBalanced ? extended_dirichlet_balanced_rule(input)
                                                     : extended_dirichlet_original_rule(input);
}

const std::vector<KindEntry>& kinds() {
  static const std::vector<KindEntry> entries = {
      {{"iid", "uniform random; sizes differ by at most 1"}, false, iid_rule},
      {{"dirichlet",
        "each class is shared out by Dir(alpha) over the clients, at largest-remainder sizes (arXiv 1905.12022)"},
       true,
       dirichlet_rule},
      {{"client_dirichlet",
        "equal sizes; each client's class mix is Dir(alpha) over the classes, renormalised as classes run out"},
       true,
       client_dirichlet_rule},
      {{"extended_dirichlet",
        "classes_per_client classes each, every class shared by Dir(alpha) over its owners; rule = balanced (paper: "
        "class choice favours the classes drawn least) | original (arXiv 2302.01633, 2311.03154: uniform class choice, none "
        "of a class for clients that hold N/K samples; their code sets min_samples = 10)"},
       true,
       extended_dirichlet_rule},
      {{"shards", "samples sorted by label are cut into shards, shards_per_client of them each (arXiv 1602.05629)"},
       false,
       shards_rule},
      {{"label_count",
        "exactly labels_per_client labels each, every class split equally among its owners (arXiv 2102.02079; labels "
        "are dealt evenly: ours)"},
       false,
       label_count_rule},
      {{"quantity", "iid labels, sizes by Dir(alpha) over the clients (arXiv 2102.02079)"}, true, quantity_rule},
      {{"file", "sample -> client from `file` (.npy, integers, one per sample)"}, false, nullptr},
      {{"by_column",
        "whom the samples come from, as the data say (har: subject, csv: data.client_column, npy and npz: client); "
        "clients must be their number"},
       false,
       nullptr},
  };
  return entries;
}

const KindEntry& find_kind(const std::string& name) {
  std::string names;
  for (const KindEntry& entry : kinds()) {
    if (entry.info.name == name) return entry;
    names += (names.empty() ? "" : ", ") + entry.info.name;
  }
  throw InputError(fmt::format("partition.kind = {}: unknown; allowed are {}", name, names));
}

void check_settings(const KindEntry& kind, const std::vector<std::int32_t>& labels, std::int32_t classes,
                    const PartitionSettings& settings) {
  const auto samples = static_cast<std::int64_t>(labels.size());
  if (samples > std::numeric_limits<std::int32_t>::max()) {
    throw InputError(fmt::format("partition: {} samples; at most 2147483647 are possible", samples));
  }
  if (settings.clients < 1 || settings.clients > samples) {
    throw InputError(fmt::format("partition.clients = {}: allowed is 1 to {}, the number of samples (K <= N)",
                                 settings.clients, samples));
  }
  if (kind.uses_alpha && !(settings.alpha > 0.0 && std::isfinite(settings.alpha))) {
    throw InputError(fmt::format("partition.alpha = {}: allowed is a finite number > 0", settings.alpha));
  }
  if (settings.min_samples < 0 || settings.min_samples > samples / settings.clients) {
    throw InputError(
        fmt::format("partition.min_samples = {} with partition.clients = {} and {} samples: allowed is 0 to {}",
                    settings.min_samples, settings.clients, samples, samples / settings.clients));
  }
  for (std::int64_t i = 0; i < samples; ++i) {
    if (labels[i] < 0 || labels[i] >= classes) {
      throw InputError(fmt::format("partition: sample {} has label {}; allowed is 0 to {}", i, labels[i], classes - 1));
    }
  }
}

/// The first client below min_samples and its size, if there is one. Owners are within [0, clients).
std::optional<std::pair<std::int32_t, std::int64_t>> short_of_samples(const std::vector<std::int32_t>& owner,
                                                                      const PartitionSettings& settings) {
  if (settings.min_samples == 0) return std::nullopt;
  std::vector<std::int64_t> sizes(settings.clients, 0);
  for (const std::int32_t k : owner) ++sizes[k];
  const auto small = std::find_if(sizes.begin(), sizes.end(), [&](std::int64_t n) { return n < settings.min_samples; });
  if (small == sizes.end()) return std::nullopt;
  return std::pair{static_cast<std::int32_t>(small - sizes.begin()), *small};
}

std::vector<std::int32_t> owners_from_file(const PartitionSettings& settings, std::int64_t samples) {
  if (settings.file.empty()) {
    throw InputError("partition.file is empty; partition.kind = file needs a .npy file (integers, one per sample)");
  }
  NpyFile file(settings.file);
  if (!is_list_of(samples, file.shape())) {
    throw InputError(fmt::format("partition.file = {}: shape {}; allowed: ({},) or ({}, 1), an entry per sample",
                                 settings.file, file.shape_text(), samples, samples));
  }
  std::vector<std::int32_t> owner =
      file.integers<std::int32_t>({0, settings.clients - 1, fmt::format("partition.file, partition.clients = {}", settings.clients)});
  if (const auto small = short_of_samples(owner, settings)) {
    throw InputError(fmt::format("partition.min_samples = {}: client {} of partition.file = {} holds {} sample(s)",
                                 settings.min_samples, small->first, settings.file, small->second));
  }
  return owner;
}

std::vector<std::int32_t> natural_owners(const PartitionSettings& settings, const std::vector<std::int32_t>& natural,
                                         std::int64_t samples) {
  if (natural.empty()) {
    throw InputError("partition.kind = by_column: the data do not say whom samples come from; allowed: har, csv with "
                     "data.client_column, npy and npz with an array client, and embedded data but glyphs");
  }
  if (static_cast<std::int64_t>(natural.size()) != samples) {
    throw InputError(fmt::format("partition.kind = by_column: {} clients for {} samples; allowed: one for each",
                                 natural.size(), samples));
  }
  const std::int32_t count = 1 + *std::max_element(natural.begin(), natural.end());
  if (count != settings.clients) {
    throw InputError(fmt::format("partition.clients = {}: allowed with partition.kind = by_column: {}, whom the samples "
                                 "come from",
                                 settings.clients, count));
  }
  if (const auto small = short_of_samples(natural, settings)) {
    throw InputError(fmt::format("partition.min_samples = {}: client {} has {} sample(s) of its own",
                                 settings.min_samples, small->first, small->second));
  }
  return natural;
}

/// Draws until a deal stands: at most 1000 times, fewer where an attempt is so large that 1000 would take many minutes.
std::vector<std::int32_t> deal(const KindEntry& kind, const PartitionInput& input) {
  const PartitionSettings& settings = input.settings;
  const std::int64_t work = input.samples() + std::int64_t{input.clients} * input.classes();
  const auto attempts = static_cast<std::uint32_t>(std::clamp<std::int64_t>(500'000'000 / work, 10, 1000));
  const Rule rule = kind.rule(input);
  std::string refusal;
  for (std::uint32_t attempt = 0; attempt < attempts; ++attempt) {
    Owners drawn = rule(attempt);
    refusal = std::move(drawn.refusal);
    if (!refusal.empty()) continue;
    const auto small = short_of_samples(drawn.owner, settings);
    if (!small) return std::move(drawn.owner);
    refusal = fmt::format("client {} got {} sample(s)", small->first, small->second);
  }
  throw InputError(fmt::format(
      "partition.kind = {}: none of {} draws would do with partition.clients = {}, partition.min_samples = {} and {} "
      "samples of {} classes; in the last one {}",
      kind.info.name, attempts, settings.clients, settings.min_samples, input.samples(), input.present.size(),
      refusal));
}

}  // namespace

const std::vector<PartitionKind>& partition_kinds() {
  static const std::vector<PartitionKind> infos = [] {
    std::vector<PartitionKind> list;
    for (const KindEntry& entry : kinds()) list.push_back(entry.info);
    return list;
  }();
  return infos;
}

Population make_partition(const std::vector<std::int32_t>& labels, std::int32_t classes,
                          const PartitionSettings& settings, std::uint64_t seed,
                          const std::vector<std::int32_t>& natural) {
  const KindEntry& kind = find_kind(settings.kind);
  check_settings(kind, labels, classes, settings);
  const auto samples = static_cast<std::int64_t>(labels.size());
  std::vector<std::int32_t> owner = kind.rule != nullptr ? deal(kind, PartitionInput(labels, classes, settings, seed))
                                    : kind.info.name == "file" ? owners_from_file(settings, samples)
                                                               : natural_owners(settings, natural, samples);
  return make_population(std::move(owner), labels, settings.clients, classes);
}

}  // namespace splitsim
