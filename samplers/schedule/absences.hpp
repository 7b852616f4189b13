// Schedule transforms: from a schedule to the one that is trained, with what was lost on the way. Pure functions of
// values; clock, learning and records see what they give. Every sample that was scheduled is trained in its step,
// deferred to a later one, or missed. Determinism: exact.
#pragma once

#include <cstdint>
#include <vector>

#include "samplers/population/client_settings.hpp"
#include "samplers/schedule/presence.hpp"
#include "samplers/schedule/schedule.hpp"

namespace splitsim {

/// Samples of a client that were scheduled for a step.
struct Loss {
  std::int32_t step, client, samples;
};

/// What an epoch lost, by the step that it was scheduled for.
struct Losses {
  std::vector<std::int32_t> missed;    ///< [T] samples that the epoch never trains
  std::vector<std::int32_t> deferred;  ///< [T] samples that a later step trains
  std::vector<std::int32_t> absent;    ///< [T] clients that were scheduled and not there
  std::vector<Loss> absences;          ///< of clients that were not there
  std::vector<Loss> late;              ///< of clients that came too late; they are missed
  std::vector<Loss> misses;            ///< never trained in this epoch

  Losses() = default;
  explicit Losses(std::int64_t steps) : missed(static_cast<std::size_t>(steps)), deferred(missed), absent(missed) {}
};

/// The schedule without those who are not there. kDefer: their samples wait and return, oldest first, in steps at which
/// their client is there and that have fewer than `room` samples; what still waits at the end is missed. Needs and
/// fills active lists; steps may become empty.
Schedule without_absent(const Schedule& schedule, const Presence& presence, OnAbsence rule, std::int64_t room,
                        std::uint32_t epoch, Losses& losses);

/// The schedule without the entries that are late: [active entries], in the order of its active lists.
Schedule without_late(const Schedule& schedule, const std::vector<bool>& late, Losses& losses);

}  // namespace splitsim
