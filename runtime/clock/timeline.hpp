// When each step starts and ends in virtual time: a pure function of (schedule, profile, jitter model, seed), in
// integer nanoseconds, exact and order-free. Determinism: exact on every backend.
//
// One design for every clock: first each active entry (step, client k, b samples) gets two integer durations,
//   fwd = rne(J (d + b f)) + b up     bwd = b down + rne(J b g)     server(n) = s0 + n s1
// then a small fold per kind turns the step's entries into its start and end. B_t is the step's batch size.
//
//   barrier  "two" (PSL, paper):  step = max fwd + server(B_t) + max bwd
//            "one" (chain):       step = server(B_t) + max (fwd + bwd)
//   run-ahead (psl_local, ours):  A_k(t) = C_k(t-1) + fwd_k          k's smashed data have arrived
//                                 S(t) = max(S(t-1), max over active A_k(t)) + server(B_t)      the server is done
//                                 C_k(t) = S(t) + bwd_k              k is done; inactive clients keep C_k(t-1)
//   chain (sflv2):  fin_i = max(fin_{i-1}, fwd_i) + server(b_i) in service order, step = max (fin_i + bwd_i)
//   clusters (cpsl): sum over the groups of max fwd + server(B_group) + max bwd ("one": server + max (fwd + bwd)),
//            in service order
//   server (central):  step = server(B_t); clients take no time
//   local (fedavg):  C_k(t) = C_k(t-1) + fwd_k + bwd_k: clients go on alone, the server does nothing
//   one way (cse_fsl, fsl_an):  C_k(t) = C_k(t-1) + fwd_k + bwd_k, with b up in fwd in every h-th step of an epoch
//            only, and bwd without down; in those S(t) = max(S(t-1), max over active (C_k(t-1) + fwd_k)) + server(B_t);
//            a step is over when its clients are done, and the server with what came so far
//   relay (sl):     step = sum of fwd_i + server(b_i) + bwd_i + handover_i in service order; handover_i = client model
//                   down + up, once per turn (consecutive entries of one client within an epoch are one turn)
//
// Under "barrier" a step with no active client (the central sampler) costs server(B_t); likewise under the other kinds.
//
// model_sync (ours) adds the client model's transfers:
//   step   every active client fetches the model before its forward and returns it after its backward:
//          fwd += model_down, bwd += model_up
//   round  after the last step of a round, the clients that stepped in the round return their models, and get the
//          average back once the last one has arrived: that step is longer by max model_up + max model_down over those
//          clients.
//          run-ahead: Z = max (C_k + model_up_k), then C_k = Z + model_down_k; the server does not wait.
//          A round is round_steps steps of one epoch (the last one may be shorter) or the epoch.
//   mode   what the learning mode does (ClockMode::model_sync).
//   relay always hands over and accepts "mode" and "none" only.
//
// All sums stop at kForever (2^62 - 1 ns); a timeline that reaches it is an InputError, never a wrapped number.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/clock/lateness.hpp"
#include "samplers/latency/profile.hpp"
#include "samplers/population/groups.hpp"
#include "samplers/schedule/schedule.hpp"
#include "samplers/schedule/service_order.hpp"

namespace splitsim {

/// One epoch of virtual time. Clients are ids, -1 when no client took part (the central sampler). Steps follow each
/// other without a gap, except under run-ahead, where they overlap: there start is when the first of the step's active
/// clients begins, and end is when this and all earlier steps are complete on every client, so that ends never
/// decrease.
struct Timeline {
  std::vector<std::int64_t> start_ns;  ///< [T]
  std::vector<std::int64_t> end_ns;    ///< [T]
  /// [T] the client the server waited for: max fwd ("one": max fwd + bwd; run-ahead: max A_k; relay: the longest turn),
  /// ties to the lowest id. chain: the client whose arrival began the server's busy period that ends the step.
  std::vector<std::int32_t> critical_forward;
  /// [T] the client that ended the step: max bwd (the same as critical_forward under "one" and relay; chain: max fin +
  /// bwd), ties to the lowest id.
  std::vector<std::int32_t> critical_backward;

