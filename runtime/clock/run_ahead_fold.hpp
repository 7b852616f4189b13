// The fold of clocks whose steps overlap (runtime/clock/folds.hpp has the others). Determinism: exact.
#pragma once

#include <cstdint>

#include "runtime/clock/folds.hpp"

namespace splitsim {

/// psl_local; fedavg and cse_fsl, whose clients do not wait for the server: clients run ahead of each other. Steps
/// depend on each other through C and S, so one team walks the epoch. Also keeps ClientWaiting, if asked, and
/// model_sync = round.
struct RunAheadFold {
  EpochEntries entries;
  ProfileView profile;
  bool waits;                 ///< the server comes between forward and backward
  Uploads uploads;            ///< steps in which it works
  bool sync_rounds;           ///< model_sync = round
  Rounds rounds;
  std::int64_t* ready_ns;   ///< [K] C_k, carried over epochs
  std::int64_t* server_ns;  ///< [2] S and the latest end so far, carried over epochs
  WaitingSums sums;
  StepTime* times;  ///< [T]

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t) const {
    std::int64_t server_ready = server_ns[0], latest_end = server_ns[1];
    team.sync();  // an epoch without steps has no other one before they are written
    for (std::int64_t t = 0; t < entries.steps; ++t) {
      const std::int64_t first = entries.first(t), n = entries.active(t);
      const bool served = uploads.in(t);
      const std::int64_t server = waits ? profile.server_ns(entries.batch(t)) : 0;  // that clients wait for
      const auto ready = [&](std::int64_t i) { return ready_ns[entries.client(first + i)]; };
      const auto arrival = [&](std::int64_t i) {
        return Latest{add_ns(ready(i), entries.forward_ns(first + i)), entries.client(first + i)};
      };
      const std::int64_t idle = waits ? server_ready : latest_end;
      const std::int64_t start = n > 0 ? team.reduce(n, kForever, ready, EarlierNs{}) : idle;
      const Latest last_arrival = team.reduce(n, Latest{}, arrival, LaterOf{});
      if (served) {
        server_ready = add_ns(max_ns(server_ready, last_arrival.ns_or_zero()), profile.server_ns(entries.batch(t)));
      }
      const auto done = [&](std::int64_t i) {
        const std::int64_t from = waits ? server_ready : arrival(i).ns;
        return Latest{add_ns(from, entries.backward_ns(first + i)), entries.client(first + i)};
      };
      const Latest last_done = team.reduce(n, Latest{}, done, LaterOf{});
      for (std::int64_t i = team.rank(); i < n; i += team.size()) {
        const std::int64_t e = first + i;
        const std::int32_t k = entries.client(e);
        const std::int64_t before = ready_ns[k], after = done(i).ns;
        const std::int64_t busy = add_ns(add_ns(entries.forward_ns(e), server), entries.backward_ns(e));
        sums.add(e, k, after - before - busy, after - before);
        ready_ns[k] = after;
      }
      team.sync();
      latest_end = max_ns(latest_end, n > 0 ? last_done.ns : server_ready);
      if (served) latest_end = max_ns(latest_end, server_ready);
      if (sync_rounds && rounds.ends_after(t, entries.steps)) {
        latest_end = max_ns(latest_end, synchronize_round(team, rounds.first_of(t), t + 1));
      }
      if (team.rank() == 0) {
        const Latest& held_up = waits ? last_arrival : last_done;
        times[t] = {start, latest_end, held_up.client_or_none(), last_done.client_or_none()};
      }
    }
    if (team.rank() == 0) {
      server_ns[0] = server_ready;
      server_ns[1] = latest_end;
    }
  }

 private:
  /// All clients of steps [first_step, end_step) return their models, wait for the last one and fetch the average.
  /// Returns when the last of them has it.
  template <class Team>
  PSL_HD std::int64_t synchronize_round(Team& team, std::int64_t first_step, std::int64_t end_step) const {
    const std::int64_t first = entries.first(first_step), n = entries.first(end_step) - first;
    const auto returned = [&](std::int64_t i) {
      const std::int32_t k = entries.client(first + i);
      return add_ns(ready_ns[k], profile.client[k].model_up_ns);
    };
    const std::int64_t averaged = team.reduce(n, std::int64_t{0}, returned, LaterNs{});
    const auto fetched = [&](std::int64_t i) {
      return add_ns(averaged, profile.client[entries.client(first + i)].model_down_ns);
    };
    const std::int64_t end = team.reduce(n, std::int64_t{0}, fetched, LaterNs{});
    // A client that stepped several times in the round is written several times, with the same value: volatile, so that
    // these writes are no race.
    volatile std::int64_t* ready = ready_ns;
    for (std::int64_t i = team.rank(); i < n; i += team.size()) ready[entries.client(first + i)] = fetched(i);
    team.sync();
    return end;
  }
};

}  // namespace splitsim
