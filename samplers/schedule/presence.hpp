// Which clients are there in which step: a pure function of (seed, step of the run, client), independent of schedules
// and of virtual time. Determinism: exact.
//
//   participation C   in every round (train.round steps of an epoch, or the epoch) max(1, rne(C K)) clients take part,
//                     drawn without replacement (FedAvg's fraction, arXiv 1602.05629)
//   bernoulli p       a client is there in a step with probability p
//   chain (on, off)   a two-state Markov chain over the steps of the run: on -> off with probability 1 / on, off -> on
//                     with 1 / off; it starts in its stationary distribution, on / (on + off)
//   trace             rows (client, step, available): from that step of the run on, counted from 1; before: there
// A client is there if it takes part in the round and is available.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "samplers/population/client_settings.hpp"
#include "samplers/schedule/rounds.hpp"

namespace splitsim {

/// Where a run's steps lie, for those who count them from its start.
struct StepGrid {
  std::int64_t steps_per_epoch = 1;  ///< at most
  Rounds rounds;
};

class Presence {
 public:
  /// Errors: InputError for a trace that is none.
  Presence(const ClientSettings& settings, std::int32_t clients, const StepGrid& grid, std::uint64_t seed);

  /// [K] who takes part in the round of this step.
  std::vector<bool> participants(std::uint32_t epoch, std::int64_t step) const;
  bool available(std::uint32_t epoch, std::int64_t step, std::int32_t client) const;
  std::int64_t round_of(std::int64_t step) const { return grid_.rounds.first_of(step); }

 private:
  double uniform(std::int64_t step_of_run, std::int32_t client) const;
  bool on_in_chain(std::int64_t step_of_run, std::int32_t client) const;

  ClientSettings settings_;
  std::int32_t clients_;
  StepGrid grid_;
  std::uint64_t seed_;
  std::map<std::int32_t, std::map<std::int64_t, bool>>
      trace_;  // client -> step of the run, from 0 -> there from then on
};

}  // namespace splitsim
