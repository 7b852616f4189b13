// Settings of who the clients are to each other and when they are there.
#pragma once

#include <cstdint>
#include <string>

#include "base/names.hpp"
#include "samplers/population/groups.hpp"

namespace splitsim {

/// When clients are there.
enum class Availability : std::uint8_t { kAlways, kBernoulli, kChain, kTrace };
constexpr auto names_of(Availability) {
  return named_values<Availability>({{"always", "in every step"},
                                     {"bernoulli", "with probability clients.available, anew in every step"},
                                     {"chain", "for clients.mean_on steps in the mean, then away for clients.mean_off"},
                                     {"trace", "as clients.availability_file says"}});
}

/// What becomes of an absent client's samples.
enum class OnAbsence : std::uint8_t { kDrop, kDefer };
constexpr auto names_of(OnAbsence) {
  return named_values<OnAbsence>(
      {{"drop", "missed in this epoch"}, {"defer", "return in a later step of the epoch that has room for them"}});
}

/// Keys of [clients].
struct ClientSettings {
  std::int32_t groups = 4;  ///< cpsl, gcpsl; kinds of grouping but file
  Grouping grouping = Grouping::kContiguous;
  std::string groups_file;     ///< file: .npy, [K] integers
  double participation = 1.0;  ///< C: share of the clients that takes part in a round
  Availability availability = Availability::kAlways;
  double available = 0.9;                 ///< bernoulli
  double mean_on = 20.0, mean_off = 5.0;  ///< chain: steps
  std::string availability_file;          ///< trace: CSV with client, step, available
  OnAbsence on_absence = OnAbsence::kDrop;

  bool all_there() const { return participation == 1.0 && availability == Availability::kAlways; }
};

}  // namespace splitsim
