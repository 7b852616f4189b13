// The communication ledger: what crosses the links between clients and server, exactly, in bytes. A pure function of
// (schedule, sizes, learning mode): it counts whether or not the clock gives these transfers time.
//
//   every step, client k with b_k samples   up: b_k (activation + label), down: b_k cut gradient, as compressed
//                                           (cse_fsl, fsl_an: every h-th step, and nothing down)
//   client models, as the mode moves them:
//     step    psl: down (the current half) and up (its gradient, as large) for every active client
//     round   sflv1, sflv2: up and down (the average) once a round for every client that stepped in it
//     turn    sl: down and up whenever another client than before takes over, anew in every epoch
//     never   psl_local, sflv3, central
// A client that came too late for a step (clock.deadline_ms, clock.quorum) has sent its smashed data in vain, and
// fetched a model where clients do in every step; it gets no gradient and returns nothing. central moves nothing: its
// data are at the server. A model is its parameters and running statistics, fp32.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/mode/mode.hpp"
#include "samplers/latency/profile.hpp"
#include "samplers/schedule/absences.hpp"
#include "samplers/schedule/rounds.hpp"
#include "samplers/schedule/turns.hpp"

namespace splitsim {

/// Bytes; models are part of up and down, and told apart as well.
struct Traffic {
  std::int64_t up = 0, down = 0;
  std::int64_t model_up = 0, model_down = 0;

  Traffic& operator+=(const Traffic& other) {
    up += other.up;
    down += other.down;
    model_up += other.model_up;
    model_down += other.model_down;
    return *this;
  }
  friend bool operator==(const Traffic&, const Traffic&) = default;
};

/// Puts traffic into a record that has bytes_up, bytes_down, model_bytes_up and model_bytes_down.
template <class Record>
void set_traffic(Record& record, const Traffic& traffic) {
  record.bytes_up = traffic.up;
  record.bytes_down = traffic.down;
  record.model_bytes_up = traffic.model_up;
  record.model_bytes_down = traffic.model_down;
}

/// What clients did, over a whole run. Bytes follow from counts.
struct Participation {
  std::vector<std::int64_t> steps;    ///< [K] (micro-)steps in which a client took part
  std::vector<std::int64_t> samples;  ///< [K] that it gave in them
  std::vector<std::int64_t> sent;     ///< [K] of them whose smashed data crossed
  std::vector<std::int64_t> models;   ///< [K] client models that it got, and that it returned
  std::vector<std::int64_t> waiting_ns, active_ns;  ///< [K] sums over its steps, see WaitingRecord
  std::vector<std::int64_t> missed_samples;         ///< [K] scheduled and never trained
  std::vector<std::int64_t> absences;               ///< [K] steps it was scheduled for and was not there
  std::vector<std::int64_t> late;                   ///< [K] steps that it came too late for
  std::vector<std::int64_t> late_samples;           ///< [K] that it sent in vain

  Participation() = default;
  explicit Participation(std::int32_t clients)
      : steps(static_cast<std::size_t>(clients)),
        samples(steps),
        sent(steps),
        models(steps),
        waiting_ns(steps),
        active_ns(steps),
        missed_samples(steps),
        absences(steps),
        late(steps),
        late_samples(steps) {}
  friend bool operator==(const Participation&, const Participation&) = default;
};

class Ledger {
 public:
  /// round: train.round.
  Ledger(const CutCosts& sizes, const ModeMap& mode, std::int64_t round) : sizes_(sizes), mode_(mode), rounds_{round} {}

  /// Counts the first `steps` steps (before dealing) of an epoch into `total`; gives the traffic of each. `complete`:
  /// these are all steps of the epoch, so that its last round ends.
  std::vector<Traffic> add(const DealtSchedule& epoch, std::int64_t steps, bool complete, Participation& total) const;

  /// Counts what the first `steps` steps of an epoch lost into `total`, and adds to each step's traffic what came too
  /// late: smashed data that the server did not use, sent by clients that may have fetched a model for it.
  void add(const Losses& losses, std::int64_t steps, std::vector<Traffic>& traffic, Participation& total) const;

  /// All bytes of a client.
  Traffic of_client(const Participation& total, std::size_t client) const;

 private:
  Traffic models(std::int64_t count) const {
    return {count * sizes_.client_model, count * sizes_.client_model, count * sizes_.client_model,
            count * sizes_.client_model};
  }
  Traffic cut(std::int64_t samples) const {
    if (!mode_.cut_traffic) return {};
    return {samples * (sizes_.activation + sizes_.label), samples * sizes_.gradient, 0, 0};
  }
  /// Of clients that came too late.
  Traffic in_vain(std::int64_t entries, std::int64_t samples) const {
    Traffic traffic = cut(samples);
    traffic.down = 0;
    if (mode_.model_traffic == ModelTraffic::kStep) {
      traffic.model_down = entries * sizes_.client_model;
      traffic.down = traffic.model_down;
    }
    return traffic;
  }

  CutCosts sizes_;
  ModeMap mode_;
  Rounds rounds_;
};

}  // namespace splitsim
