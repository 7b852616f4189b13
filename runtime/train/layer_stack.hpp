// The activations of a network for a fixed number of slots, and its forward and backward passes over grouped
// parameters. Which replica a slot uses is the maps' business: the stack knows nothing of modes. Nothing here
// allocates, synchronises or reads the device: arguments of every launch are the same in every step.
//
// Channels last, a ReLU whose input has no other reader is done by the layer before it as it writes, and its gradient by
// that layer as it reads, by the one layer that reads the ReLU as that writes, or by the sum of what its readers give: the
// same numbers with passes over memory less.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/device/buffer.hpp"
#include "kernels/device/context.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "runtime/model/buffer_plan.hpp"
#include "runtime/model/layer_kind.hpp"
#include "runtime/model/network.hpp"
#include "runtime/train/placement.hpp"

namespace splitsim {

/// Grouped values of both sides, placed: [side] -> parameters [G, size of the side] or gradients [ranks, trained].
struct TwoSides {
  View<float> side[2];
};

/// What a pass needs to know of a step, by side: which replica a slot runs on, and who shares a BatchNorm's statistics;
/// and where random bits lie.
struct StackMaps {
  ReplicaMap side[2];
  Segments statistics[2];
  SampleKeys keys = {};  ///< training only
};

/// What happens to a step's cut gradient before the client half sees it.
struct CutRows {
  View<const float> scale = {};  ///< [S] c; empty: 1
  double mix = 0.0;              ///< mix_places
  Segments clients = {};
  Spans spans = {};  ///< of such ranks
};

/// Memory of a map of up to so many slots to so many ranks; experiments: 0 where nobody asks whose a rank is.
template <class Context>
RankTable take_ranks(Arena<Context>& arena, std::int64_t ranks, std::int64_t slots, const char* name,
                     std::int64_t experiments = 0) {
  RankTable table;
  table.count = arena.template take<std::int32_t>(1, name);
  table.replica = arena.template take<std::int32_t>(ranks, name);
  table.first = arena.template take<std::int32_t>(ranks + 1, name);
  table.rank = arena.template take<std::int32_t>(slots, name);
  table.experiment_first = arena.template take<std::int32_t>(experiments, name);
  table.experiment_count = arena.template take<std::int32_t>(experiments, name);
  return table;
}

/// Most ranks and statistics segments per step, by side: fixes the size of what a stack keeps.
struct StackBounds {
  std::int32_t slots = 0;
  std::int32_t active[2] = {1, 1};
  std::int32_t segments[2] = {1, 1};
  std::int64_t samples = 0;  ///< N, of the training set
  std::int32_t experiments = 1;  ///< E
  Layout layout = Layout::kChannelsFirst;
  Precision precision = Precision::kFp32;
};

template <class Context>
class LayerStack {
 public:
  /// `network` must outlive the stack. training = false: BatchNorms use running statistics, there is no backward pass,
  /// and buffers are shared by layers that do not need them at the same time.
  LayerStack(const Network& network, const StackBounds& bounds, bool training);

  /// Floats that layers leave for the next step: state of training, zeros at first.
  std::int64_t kept_floats() const;
  /// Takes activations, gradients and workspace from an arena. kept: [kept_floats()]; not needed while measuring.
  void layout(Context& ctx, Arena<Context>& arena, View<float> kept = {});

  const Placement& placement() const { return placement_; }  ///< of parameters and gradients
  Layout layout() const { return bounds_.layout; }           ///< of activations

  View<float> input() const { return input_; }                                  ///< [S, input]; the gather writes it
  View<const float> output() const { return out(network_.layers.size() - 1); }  ///< [S, classes]: logits
  View<float> output_gradient() const;                                          ///< [S, classes]: the loss writes it
  /// The same of the auxiliary head, where the network has one.
  View<const float> auxiliary_output() const { return out(network_.auxiliary_layer()); }
  View<float> auxiliary_gradient() const;

  /// In training, BatchNorms also update the running statistics behind the parameters of the step's replicas.
  void forward(Context& ctx, const StackMaps& maps, const TwoSides& parameters);
  /// From output_gradient() to gradients.
  void backward(Context& ctx, const StackMaps& maps, const TwoSides& parameters, const TwoSides& gradients,
                const CutRows& cut);

 private:
  void join_relus();
  /// Whether the backward plan's next step is the ReLU whose gradient `sum` completes, and nobody else takes it on.
  bool is_relu_of(std::size_t next, const BackwardOp& sum) const;
  View<float> out(std::size_t layer) const;
  View<const float> input_of(std::size_t layer) const;
  LayerBounds layer_bounds(std::size_t layer) const;
  std::int64_t kept_of(std::size_t layer) const;
  /// A layer's tensors within its side's block; trained: of a block of gradients, which holds no others.
  LayerIo::Tensors tensors_of(std::size_t layer, const TwoSides& blocks, bool trained) const;
  LayerIo io_of(std::size_t layer, const StackMaps& maps, const TwoSides& parameters) const;

  const Network& network_;
  StackBounds bounds_;
  bool training_;
  BufferPlan plan_;
  Placement placement_;
  View<float> input_;
  std::vector<View<float>> activations_, gradients_;
  std::vector<Saved> saved_;
  std::vector<View<float>> kept_;   // [layers]
  std::vector<bool> relu_behind_;   // [layers] whose forward pass does the ReLU behind it
  std::vector<bool> forward_done_;  // [layers] ReLUs whose work the layer before them does
  std::vector<bool> gradient_behind_,
      gradient_before_;  // and whose gradient that, or the layer that reads them, takes on
  View<float> workspace_;
};

}  // namespace splitsim
