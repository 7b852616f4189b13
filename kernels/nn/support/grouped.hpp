// Grouped parameters: one idea for every learning mode. Each side of the network (client half, server half) keeps its
// parameters as [G, P]: G replicas of P floats. A step has up to S slots (samples), sorted by client; every slot names
// the replica it runs on, through its rank among the replicas active in this step. A mode is only such a map.
#pragma once

#include <cstdint>

#include "kernels/device/launch.hpp"
#include "kernels/device/macros.hpp"
#include "kernels/device/view.hpp"

namespace splitsim {

/// How many slots of a step hold a sample: *count, in device memory, of at most `max`, which is fixed before the run.
struct Slots {
  const std::int32_t* count = nullptr;
  std::int32_t max = 0;
};

/// The slots that a layer works on. On a CPU those that hold a sample. On a GPU all: no launch waits for the count, and
/// what an empty slot holds is always defined: zeros at first and in the loss's gradient, something finite in between.
template <class Context>
constexpr Extent layer_slots(const Slots& slots, std::int64_t inner = 1) {
  return {slots.max, Context::kIsDevice ? nullptr : slots.count, inner};
}

/// Slot -> replica for one side in one step. Pointers are device memory that the step's first kernel fills; bounds are
/// fixed before the run. Ranks are contiguous runs of slots: rank r owns slots [first[r], first[r+1]).
struct ReplicaMap {
  const std::int32_t* slots = nullptr;    ///< [1] B_t, valid slots of this step (0..max_slots)
  const std::int32_t* active = nullptr;   ///< [1] A_t, active replicas of this step (0..max_active)
  const std::int32_t* replica = nullptr;  ///< [max_active] rank -> replica in [0, replicas); [0] also without any slot
  const std::int32_t* first = nullptr;    ///< [max_active + 1] rank -> first slot; first[A_t] == B_t
  const std::int32_t* rank = nullptr;     ///< [max_slots] slot -> rank (0 for empty slots)
  std::int32_t max_slots = 0;             ///< S
  std::int32_t max_active = 0;            ///< min(S, G) for per-client replicas, 1 for a tied side
  std::int32_t replicas = 1;              ///< G, of all experiments
  const std::int32_t* own_slots = nullptr;  ///< [E] those of each experiment; null: all are of one
  std::int32_t experiments = 1;             ///< E

  /// Slots of the experiment that a rank is of: what it is cut into depends on them alone.
  PSL_HD std::int32_t slots_beside(std::int64_t of_rank) const {
    return own_slots == nullptr ? *slots : own_slots[replica[of_rank] / (replicas / experiments)];
  }
  Slots valid() const { return {slots, max_slots}; }
  PSL_HD bool tied() const { return replicas == 1; }  ///< one replica: the plain library path
};

/// The memory of such a map.
struct RankTable {
  View<std::int32_t> count;    ///< [1] ranks of this step
  View<std::int32_t> replica;  ///< [max ranks]
  View<std::int32_t> first;    ///< [max ranks + 1]
  View<std::int32_t> rank;     ///< [S]
  View<std::int32_t> experiment_first, experiment_count;  ///< [E] each one's first rank, and how many it has

  /// slots: [1], valid slots. replicas: G.
  ReplicaMap map(const std::int32_t* slots, std::int32_t replicas) const {
    return {slots,
            count.data(),
            replica.data(),
            first.data(),
            rank.data(),
            static_cast<std::int32_t>(rank.size()),
            static_cast<std::int32_t>(replica.size()),
            replicas};
  }
};

/// The experiments that a step trains at once, [E] each, in device memory: replicas of a side are [E, G], slots and ranks
/// those of one experiment after those of the other.
struct Spans {
  const std::int32_t* first_slot = nullptr;
  const std::int32_t* slots = nullptr;  ///< B_t of each; 0: it has no part in this step
  const std::int32_t* first_rank = nullptr;
  const std::int32_t* ranks = nullptr;
  std::int32_t experiments = 1;  ///< E
};

/// A flag of each experiment, and whether any is set.
struct Due {
  const std::int32_t* any = nullptr;  ///< [1]
  const std::int32_t* of = nullptr;   ///< [E]
  std::int32_t experiments = 1;       ///< E
};

/// Runs of slots that share the statistics of a normalisation: the samples of one client, of one replica, or all of the
/// step. Segment i owns slots [first[i], first[i+1]). Pointers and bounds as in ReplicaMap.
struct Segments {
  const std::int32_t* count = nullptr;    ///< [1] segments of this step
  const std::int32_t* first = nullptr;    ///< [max + 1] segment -> first slot
  const std::int32_t* of_slot = nullptr;  ///< [max_slots] slot -> segment (0 for empty slots)
  std::int32_t max = 0;
};

/// One tensor of a grouped parameter block: replica g's (or, for gradients, rank r's) copy starts at data + g * stride.
struct Grouped {
  float* data = nullptr;
  std::int64_t stride = 0;
  PSL_HD float* at(std::int64_t g) const { return data + g * stride; }
};

/// A layer's parameters, or their gradients; of norms gamma and beta. bias.data null: the layer has none.
struct Parameters {
  Grouped weight, bias;
};

/// What a norm's forward pass keeps for its backward pass, and scratch for both.
struct NormMemory {
  View<float> mean, inverse_std, workspace;
};

/// What a backward pass makes of activations: dx, overwritten, from x and dy, all [S, features]. dx empty: nobody needs
/// it (the first layer).
struct Backprop {
  View<const float> x, dy;
  View<float> dx;
  bool rectified = false;  ///< x is what a ReLU gave, and dx is to be the gradient of what that was given
  /// What the layer gave, rectified, where dy is the gradient of that ReLU's result; else empty.
  View<const float> y = {};
};

// Comparisons are written so that NaN passes through: a diverged run must show in its loss.
PSL_HD constexpr float rectify(float x) { return x < 0.0f ? 0.0f : x; }
/// The gradient of rectify(), from its result.
PSL_HD constexpr float rectify_gradient(float y, float dy) { return y <= 0.0f ? 0.0f : dy; }

}  // namespace splitsim
