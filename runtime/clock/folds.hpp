// One fold per kind of clock (runtime/clock/timeline.hpp has the formulas): from an epoch's entries to the times of its
// steps. Single source, functors for for_each_block. Determinism: exact (integers, maxima with ties to the lowest id).
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"
#include "runtime/clock/entries.hpp"
#include "runtime/clock/nanoseconds.hpp"
#include "runtime/clock/timeline.hpp"
#include "samplers/schedule/rounds.hpp"

namespace splitsim {

/// One step as the device reports it. Times count from the step's start, under run-ahead from 0.
struct StepTime {
  std::int64_t start_ns;
  std::int64_t end_ns;
  std::int32_t critical_forward;
  std::int32_t critical_backward;
};

/// A time and whose it is. The later one wins, ties go to the lowest id.
struct Latest {
  std::int64_t ns = -1;
  std::int32_t client = INT32_MAX;

  PSL_HD std::int64_t ns_or_zero() const { return ns < 0 ? 0 : ns; }
  PSL_HD std::int32_t client_or_none() const { return ns < 0 ? -1 : client; }
};
struct LaterOf {
  PSL_HD Latest operator()(const Latest& a, const Latest& b) const {
    if (a.ns != b.ns) return a.ns > b.ns ? a : b;
    return a.client <= b.client ? a : b;
  }
};
struct EarlierNs {
  PSL_HD std::int64_t operator()(std::int64_t a, std::int64_t b) const { return b < a ? b : a; }
};
struct LaterNs {
  PSL_HD std::int64_t operator()(std::int64_t a, std::int64_t b) const { return max_ns(a, b); }
};
struct SumNs {
  PSL_HD std::int64_t operator()(std::int64_t a, std::int64_t b) const { return add_ns(a, b); }
};

/// Both barriers, a block per step of the piece.
struct BarrierFold {
  EpochEntries entries;
  ProfileView profile;
  bool one_barrier;
  const std::int64_t* earliest_ns;  ///< [T] when the server begins at the earliest, or null
  StepTime* times;                  ///< [T]

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const std::int64_t t = entries.from_step + block;
    const std::int64_t first = entries.first(t), n = entries.active(t);
    const std::int64_t server = profile.server_ns(entries.batch(t));
    const auto forward = [&](std::int64_t i) {
      const std::int64_t ns = entries.forward_ns(first + i);
      return Latest{one_barrier ? add_ns(ns, entries.backward_ns(first + i)) : ns, entries.client(first + i)};
    };
    const auto backward = [&](std::int64_t i) {
      return Latest{entries.backward_ns(first + i), entries.client(first + i)};
    };
    const Latest last_forward = team.reduce(n, Latest{}, forward, LaterOf{});
    Latest last_backward = last_forward;
    const std::int64_t begins = earliest_ns != nullptr ? earliest_ns[t] : 0;
    std::int64_t end = add_ns(max_ns(last_forward.ns_or_zero(), begins), server);
    if (!one_barrier) {
      last_backward = team.reduce(n, Latest{}, backward, LaterOf{});
      end = add_ns(end, last_backward.ns_or_zero());
    }
    if (team.rank() == 0) times[t] = {0, end, last_forward.client_or_none(), last_backward.client_or_none()};
  }
};

/// sflv2: the server serves one client after another; a block per step, in which one thread walks the chain.
struct ChainFold {
  EpochEntries entries;
  ProfileView profile;
  StepTime* times;  ///< [T]

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t t) const {
    if (team.rank() != 0) return;
    const std::int64_t n = entries.active(t);
    if (n == 0) {
      times[t] = {0, profile.server_ns(entries.batch(t)), -1, -1};
      return;
    }
    std::int64_t finished = 0;
    std::int32_t opener = -1;  // who began the server's current busy period
    Latest last;
    std::int32_t last_opener = -1;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t e = entries.served(t, i);
      const std::int32_t k = entries.client(e);
      if (i == 0 || entries.forward_ns(e) > finished) opener = k;
      finished = add_ns(max_ns(finished, entries.forward_ns(e)), profile.server_ns(entries.samples(t, e)));
      const Latest done = LaterOf{}(last, {add_ns(finished, entries.backward_ns(e)), k});
      if (done.client != last.client) last_opener = opener;
      last = done;
    }
    times[t] = {0, last.ns, last_opener, last.client};
  }
};

