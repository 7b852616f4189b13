// What frames the layers' passes in a training step. All that varies from step to step lies in device memory behind
// pointers that never change. Ring R1. Determinism: exact.
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

/// Where training is. measure_step advances it.
struct StepState {
  std::int32_t step = 0;  ///< within the epoch; a micro-step where clients take turns
  std::int32_t epoch = 0;
  std::int32_t steps = 0;  ///< of the epoch
};

/// What a step, or a micro-step of one, leaves behind for the host, in shared memory.
struct StepMetrics {
  double loss = 0.0;         ///< mean over the step's slots; 0 without slots
  std::int32_t correct = 0;  ///< slots whose argmax is their label
  std::int32_t batch = 0;    ///< B_t; 0: an empty step, which changes nothing
  std::int32_t active = 0;   ///< A_t: clients that took part
  std::int32_t finite = 1;   ///< 0 if the loss is NaN or infinite
  std::int32_t done = 0;     ///< 1 once the step has run; written last, so that what is above is complete

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
  View<std::int32_t> slots;      // [1] B_t
  View<std::int32_t> clients;    // [1] A_t
  View<std::int32_t> rate_step;  // [1] steps of the schedule since the start of the run: index into learning rates
  View<std::int32_t> round_end;  // [1] 1 in the last step of a round
  View<std::int32_t> epoch_end;  // [1] 1 in the last step of an epoch
  View<std::int32_t> everyone;   // [1] K if the step has slots, else 0
  View<std::int32_t> sample;     // [S] id, -1 for empty slots
  View<std::int32_t> label;      // [S]
  View<float> weight;            // [S] w
  View<float> cut_scale;         // [S] c
  RankTable whole;               // one rank: all slots of the step
  RankTable by_group;            // a rank per group of active clients; empty in modes without groups
  // Of modes with an auxiliary loss, else empty:
  View<float> local_weight;         // [S] w of the auxiliary loss: 1 / b_k
  View<std::int32_t> served_slots;  // [1] B_t in steps whose smashed data reach the server, else 0
  RankTable served;                 // the server's ranks in them, else none
  RankTable by_client;           // a rank per active client; as `whole` if no client takes part (the central sampler)

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
  std::int32_t clients = 1;          ///< K
  std::int64_t steps_per_epoch = 0;  ///< of the schedule, for rate_step
  Rounds rounds;
  Uploads uploads;                      ///< of modes with an auxiliary loss
  View<const float> class_weight = {};  ///< [classes] factors of w; empty: none
};

/// What the images of a step's slots come from and go to.
struct StepImages {
  GatherShape shape;
  View<const std::uint8_t> images;  ///< [N, C, H, W]
  View<float> x;                    ///< [S, size]
};

/// Reads the schedule at `state` and fills the tables: slots, ranks, w and c, and where rounds end. Gathers the images
/// (kernels/nn/gather.hpp). On a GPU one launch.
template <class Context>
void begin_step(Context& ctx, View<const StepState> state, const ScheduleView& schedule, const StepRules& rules,
                View<const std::int32_t> labels, const StepTables& tables, const StepImages& images);

/// The loss and its gradient (kernels/nn/loss.hpp). other: another loss of the slots, whose values only say whether all
/// is finite; may be empty. Stores the step's metrics at [step] of metrics and advances the
/// state, which nothing behind it reads. On a GPU one launch, if the batch and the classes are few enough for a block.
template <class Context>
void measure_step(Context& ctx, View<StepState> state, const StepTables& tables, const CrossEntropyShape& shape,
                  const CrossEntropyInput& in, const CrossEntropyOutput& out, View<StepMetrics> metrics,
                  View<const float> other = {});

}  // namespace splitsim
