// A learning mode is a map: which replica each client uses on either side, the numbers w and c of each slot, and what
// happens at four named seams: to a slot's loss and cut gradient, between the rows at the cut and at the output, to the
// gradient rows of a side before its step, and to its replicas at the end of a round. There is one training loop and
// one clock: a mode says what they do. Adding a mode is a row in the registry of modes.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/clock/timeline.hpp"
#include "runtime/mode/settings.hpp"
#include "samplers/schedule/rounds.hpp"
#include "samplers/schedule/turns.hpp"

namespace splitsim {

/// Who shares a replica of a side.
enum class Sharing : std::uint8_t {
  kAll,     ///< one for all
  kGroup,   ///< one per group of clients ([clients], samplers/population/groups.hpp)
  kClient,  ///< one per client
};

/// The factor c on a slot's cut gradient before it enters the client half.
enum class CutScale : std::uint8_t {
  kOne,        ///< c = 1
  kPerActive,  ///< c = 1 / A_t: the mean of the clients' gradients instead of their sum
  kOwnBatch,   ///< c = B_t / b of the client replica: as if its loss were the mean over its own samples
};

/// How replicas of one side hold together.
enum class Combine : std::uint8_t {
  kNever,     ///< each for itself
  kGradient,  ///< all step on the sum of the active ones' gradients, so they stay equal
  kRound,     ///< FedAvg at the end of every round, over those that stepped in it
};

/// Whose mean a slot's loss is part of.
enum class LossMean : std::uint8_t {
  kStep,     ///< w = 1 / B_t; where clients take turns, of the turn
  kReplica,  ///< w = 1 / b of the server replica
  kClient,   ///< w = 1 / b_k
};

/// When client models cross the links.
enum class ModelTraffic : std::uint8_t {
  kNever,
  kStep,   ///< down and up for every client of a step
  kRound,  ///< up and down once a round for every client that stepped in it
  kTurn,   ///< down and up whenever another client takes over
};

/// One side of the network.
struct PartRule {
  Sharing replicas = Sharing::kAll;
  Combine combine = Combine::kNever;
  double proximal = 0.0;  ///< mu: the gradient gets mu (theta - what the last round's end left)
  double align = 0.0;     ///< lambda: gradient rows are turned to the leader's (kernels/nn/gradient_rows.hpp)

  bool many() const { return replicas != Sharing::kAll; }
};

/// Gradient rows between two layers.
struct CutRule {
  CutScale scale = CutScale::kOne;
  double mix = 0.0;  ///< phi: share of a client's places whose rows become their mean over the clients (mix_places)
};

struct ModeMap {
  PartRule part[2] = {};  ///< by side
  CutRule cut = {}, output = {};
  LossMean loss = LossMean::kStep;
  Turns turns = Turns::kTogether;
  ClockKind clock = ClockKind::kBarrier;
  bool may_run_ahead = false;  ///< clock.barrier = run_ahead makes sense
  bool cut_traffic = true;     ///< smashed data, labels and cut gradients cross the links
  /// Clients train on the loss of an auxiliary head of their own; the server gets their smashed data in every
  /// upload_every-th step of an epoch, and no gradient comes back.
  bool local_loss = false;
  std::int64_t upload_every = 1;
  bool whole_model = false;    ///< clients run both sides themselves: there is no cut, models on links are whole
  ModelTraffic model_traffic = ModelTraffic::kNever;

  bool many() const { return part[0].many() || part[1].many(); }
  bool averages() const { return part[0].combine == Combine::kRound || part[1].combine == Combine::kRound; }
  bool deals() const { return turns != Turns::kTogether; }
  /// Whether smashed data cross in this step of the schedule, counted from its epoch's start.
  bool sends(std::int64_t step) const { return Uploads{upload_every}.in(step); }
  /// Whether it matters which group a client is in.
  bool needs_groups() const {
    return part[0].replicas == Sharing::kGroup || part[1].replicas == Sharing::kGroup || turns == Turns::kByGroup;
  }
  /// Whether train.round means something.
  bool has_rounds() const { return averages() || part[0].proximal > 0.0 || part[1].proximal > 0.0; }
};

struct ModeInfo {
  std::string name;
  std::string summary;  ///< one line for --help, with where it was published
};
const std::vector<ModeInfo>& mode_infos();

/// Errors: InputError for an unknown mode, or a setting that the mode does not know.
ModeMap mode_map(const TrainSettings& settings);

/// How the mode's schedules are dealt before they are trained; nothing where they are trained as they are. seed: of
/// random service orders.
std::optional<TurnRules> turn_rules(const ModeMap& mode, ServiceOrder order, std::uint64_t seed, const Groups& groups);

}  // namespace splitsim
