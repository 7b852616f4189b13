// The Dirichlet family: dirichlet, client_dirichlet, and the two rules of extended_dirichlet.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "base/error.hpp"
#include "kernels/primitives/gamma.hpp"
#include "samplers/population/partition_rules.hpp"

namespace splitsim {
namespace {

/// Cuts class c's samples at `sizes` (which sum to its size): part i goes to members[i], or to client i.
void deal_class(const PartitionInput& input, std::int32_t c, const std::int32_t* members,
                const std::vector<std::int64_t>& sizes, std::vector<std::int32_t>& owner) {
  std::int64_t next = input.class_first[c];
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::int32_t client = members == nullptr ? static_cast<std::int32_t>(i) : members[i];
    for (std::int64_t j = 0; j < sizes[i]; ++j) owner[input.by_class[next++]] = client;
  }
}

using ClassOwners = std::vector<std::vector<std::int32_t>>;  // class -> clients, ascending

/// Each client in turn draws its classes without replacement with probability proportional to exp(-C x (times the class
/// was drawn - the minimum over the classes it can still draw)). Without the minimum the weights would underflow at
/// large K.
ClassOwners choose_classes_balanced(const PartitionInput& input, std::uint32_t attempt) {
  const auto classes = static_cast<std::int32_t>(input.present.size());
  std::vector<double> weight_of_excess{1.0};  // exp(-C x excess) down to where it underflows
  while (weight_of_excess.back() > 0.0) {
    weight_of_excess.push_back(exact_exp(-static_cast<double>(classes) * static_cast<double>(weight_of_excess.size())));
  }
  const auto weight = [&](std::int64_t excess) {
    return excess < static_cast<std::int64_t>(weight_of_excess.size()) ? weight_of_excess[excess] : 0.0;
  };
  ClassOwners owners(input.classes());
  std::vector<std::int64_t> drawn(classes, 0);
  std::vector<std::int32_t> last_client(classes, -1);
  for (std::int32_t k = 0; k < input.clients; ++k) {
    for (std::int32_t j = 0; j < input.settings.classes_per_client; ++j) {
      std::int64_t minimum = std::numeric_limits<std::int64_t>::max();
      for (std::int32_t c = 0; c < classes; ++c) {
        if (last_client[c] != k) minimum = std::min(minimum, drawn[c]);
      }
      double total = 0.0;
      for (std::int32_t c = 0; c < classes; ++c) {
        if (last_client[c] != k) total += weight(drawn[c] - minimum);
      }
      const double target = uniform53(partition_bits(input.seed, PartitionDraw::kClassChoice, k, j, attempt)) * total;
      double sum = 0.0;
      std::int32_t chosen = -1;
      for (std::int32_t c = 0; c < classes && sum <= target; ++c) {
        const double w = last_client[c] != k ? weight(drawn[c] - minimum) : 0.0;
        if (w > 0.0) chosen = c;
        sum += w;
      }
      last_client[chosen] = k;
      ++drawn[chosen];
      owners[input.present[chosen]].push_back(k);
    }
  }
  return owners;
}

/// Every client draws its classes uniformly without replacement.
ClassOwners choose_classes_uniform(const PartitionInput& input, std::uint32_t attempt) {
  std::vector<std::int32_t> deck = input.present;
  const auto classes = static_cast<std::int64_t>(deck.size());
  ClassOwners owners(input.classes());
  for (std::int32_t k = 0; k < input.clients; ++k) {
    for (std::int32_t j = 0; j < input.settings.classes_per_client; ++j) {
      const std::uint64_t random = partition_bits(input.seed, PartitionDraw::kClassChoice, k, j, attempt);
      std::swap(deck[j], deck[j + index_below(random, classes - j)]);
      owners[deck[j]].push_back(k);
    }
  }
  return owners;
}

/// Every sample of class c goes to an independent draw from p ~ Dir(alpha) over the class's owners.
void deal_class_by_draws(const PartitionInput& input, std::int32_t c, const std::vector<std::int32_t>& members,
                         std::uint32_t attempt, std::vector<std::int32_t>& owner) {
  std::vector<double> cumulative(members.size());
  draw_log_proportions(input, c, members.data(), attempt, cumulative);
  normalize_log_weights({cumulative.data(), static_cast<std::int64_t>(cumulative.size())});
  for (std::size_t i = 1; i < cumulative.size(); ++i) cumulative[i] += cumulative[i - 1];
  const double total = cumulative.back();
  // The last owner with a share: where a target that rounds up to the total belongs.
  const auto last = std::lower_bound(cumulative.begin(), cumulative.end(), total) - cumulative.begin();
  const std::int64_t end = input.class_first[c + 1];
#pragma omp parallel for if (end - input.class_first[c] > 10000)
  for (std::int64_t i = input.class_first[c]; i < end; ++i) {
    const std::int32_t sample = input.by_class[i];
    const double target =
        uniform53(partition_bits(input.seed, PartitionDraw::kSampleOwner, sample, 0, attempt)) * total;
    const auto at = std::upper_bound(cumulative.begin(), cumulative.end(), target) - cumulative.begin();
    owner[sample] = members[std::min(at, last)];
  }
}

/// The first class that has samples and fewer than `minimum` owners, or -1.
std::int32_t short_of_owners(const PartitionInput& input, const ClassOwners& owners, std::int64_t minimum) {
  for (const std::int32_t c : input.present) {
    if (static_cast<std::int64_t>(owners[c].size()) < minimum) return c;
  }
  return -1;
}

void check_classes_per_client(const PartitionInput& input) {
  const auto classes = static_cast<std::int64_t>(input.present.size());
  const std::int64_t each = input.settings.classes_per_client;
  if (each < 1 || each > classes) {
    throw InputError(
        fmt::format("partition.classes_per_client = {}: allowed is 1 to {}, the classes of the data", each, classes));
  }
  if (input.clients * each < classes) {
    throw InputError(fmt::format(
        "partition.clients = {} x partition.classes_per_client = {} owns at most {} classes, but the data have "
        "{}: the product must be at least that",
        input.clients, each, input.clients * each, classes));
  }
}

}  // namespace

