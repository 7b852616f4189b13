// Groups of clients: clusters, edge servers, whatever shares a client half or a turn. Determinism: exact.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/names.hpp"

namespace splitsim {

/// Which group a client is in.
enum class Grouping : std::uint8_t { kContiguous, kRoundRobin, kRandom, kFile };
constexpr auto names_of(Grouping) {
  return named_values<Grouping>({{"contiguous", "neighbouring ids"},
                                 {"round_robin", "id modulo the number of groups"},
                                 {"random", "groups of equal size, drawn once"},
                                 {"file", "clients.groups_file"}});
}

/// Every client's group, ids from 0, none without a client.
struct Groups {
  std::vector<std::int32_t> of = {};  ///< [K]
  std::int32_t count = 1;

  std::int32_t of_client(std::int32_t k) const { return of[static_cast<std::size_t>(k)]; }
  /// The sum of what its clients have. of_clients: [K]. Gives [groups].
  std::vector<std::int64_t> sums(const std::vector<std::int64_t>& of_clients) const;
  /// Clients of the largest group.
  std::int64_t most_clients() const;
};

/// count: of the kinds but file, which has its own. file: .npy, [K] integers. Errors: InputError for more groups than
/// clients, a file that is none of K clients, or a group in it that has no client.
Groups make_groups(Grouping kind, std::int32_t count, const std::string& file, std::int32_t clients,
                   std::uint64_t seed);

}  // namespace splitsim
