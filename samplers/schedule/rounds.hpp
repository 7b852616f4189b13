// Which steps of an epoch are special: rounds, groups of consecutive steps at whose ends replicas are averaged, and
// uploads, steps whose smashed data reach the server where not all do. Learning, clock and ledger ask here.
// Determinism: exact.
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"

namespace splitsim {

struct Rounds {
  std::int64_t length = 0;  ///< R, in steps of the schedule; 0: the epoch

  /// Whether step t, of T in its epoch, is the last one of its round. An epoch's last round may be shorter.
  PSL_HD bool ends_after(std::int64_t t, std::int64_t steps) const {
    return t + 1 == steps || (length > 0 && (t + 1) % length == 0);
  }
  /// The first step of the round of step t.
  PSL_HD std::int64_t first_of(std::int64_t t) const { return length > 0 ? t - t % length : 0; }
};

struct Uploads {
  std::int64_t every = 1;  ///< h: every so many-th step of the schedule's epoch; 0: none

  /// Whether step t of its epoch is one.
  PSL_HD bool in(std::int64_t t) const { return every > 0 && (t + 1) % every == 0; }
};

}  // namespace splitsim