Rule dirichlet_rule(const PartitionInput& input) {
  return [&input](std::uint32_t attempt) {
    Owners deal;
    deal.owner.resize(input.labels.size());
    std::vector<double> weights(input.clients);
    for (const std::int32_t c : input.present) {
      draw_log_proportions(input, c, nullptr, attempt, weights);
      normalize_log_weights({weights.data(), input.clients});
      deal_class(input, c, nullptr, largest_remainder(weights, input.class_size(c)), deal.owner);
    }
    return deal;
  };
}

Rule extended_dirichlet_balanced_rule(const PartitionInput& input) {
  check_classes_per_client(input);
  return [&input](std::uint32_t attempt) {
    Owners deal;
    const ClassOwners owners = choose_classes_balanced(input, attempt);
    if (const std::int32_t c = short_of_owners(input, owners, 1); c >= 0) {
      deal.refusal = fmt::format("class {} was left without an owner", c);
      return deal;
    }
    deal.owner.resize(input.labels.size());
    for (const std::int32_t c : input.present) deal_class_by_draws(input, c, owners[c], attempt, deal.owner);
    return deal;
  };
}

Rule extended_dirichlet_original_rule(const PartitionInput& input) {
  check_classes_per_client(input);
  const std::int64_t draws = std::int64_t{input.clients} * input.settings.classes_per_client;
  const std::int64_t minimum = std::max<std::int64_t>(draws / static_cast<std::int64_t>(input.present.size()) / 5, 1);
  const auto attempts = static_cast<std::uint32_t>(std::clamp<std::int64_t>(100'000'000 / draws, 10, 100'000));
  ClassOwners owners;
  std::int32_t short_class = 0;
  for (std::uint32_t attempt = 0; attempt < attempts && short_class >= 0; ++attempt) {
    owners = choose_classes_uniform(input, attempt);
    short_class = short_of_owners(input, owners, minimum);
  }
  if (short_class >= 0) {
    throw InputError(fmt::format(
        "partition.rule = original: none of {} uniform class choices gave every class {} owner(s) with "
        "partition.clients = "
        "{}, partition.classes_per_client = {} and {} classes; raise either of them, or use partition.rule = balanced",
        attempts, minimum, input.clients, input.settings.classes_per_client, input.present.size()));
  }
  return [&input, owners](std::uint32_t attempt) {
    Owners deal;
    deal.owner.resize(input.labels.size());
    std::vector<std::int64_t> held(input.clients, 0);
    for (const std::int32_t c : input.present) {
      const std::vector<std::int32_t>& members = owners[c];
      std::vector<double> weights(members.size());
      draw_log_proportions(input, c, members.data(), attempt, weights);
      // The mask: clients that hold N/K samples or more get none of this class. If that is all of them, it is shared
      // evenly (ours: the source divides 0 by 0 there).
      for (std::size_t i = 0; i < members.size(); ++i) {
        if (held[members[i]] * input.clients >= input.samples()) weights[i] = -HUGE_VAL;
      }
      normalize_log_weights({weights.data(), static_cast<std::int64_t>(weights.size())});
      const std::vector<std::int64_t> sizes = largest_remainder(weights, input.class_size(c));
      for (std::size_t i = 0; i < members.size(); ++i) held[members[i]] += sizes[i];
      deal_class(input, c, members.data(), sizes, deal.owner);
    }
    return deal;
  };
}

Rule client_dirichlet_rule(const PartitionInput& input) {
  // Every client has a fixed number of places. All places, in one random order, pick a class from their client's mix,
  // so that no client is late to the classes that run out.
  Address at{Purpose::kPartitionShuffle};
  at.step = static_cast<std::uint32_t>(PartitionOrder::kPlaces);
  const std::vector<std::int32_t> places = shuffled(input.samples(), input.seed, at);
  return [&input, places](std::uint32_t attempt) {
    const std::int32_t classes = input.classes();
    std::vector<double> mixes(static_cast<std::size_t>(input.clients) * classes);
#pragma omp parallel for if (input.clients > 1000)
    for (std::int32_t k = 0; k < input.clients; ++k) {
      const View<double> mix{mixes.data() + static_cast<std::int64_t>(k) * classes, classes};
      for (std::int32_t c = 0; c < classes; ++c) {
        mix[c] = draw_log_gamma(input.settings.alpha, input.seed,
                                {Purpose::kPartition, static_cast<std::uint32_t>(k), static_cast<std::uint32_t>(c),
                                 static_cast<std::uint32_t>(PartitionDraw::kProportions), attempt * kGammaAttempts});
      }
      normalize_log_weights(mix);
    }
    Owners deal;
    deal.owner.resize(input.labels.size());
    std::vector<std::int32_t> left = input.present;  // classes with samples left
    std::vector<std::int64_t> next(input.class_first.begin(), input.class_first.end() - 1);
    for (const std::int32_t place : places) {
      const std::int32_t k = even_owner(place, input.samples(), input.clients);
      const double* mix = mixes.data() + static_cast<std::int64_t>(k) * classes;
      const std::uint64_t random = partition_bits(input.seed, PartitionDraw::kPlaceClass, place, 0, attempt);
      double total = 0.0;
      for (const std::int32_t c : left) total += mix[c];
      std::size_t chosen = 0;
      if (total > 0.0) {
        const double target = uniform53(random) * total;
        double sum = 0.0;
        for (std::size_t i = 0; i < left.size() && sum <= target; ++i) {
          if (mix[left[i]] > 0.0) chosen = i;
          sum += mix[left[i]];
        }
      } else {
        chosen = index_below(random, static_cast<std::int64_t>(left.size()));
      }
      const std::int32_t c = left[chosen];
      deal.owner[input.by_class[next[c]++]] = k;
      if (next[c] == input.class_first[c + 1]) left.erase(left.begin() + static_cast<std::ptrdiff_t>(chosen));
    }
    return deal;
  };
}

}  // namespace splitsim