/// sl: one client after another, each turn with its handover; a block per step.
struct RelayFold {
  EpochEntries entries;
  ProfileView profile;
  StepTime* times;  ///< [T]

  /// What the entry at position i of step t adds to the step.
  PSL_HD std::int64_t own_ns(std::int64_t t, std::int64_t i) const {
    const std::int64_t e = entries.served(t, i);
    std::int64_t ns = add_ns(entries.forward_ns(e), profile.server_ns(entries.samples(t, e)));
    ns = add_ns(ns, entries.backward_ns(e));
    const std::int32_t k = entries.client(e);
    if (k == before(t, i)) return ns;
    return add_ns(ns, add_ns(profile.client[k].model_down_ns, profile.client[k].model_up_ns));
  }

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t t) const {
    const std::int64_t n = entries.active(t);
    const auto own = [&](std::int64_t i) { return own_ns(t, i); };
    const auto turn = [&](std::int64_t i) { return Latest{own_ns(t, i), entries.client(entries.served(t, i))}; };
    const std::int64_t total = team.reduce(n, std::int64_t{0}, own, SumNs{});
    const Latest longest = team.reduce(n, Latest{}, turn, LaterOf{});
    const std::int64_t end = n > 0 ? total : profile.server_ns(entries.batch(t));
    if (team.rank() == 0) times[t] = {0, end, longest.client_or_none(), longest.client_or_none()};
  }

 private:
  /// Who was served just before position i of step t in this epoch, -1 at its start.
  PSL_HD std::int32_t before(std::int64_t t, std::int64_t i) const {
    if (i > 0) return entries.client(entries.served(t, i - 1));
    while (t > 0 && entries.active(t - 1) == 0) --t;
    return t > 0 ? entries.client(entries.served(t - 1, entries.active(t - 1) - 1)) : -1;
  }
};

/// central: the data are at the server.
struct ServerFold {
  EpochEntries entries;
  ProfileView profile;
  StepTime* times;  ///< [T]

  PSL_HD void operator()(std::int64_t t) const { times[t] = {0, profile.server_ns(entries.batch(t)), -1, -1}; }
};

/// cpsl: one group after another, each with its own barriers; a block per step, in which one thread walks the groups.
/// Critical clients are those of the longest turn, ties to the first.
struct ClusterFold {
  EpochEntries entries;
  ProfileView profile;
  const std::int32_t* group;  ///< [K]
  bool one_barrier;
  StepTime* times;  ///< [T]

  struct Turn {
    std::int64_t end = 0;  ///< position behind its last entry
    std::int64_t samples = 0;
    Latest forward, backward;
    std::int64_t ns = 0;
  };
  /// The turn whose first entry is at position i of step t.
  PSL_HD Turn turn(std::int64_t t, std::int64_t i) const {
    const std::int64_t n = entries.active(t);
    const std::int32_t mine = group[entries.client(entries.served(t, i))];
    Turn turn;
    for (turn.end = i; turn.end < n; ++turn.end) {
      const std::int64_t e = entries.served(t, turn.end);
      const std::int32_t k = entries.client(e);
      if (group[k] != mine) break;
      const std::int64_t fwd = entries.forward_ns(e), bwd = entries.backward_ns(e);
      turn.samples += entries.samples(t, e);
      turn.forward = LaterOf{}(turn.forward, {one_barrier ? add_ns(fwd, bwd) : fwd, k});
      turn.backward = one_barrier ? turn.forward : LaterOf{}(turn.backward, {bwd, k});
    }
    turn.ns = add_ns(turn.forward.ns, profile.server_ns(turn.samples));
    if (!one_barrier) turn.ns = add_ns(turn.ns, turn.backward.ns);
    return turn;
  }

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t t) const {
    if (team.rank() != 0) return;
    const std::int64_t n = entries.active(t);
    StepTime step{0, n > 0 ? 0 : profile.server_ns(entries.batch(t)), -1, -1};
    std::int64_t longest = -1;
    for (std::int64_t i = 0; i < n;) {
      const Turn now = turn(t, i);
      step.end_ns = add_ns(step.end_ns, now.ns);
      if (now.ns > longest) {
        longest = now.ns;
        step.critical_forward = now.forward.client;
        step.critical_backward = now.backward.client;
      }
      i = now.end;
    }
    times[t] = step;
  }
};

