// In which order the server serves the clients of a step where they take turns (sflv2, sl). The clock and learning
// share it, so that both see the same turns. Determinism: exact.
#pragma once

#include <cstdint>

#include "base/names.hpp"
#include "kernels/device/macros.hpp"
#include "kernels/device/philox.hpp"

namespace splitsim {

/// Ascending ids, descending ids, or a random order: ascending by service_key, ties by ascending id.
enum class ServiceOrder : std::uint8_t { kCyclic, kReverse, kRandom };
constexpr auto names_of(ServiceOrder) {
  return named_values<ServiceOrder>({{"cyclic", "ascending ids"},
                                     {"reverse", "descending ids"},
                                     {"random", "anew in every step"}});
}

/// Of a client in a step: 32 bits addressed by (seed, epoch, step, client).
PSL_HD inline std::uint32_t service_key(std::uint64_t seed, std::uint32_t epoch, std::int64_t step,
                                        std::int32_t client) {
  const Address at{Purpose::kServiceOrder, static_cast<std::uint32_t>(client), static_cast<std::uint32_t>(step), epoch,
                   0};
  return random_bits(seed, at).x;
}

/// By which turns of groups are sorted: smaller ones first, no two alike. groups: their number.
PSL_HD inline std::uint32_t group_turn_key(ServiceOrder order, std::uint64_t seed, std::uint32_t epoch,
                                           std::int64_t step, std::int32_t group, std::int32_t groups) {
  const auto id = static_cast<std::uint32_t>(group), count = static_cast<std::uint32_t>(groups);
  if (order == ServiceOrder::kReverse) return count - 1 - id;
  if (order == ServiceOrder::kCyclic) return id;
  std::uint32_t low_bits = 0;  // hold the id
  while (low_bits < count - 1) low_bits = 2 * low_bits + 1;
  return (service_key(seed, epoch, step, group) & ~low_bits) | id;
}

}  // namespace splitsim