  std::int64_t steps() const { return static_cast<std::int64_t>(start_ns.size()); }
  /// SHA-256 over (start_ns, end_ns, critical_forward, critical_backward).
  std::string sha256() const;
};

enum class ClockKind : std::uint8_t { kBarrier, kRunAhead, kChain, kRelay, kClusters, kServer, kLocal, kOneWay };
/// Whether clients go on by themselves, so that steps overlap and the clock carries a time per client.
constexpr bool overlaps(ClockKind kind) {
  return kind == ClockKind::kRunAhead || kind == ClockKind::kLocal || kind == ClockKind::kOneWay;
}

/// What the learning mode means for the clock.
struct ClockMode {
  ClockKind kind =
      ClockKind::kBarrier;  ///< kBarrier: which one is said by the settings' barrier: two, one or run_ahead
  ServiceOrder service_order = ServiceOrder::kCyclic;
  std::int64_t round_steps = 0;  ///< model_sync = round: steps per round, 0: the epoch
  bool track_waiting = false;    ///< keep ClientWaiting and EntryWaiting; costs a pass over all entries
  /// 0: all entries' durations are held at once, EntryWaiting is kept. Else only ClientWaiting is, and epochs of barriers,
  /// whose steps know nothing of each other, are folded in pieces of about so many entries.
  std::int64_t held_entries = 0;
  /// Of random service orders; absent: the one that build() gets. A run that is timed anew with other draws keeps its
  /// turns: learning took them.
  std::optional<std::uint64_t> service_seed = {};
  ModelSync model_sync = ModelSync::kNone;  ///< what the settings' model_sync = mode means
  Groups groups = {};                       ///< kClusters
  std::int64_t upload_every = 1;            ///< kOneWay: smashed data are sent in every so many-th step of an epoch
};

/// What the mode and the settings' barrier mean together: a barrier of run_ahead is a clock of its own.
ClockKind resolved_kind(const ClockMode& mode, const LatencySettings& settings);
/// What the settings' model_sync means in this mode. Errors: InputError for one that asks for more than that
/// where one client after another steps (sl), which always hands the model over.
ModelSync resolved_sync(const ClockMode& mode, const LatencySettings& settings);

/// How long each client stood idle, over all epochs built so far. total: from the start to the end of the steps in
/// which the client was active (run-ahead: C_k(t) - C_k(t-1)), without model_sync = round; waiting: the part in which
/// neither it nor the server on its behalf was at work. Under "barrier" two, waiting = (max fwd - fwd) + (max bwd -
/// bwd).
struct ClientWaiting {
  std::vector<std::int64_t> waiting_ns;  ///< [K]
  std::vector<std::int64_t> total_ns;    ///< [K]
};

/// The same for one active entry of the last epoch built.
struct EntryWaiting {
  std::int64_t waiting_ns, total_ns;
};

/// What a clock carries from epoch to epoch.
struct ClockState {
  std::int64_t now_ns = 0;                    ///< end of the last epoch built
  std::int64_t server_ready_ns = 0;           ///< S, where steps overlap
  std::vector<std::int64_t> client_ready_ns;  ///< [K] C_k, where steps overlap (empty otherwise)
};

/// Computes timelines epoch after epoch; each epoch starts where the last one ended.
template <class Context>
class Clock {
 public:
  /// `profile` is copied to the device. Errors: InputError for a jitter distribution that is not one, a negative
  /// round_steps, model_sync = step or round under relay.
  Clock(Context& ctx, const Profile& profile, const LatencySettings& settings, const ScheduleBounds& bounds,
        const ClockMode& mode = {});
  ~Clock();

  /// The timeline of the epoch in `schedule`, whose clients are those of the profile. Reads the device once. Errors:
  /// InputError if virtual time passes kForever (the clock's state is then undefined). earliest_ns: [T] when the server
  /// begins at the earliest, from a step's start; needs settings.drops_late(). Empty: once everybody has arrived.
  Timeline build(const ScheduleBuffer<Context>& schedule, std::uint64_t seed, std::uint32_t epoch,
                 const std::vector<std::int64_t>& earliest_ns = {});

  /// fwd and bwd of the epoch's `entries` active entries, which build() folds; the clock stays where it is. Requires
  /// mode.held_entries = 0 or settings.drops_late(). Synchronises.
  EntryTimes entry_times(const ScheduleBuffer<Context>& schedule, std::int64_t entries, std::uint64_t seed,
                         std::uint32_t epoch);

  std::int64_t now_ns() const;      ///< end of the last epoch built
  void set_now_ns(std::int64_t t);  ///< as if every client and the server became ready at t

  /// For resuming: set_state(state()) changes nothing. Synchronises under run-ahead.
  ClockState state() const;
  void set_state(const ClockState& state);

  /// Requires mode.track_waiting. Synchronises.
  ClientWaiting waiting() const;
  /// Of the last epoch's `entries` active entries, in the order of its schedule's active_client. Requires
  /// mode.track_waiting and mode.held_entries = 0. Synchronises.
  std::vector<EntryWaiting> entry_waiting(std::int64_t entries) const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace splitsim