/// Where waiting times go: [K], [K] and [entries]; the last or all null.
struct WaitingSums {
  std::int64_t* waiting_ns;
  std::int64_t* total_ns;
  EntryWaiting* entry;

  /// Entry e is of client k, which no other entry of the same step is.
  PSL_HD void add(std::int64_t e, std::int32_t k, std::int64_t waited, std::int64_t total) const {
    if (waiting_ns == nullptr) return;
    waiting_ns[k] = add_ns(waiting_ns[k], waited);
    total_ns[k] = add_ns(total_ns[k], total);
    if (entry != nullptr) entry[e] = {waited, total};
  }
};

/// ClientWaiting of the kinds whose steps follow each other. A client occurs once per step, so one team that walks the
/// steps needs no atomics.
struct WaitingFold {
  EpochEntries entries;
  ProfileView profile;
  ClockKind kind;
  const std::int32_t* group;  ///< [K] of clusters
  const StepTime* times;      ///< [T] before model_sync = round
  WaitingSums sums;
  std::int64_t to_step;  ///< of steps [entries.from_step, to_step)

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t) const {
    for (std::int64_t t = entries.from_step; t < to_step; ++t) {
      const std::int64_t n = entries.active(t), step = times[t].end_ns;
      for (std::int64_t i = team.rank(); i < n; i += team.size()) {
        const std::int64_t e = entries.served(t, i);
        if (kind == ClockKind::kServer) {  // no client does anything
          sums.add(e, entries.client(e), 0, 0);
        } else {
          sums.add(e, entries.client(e), step - busy_ns(t, i), step);
        }
      }
      team.sync();
    }
  }

 private:
  PSL_HD std::int64_t busy_ns(std::int64_t t, std::int64_t i) const {
    if (kind == ClockKind::kRelay) return RelayFold{entries, profile, nullptr}.own_ns(t, i);
    const std::int64_t e = entries.served(t, i);
    std::int64_t samples = kind == ClockKind::kChain ? entries.samples(t, e) : entries.batch(t);
    if (kind == ClockKind::kClusters) {
      const ClusterFold fold{entries, profile, group, false, nullptr};
      std::int64_t first = i;  // of its turn
      while (first > 0 && group[entries.client(entries.served(t, first - 1))] == group[entries.client(e)]) --first;
      samples = fold.turn(t, first).samples;
    }
    return add_ns(add_ns(entries.forward_ns(e), entries.backward_ns(e)), profile.server_ns(samples));
  }
};

/// model_sync = round for the kinds whose steps follow each other: a block per step, of which only round ends do
/// anything.
struct RoundSync {
  EpochEntries entries;
  ProfileView profile;
  Rounds rounds;
  StepTime* times;  ///< [T], changed

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t t) const {
    if (!rounds.ends_after(t, entries.steps)) return;
    const std::int64_t first = entries.first(rounds.first_of(t)), n = entries.first(t + 1) - first;
    const auto up = [&](std::int64_t i) { return profile.client[entries.client(first + i)].model_up_ns; };
    const auto down = [&](std::int64_t i) { return profile.client[entries.client(first + i)].model_down_ns; };
    const std::int64_t up_ns = team.reduce(n, std::int64_t{0}, up, LaterNs{});
    const std::int64_t down_ns = team.reduce(n, std::int64_t{0}, down, LaterNs{});
    if (team.rank() == 0) times[t].end_ns = add_ns(times[t].end_ns, add_ns(up_ns, down_ns));
  }
};

}  // namespace splitsim
