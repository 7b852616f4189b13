// What frames the layers' passes in a training step. All that varies from step to step lies in device memory behind
// pointers that never change. A step is that of E experiments at once, each with a schedule of its own: their slots lie
// side by side, and each has its own ranks, so that a step of many is the same launches as a step of one. Ring R1.
// Determinism: exact; what an experiment gets does not depend on the others.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/device/view.hpp"
#include "kernels/nn/gather.hpp"
#include "kernels/nn/loss.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "runtime/mode/mode.hpp"
#include "runtime/record/records.hpp"
#include "samplers/schedule/rounds.hpp"
#include "samplers/schedule/schedule.hpp"

namespace splitsim {

/// Where an experiment's training is. measure_step advances it.
struct StepState {
  std::int32_t step = 0;  ///< within the epoch; a micro-step where clients take turns
  std::int32_t epoch = 0;
  std::int32_t steps = 0;   ///< of the epoch; it has no part in what comes behind them
  std::int32_t broken = 0;  ///< 1: a loss was not finite: behind this step of the schedule it trains no more
  std::int32_t halted = 0;  ///< 1: it trains no more in this epoch

  /// Whether this step has nothing of it because it has stopped.
  PSL_HD bool stops(const ScheduleView& schedule) const {
    return halted != 0 || (broken != 0 && (step == 0 || schedule.parent_of(step) != schedule.parent_of(step - 1)));
  }
};

/// What of an experiment its steps need. Trivially copyable; [E] in device memory.
struct StepSource {
  ScheduleView schedule;
  const std::int32_t* labels = nullptr;  ///< [N]
  const float* class_weight = nullptr;   ///< [classes] factors of w; null: none
  std::uint64_t seed = 0;                ///< of the layers' random bits
  std::int64_t steps_per_epoch = 0;      ///< of the schedule, for rate_step
};

/// What a step, or a micro-step of one, leaves behind for the host, in shared memory.
struct StepMetrics {
  double loss = 0.0;         ///< mean over the step's slots; 0 without slots
  std::int32_t correct = 0;  ///< slots whose argmax is their label
  std::int32_t batch = 0;    ///< B_t; 0: an empty step, which changes nothing
  std::int32_t active = 0;   ///< A_t: clients that took part
  std::int32_t finite = 1;   ///< 0 if the loss is NaN or infinite
  std::int32_t done = 0;     ///< kRun or kPassed; written last, so that what is above is complete

  static constexpr std::int32_t kRun = 1, kPassed = 2;  ///< it has run; it has been passed over
  bool ran() const { return done == kRun; }

  /// Adds a micro-step to the record of its step. Means come as sums over the samples: mean_of_step() divides them.
  void add_to(StepRecord& step) const {
    step.train_loss += loss * batch;
    step.samples += batch;
    step.active_clients += active;
    step.train_correct += correct;
  }
  /// For the record of a step that is the sum of its micro-steps.
  static void mean_of_step(StepRecord& step) { step.train_loss /= std::max(1, step.samples); }
};

/// A step's slots, rewritten by begin_step.
struct StepTables {
  View<std::int32_t> slots;  // [1] of all experiments
  // Of each experiment, [E]:
  View<std::int32_t> first_slot, own_slots;  // B_t
  View<std::int32_t> clients;                // A_t
  View<std::int32_t> rate_step;  // steps of the schedule since the start of the run: index into learning rates
  View<std::int32_t> round_end;  // 1 in the last step of a round
  View<std::int32_t> epoch_end;  // 1 in the last step of an epoch
  View<std::int32_t> any_round_end, any_epoch_end;  // [1]
  // Of slots:
  View<std::int32_t> sample;      // [S] id, -1 for empty slots
  View<std::int32_t> experiment;  // [S] 0 for empty slots
  View<std::int32_t> epoch;       // [S]
  View<std::uint64_t> seed;       // [S]
  View<std::int32_t> label;       // [S]
  View<float> weight;            // [S] w
  View<float> cut_scale;         // [S] c
  RankTable whole;               // a rank per experiment
  RankTable by_group;            // a rank per group of active clients; empty in modes without groups
  // Of modes with an auxiliary loss, else empty:
  View<float> local_weight;         // [S] w of the auxiliary loss: 1 / b_k
  View<std::int32_t> served_slots;  // [1] B_t in steps whose smashed data reach the server, else 0
  RankTable served;                 // the server's ranks in them, else none
  RankTable
      by_client;  // a rank per active client; an experiment's as in `whole` if no client takes part (mode central)

  /// The ranks of those who share a replica.
  const RankTable& by(Sharing sharing) const {
    return sharing == Sharing::kAll ? whole : sharing == Sharing::kGroup ? by_group : by_client;
  }
};

/// What of a mode and its settings a step's numbers depend on.
struct StepRules {
  CutScale cut_scale = CutScale::kOne;
  LossMean loss = LossMean::kStep;
  Sharing replicas[2] = {Sharing::kAll, Sharing::kAll};  ///< by side
  std::int32_t clients = 1;                              ///< K of an experiment
  std::int32_t groups = 1;                               ///< of an experiment
  Rounds rounds;
  Uploads uploads;  ///< of modes with an auxiliary loss
};

/// What the images of a step's slots come from and go to.
struct StepImages {
  GatherShape shape;
  View<const GatherSource> sources;  ///< [E]
  View<float> x;                     ///< [S, size]
};

/// Where the experiments are, and what they train on; [E].
struct StepExperiments {
  View<StepState> state;
  View<const StepSource> source;
  bool stop_if_broken = true;  ///< train.on_nonfinite
};

/// Reads the schedules at their states and fills the tables: slots, ranks, w and c, and where rounds end. Gathers the
/// images (kernels/nn/gather.hpp). On a GPU one launch.
template <class Context>
void begin_step(Context& ctx, const StepExperiments& experiments, const StepRules& rules, const StepTables& tables,
                const StepImages& images);

/// The loss and its gradient (kernels/nn/loss.hpp). other: another loss of the slots, whose values only say whether all
/// is finite; may be empty. Stores each experiment's metrics at [e, step] of metrics, [E, steps], and advances its state,
/// which nothing behind it reads. On a GPU one launch, if the batches and the classes are few enough for a block each.
template <class Context>
void measure_step(Context& ctx, const StepExperiments& experiments, const StepTables& tables,
                  const CrossEntropyShape& shape, const CrossEntropyInput& in, const CrossEntropyOutput& out,
                  View<StepMetrics> metrics, View<const float> other = {});

}  // namespace splitsim
