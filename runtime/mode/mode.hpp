// A learning mode is a map: which replica each slot uses on either side, the numbers w and c of each slot, and how and
// when replicas combine. There is one training loop and one clock: a mode says what they do. Adding a mode is a line in
// the registry of modes.cpp.
//
//   psl        parallel split learning, one client half for all (paper)
//   psl_local  parallel split learning without client aggregation
//   sflv1 .. 3 SplitFed learning (Thapa et al., arXiv 2004.12088; version 3: Gawali et al., arXiv 2012.12591)
//   sl         sequential split learning, the client half passed along (Gupta & Raskar, arXiv 1810.06060)
//   central    centralised SGD
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/clock/timeline.hpp"
#include "runtime/mode/settings.hpp"

namespace splitsim {

/// The factor on a slot's cut gradient before it enters the client half.
enum class CutScale : std::uint8_t {
  kOne,        ///< c = 1
  kPerActive,  ///< c = 1 / A_t: the mean of the clients' gradients instead of their sum
  kOwnBatch,   ///< c = B_t / b_k: as if the client's loss were the mean over its own samples
};

/// How replicas of one side hold together.
enum class Combine : std::uint8_t {
  kNever,     ///< each for itself
  kGradient,  ///< all K step on the sum of the active ones' gradients, so they stay equal
  kRound,     ///< FedAvg at the end of every round, over those that stepped in it
};

/// When client models cross the links.
enum class ModelTraffic : std::uint8_t {
  kNever,
  kStep,   ///< down and up for every client of a step
  kRound,  ///< up and down once a round for every client that stepped in it
  kTurn,   ///< down and up whenever another client takes over
};

struct ModeMap {
  bool replicas[2] = {false, false};  ///< by side: one replica per client; false: one for all
  Combine combine[2] = {Combine::kNever, Combine::kNever};
  bool one_by_one = false;  ///< the clients of a step take turns: micro-steps of one client each
  bool own_loss = false;    ///< w = 1 / b_k, each client's own mean loss; false: w = 1 / B_t
  CutScale cut_scale = CutScale::kOne;
  ClockKind clock = ClockKind::kBarrier;
  bool may_run_ahead = false;  ///< clock.barrier = run_ahead makes sense
  bool cut_traffic = true;     ///< smashed data, labels and cut gradients cross the links
  ModelTraffic model_traffic = ModelTraffic::kNever;

  /// Whether it matters which client owns a sample.
  bool needs_owners() const { return replicas[0] || replicas[1] || one_by_one || own_loss; }
  bool averages() const { return combine[0] == Combine::kRound || combine[1] == Combine::kRound; }
};

struct ModeInfo {
  std::string name;
  std::string summary;  ///< one line for --help
};
const std::vector<ModeInfo>& mode_infos();

/// Errors: InputError for an unknown mode, or a setting that the mode does not know.
ModeMap mode_map(const TrainSettings& settings);

}  // namespace splitsim
