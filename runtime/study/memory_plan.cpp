#include "runtime/study/memory_plan.hpp"

#include <algorithm>

namespace splitsim {

namespace {

constexpr std::uint64_t kPopulation = 12;                   // owner, label, by_client
constexpr std::uint64_t kHostPerSample = 30;                // the same, labels twice while dealt
constexpr std::uint64_t kHeldOnDevice = 32;                 // times of active entries, and how long they wait
constexpr std::uint64_t kHeldOnHost = 16;                   // slots and active lists
constexpr std::uint64_t kDevicePerClient = 120;             // profile, entries of the clock
constexpr std::uint64_t kHostPerClient = 80;                // profile, sizes; and 4 C of the histogram
constexpr std::uint64_t kPiece = std::uint64_t{1} << 22;    // samples of an epoch that are looked at together
constexpr std::uint64_t kBuffers = std::uint64_t{8} << 20;  // of the process, whatever the size

// Bytes per sample of sampler, schedule and clock: keys and values twice where samples are sorted, stocks per client and
// class where they are allocated.
std::uint64_t per_sample(const std::string& kind) {
  if (kind == "central") return 25;
  if (kind == "ugs" || kind == "urn" || kind == "lds" || kind == "relay" || kind == "file" || kind == "callable" ||
      kind == "pack") {
    return 41;
  }
  return 68;
}

}  // namespace

SamplingMemory sampling_memory(std::int64_t samples, std::int64_t clients, std::int64_t classes,
                               const std::vector<std::string>& kinds, bool whole) {
  const auto n = static_cast<std::uint64_t>(samples), k = static_cast<std::uint64_t>(clients);
  const auto c = static_cast<std::uint64_t>(classes);
  std::uint64_t largest = 0;
  for (const std::string& kind : kinds) {
    // Of every client in every class: shares, or stocks and who can give how much of them.
    const std::uint64_t shares = kind == "lds"                              ? k * (70 + c * (8 + c / 256))
                                 : kind == "lb_greedy" || kind == "lb_flow" ? 24 * k * c
                                                                            : 0;
    largest = std::max(largest, n * per_sample(kind) + shares);
  }
  const std::uint64_t held = whole ? n : std::min(n, kPiece);
  return {.device = n * kPopulation + held * kHeldOnDevice + largest + k * kDevicePerClient,
          .host = kBuffers + n * kHostPerSample + held * kHeldOnHost + k * (kHostPerClient + 4 * c)};
}

}  // namespace splitsim
