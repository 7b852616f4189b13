// The one training loop: an engine runs steps of any mode, since a mode is a map (modes.hpp). A step is begin_step (which
// gathers), forward, measure_step (the loss), backward, the optimisers' steps, the averages of replicas that are due. It can
// be captured once and replayed: no allocation, synchronisation or host read inside, and no launch argument that
// changes from step to step. Determinism: bit-identical for the same build, device and settings; on the CPU also for
// any number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "kernels/device/buffer.hpp"
#include "kernels/device/context.hpp"
#include "kernels/nn/optimizers/optimizer.hpp"
#include "kernels/nn/replicas.hpp"
#include "runtime/train/device_dataset.hpp"
#include "runtime/train/layer_stack.hpp"
#include "runtime/train/step_kernels.hpp"

namespace splitsim {

/// What an engine needs to know before it allocates.
struct EngineSettings {
  TrainSettings train;
  std::uint64_t seed = 1;
  std::int32_t clients = 1;           ///< K
  ScheduleBounds bounds;              ///< of the schedules that it runs: dealt ones where clients take turns
  std::int64_t steps_per_epoch = 0;   ///< of the schedule before dealing: learning rates and rounds count these
  std::vector<std::int64_t> held;     ///< [K] n_k: weights of averages; may be empty for modes without replicas
  Groups groups = {};                 ///< of modes that need them
  bool capture = true;                ///< on a GPU: capture the second step as a graph and replay it from then on
  std::optional<Layout> layout = {};  ///< of activations; empty: the backend's own
  std::vector<std::int64_t> class_counts = {};  ///< [classes] training samples: of weights = class_balanced
  std::int64_t samples = 0;                     ///< N, of the training set: for error feedback
};

/// Parameters, optimiser state and what else steps remember, on the host: what a checkpoint and model.safetensors hold.
struct TrainingState {
  std::vector<float> parameters[2];    ///< [G, replica_size]
  std::vector<float> moments[2][2];    ///< [side][first, second], [G, P]: momentum; Adam's moments; empty without
  std::vector<std::int32_t> taken[2];  ///< [G] steps that each replica has taken; empty where nobody counts
  std::vector<float> kept;  ///< what rows of the map remember from step to step, zeros at first; empty without
};

/// Where an engine has them, as placed: what is copied by whoever takes them behind the engine's work without waiting.
struct DeviceState {
  View<const float> parameters[2], moments[2][2];
  View<const std::int32_t> taken[2];
  View<const float> kept;
};

template <class Context>
class Engine {
 public:
  /// Plans only. `network` must outlive the engine.
  Engine(Context& ctx, const Network& network, const EngineSettings& settings);

  const std::vector<MemoryItem>& plan() const { return plan_; }  ///< bytes by purpose
  const Network& network() const { return network_; }
  const ModeMap& mode() const { return mode_; }
  std::int64_t replicas(int side) const { return replicas_[side]; }

  /// Allocates, draws the initial parameters and binds data and schedule, which must outlive the engine.
  void start(const DeviceImages<Context>& data, const GatherShape& gather, const ScheduleView& schedule);

  /// The schedule now has the `steps` steps of this epoch. Between epochs only.
  void begin_epoch(std::int32_t epoch, std::int64_t steps);
  /// Enqueues one step. The host never waits here, but for the limit of kStepsAhead on a device.
  void enqueue_step();
  /// The metrics of the current epoch's steps; complete after ctx.synchronize(). Shared memory: reading costs nothing.
  View<const StepMetrics> metrics() const;

  View<const float> parameters(int side) const { return parameters_.side[side]; }  ///< [G, size], as placed
  std::vector<float> gradients(int side) const;  ///< [most ranks, P], of the last step. Synchronises
  /// Of a side with replicas: root mean square distance of the replicas from their average at the last epoch's end,
  /// over trainable parameters, just before what that step may have averaged. Weights: those of the average, elsewhere
  /// n_k / N. Synchronises.
  double drift(int side) const;
  TrainingState download() const;
  DeviceState device_state() const;
  /// From what was copied there. Any thread's.
  TrainingState in_order(TrainingState as_placed) const;
  void upload(const TrainingState& state);

 private:
  static constexpr std::int64_t kStepsAhead = 64;
  void layout(Arena<Context>& arena);
  void layout_side(Arena<Context>& arena, int side);
  std::int32_t count_of(Sharing sharing) const;
  ReplicaMap map(Sharing sharing) const;
  ReplicaMap map(int side, Sharing sharing) const;
  void layout_averages(Arena<Context>& arena);
  void layout_weights(Arena<Context>& arena);
  View<float> layout_kept(Arena<Context>& arena);
  void upload_shares();
  void start_rounds();
  void measure();
  void touch_gradients(const StackMaps& maps);
  StackMaps maps() const;
  StepRules rules() const;
  void wait_for_device();
  void step();
  void update(const StackMaps& maps);
  OptimizerStep step_of(int side, const ReplicaMap& map);
  void combine();

  Context& ctx_;
  const Network& network_;
  EngineSettings settings_;
  ModeMap mode_;
  AverageWeights average_weights_;
  const Optimizer<Context>* optimizers_[2];  // rows, by side
  std::int64_t replicas_[2];
  std::int32_t max_clients_;    // active ones per step
  std::int32_t max_active_[2];  // replicas per step
  LayerStack<Context> stack_;
  std::vector<MemoryItem> plan_;

  Arena<Context> arena_;
  View<StepState> state_;
  StepTables tables_;
  TwoSides parameters_, gradients_;
  TwoSides moments_[2];  // first, second
  View<std::int32_t> taken_[2];
  View<double> clip_partials_[2];
  View<float> clip_scale_[2];
  View<float> rates_[2];
  View<float> loss_;
  View<std::int32_t> correct_;
  View<float> server_loss_;  // and the server's, where the clients have one of their own
  View<std::int32_t> server_correct_;
  View<float> kept_;          // TrainingState::kept: the engine's own, then that of layers
  View<float> absgd_;         // of kept_: weights = absgd, else empty
  View<float> factor_;        // [S] absgd's weights of the step
  View<float> class_weight_;  // [classes] weights = class_balanced, else empty
  // Of sides with replicas:
  struct Shares {  // of those who have one, groups or clients
    View<std::int64_t> held, seen;
    View<double> of_all, of_round;
    View<std::int32_t> average_now;
  };
  static int index_of(Sharing sharing) { return sharing == Sharing::kGroup ? 0 : 1; }
  const Shares& shares(int side) const { return shares_[index_of(mode_.part[side].replicas)]; }
  View<float> average_[2];
  Shares shares_[2];  // groups, clients
  View<double> drift_partials_, drift_[2];
  View<float> leader_[2];  // of sides whose gradients are aligned
  View<double> leader_workspace_[2];
  SharedBuffer<StepMetrics, Context> metrics_;  // [steps]

  const DeviceImages<Context>* data_ = nullptr;
  GatherShape gather_{};
  ScheduleView schedule_;
  std::int64_t enqueued_ = 0;    // steps of this epoch
  bool warm_ = false;            // a step has run, so that every library is initialised and a step can be captured
  std::shared_ptr<void> graph_;  // the captured step
};

}  // namespace splitsim
