#include "samplers/population/groups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/error.hpp"
#include "base/npy.hpp"
#include "kernels/device/philox.hpp"

namespace splitsim {

namespace {

Groups read_groups(const std::string& path, std::int32_t clients) {
  if (path.empty()) throw InputError("clients.groups_file is empty; clients.grouping = file needs a .npy file");
  NpyFile file(path);
  if (file.size() != clients) {
    throw InputError(fmt::format("{}: {} values; it must have one per client, {}", path, file.size(), clients));
  }
  Groups groups;
  groups.of = file.integers<std::int32_t>({0, clients - 1, fmt::format("0 to {} (a group per client)", clients - 1)});
  groups.count = 1 + *std::max_element(groups.of.begin(), groups.of.end());
  std::vector<bool> seen(static_cast<std::size_t>(groups.count));
  for (const std::int32_t g : groups.of) seen[static_cast<std::size_t>(g)] = true;
  const auto empty = std::find(seen.begin(), seen.end(), false);
  if (empty != seen.end()) {
    throw InputError(
        fmt::format("{}: group {} has no client; groups are counted from 0 without gaps", path, empty - seen.begin()));
  }
  return groups;
}

// The clients in an order that only the seed decides.
std::vector<std::int32_t> shuffled(std::int32_t clients, std::uint64_t seed) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(clients));
  std::iota(order.begin(), order.end(), 0);
  std::vector<std::uint64_t> key(order.size());
  for (std::size_t k = 0; k < key.size(); ++k) {
    const Bits128 bits = random_bits(seed, {Purpose::kGroups, static_cast<std::uint32_t>(k)});
    key[k] = (static_cast<std::uint64_t>(bits.y) << 32) | bits.x;
  }
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return key[static_cast<std::size_t>(a)] < key[static_cast<std::size_t>(b)];
  });
  return order;
}

}  // namespace

std::vector<std::int64_t> Groups::sums(const std::vector<std::int64_t>& of_clients) const {
  std::vector<std::int64_t> sums(static_cast<std::size_t>(count));
  for (std::size_t k = 0; k < of.size(); ++k) sums[static_cast<std::size_t>(of[k])] += of_clients[k];
  return sums;
}

std::int64_t Groups::most_clients() const {
  const std::vector<std::int64_t> sizes = sums(std::vector<std::int64_t>(of.size(), 1));
  return *std::max_element(sizes.begin(), sizes.end());
}

Groups make_groups(Grouping kind, std::int32_t count, const std::string& file, std::int32_t clients,
                   std::uint64_t seed) {
  if (kind == Grouping::kFile) return read_groups(file, clients);
  if (count < 1 || count > clients) {
    throw InputError(fmt::format("clients.groups = {}: allowed are 1 to {} (partition.clients)", count, clients));
  }
  Groups groups{std::vector<std::int32_t>(static_cast<std::size_t>(clients)), count};
  const std::vector<std::int32_t> order =
      kind == Grouping::kRandom ? shuffled(clients, seed) : std::vector<std::int32_t>();
  for (std::int32_t place = 0; place < clients; ++place) {
    const std::int32_t k = order.empty() ? place : order[static_cast<std::size_t>(place)];
    groups.of[static_cast<std::size_t>(k)] =
        kind == Grouping::kRoundRobin
            ? place % count
            : static_cast<std::int32_t>(std::int64_t{place} * count / clients);  // sizes differ by at most 1
  }
  return groups;
}

}  // namespace splitsim
