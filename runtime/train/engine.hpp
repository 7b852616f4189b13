// The one training loop: an engine runs steps of any mode, since a mode is a map (modes.hpp), and of one experiment or
// many, since that is one too: replicas of a side are [E, G], and a step has the slots of every experiment. A step is begin_step (which
// gathers), forward, measure_step (the loss), backward, the optimisers' steps, the averages of replicas that are due. It can
// be captured once and replayed: no allocation, synchronisation or host read inside, and no launch argument that
// changes from step to step. Determinism: bit-identical for the same build, device and settings; on the CPU also for
// any number of threads, and of one experiment whatever the others are; on a GPU that up to rounding (one replica and many are
// multiplied by different routines).
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

/// What an engine needs to know of an experiment before it allocates. Those that are trained together agree on what
/// shapes and launches depend on (runtime/config/together.hpp).
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

/// Most ranks of a step, of sides with so many replicas: of each experiment no more than it has active clients.
std::int32_t most_ranks(const std::vector<EngineSettings>& experiments, std::int64_t replicas);

/// Parameters, optimiser state and what else steps remember, on the host: what a checkpoint and model.safetensors hold.
struct TrainingState {
  std::vector<float> parameters[2];    ///< [G, replica_size]
  std::vector<float> moments[2][2];    ///< [side][first, second], [G, P]: momentum; Adam's moments; empty without
  std::vector<std::int32_t> taken[2];  ///< [G] steps that each replica has taken; empty where nobody counts
  std::vector<float> kept;  ///< what rows of the map remember from step to step, zeros at first; empty without
};

/// What an experiment is trained on; both outlive the engine.
template <class Context>
struct EngineInput {
  const DeviceImages<Context>* data;
  GatherSource source;    ///< of that data
  ScheduleView schedule;  ///< where every epoch's is
};

/// The values of an experiment's replicas, [G, size] by side, as placed.
struct ReplicaValues {
  View<const float> parameters[2];
  std::int64_t replicas[2];
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
  /// Plans only. `network` must outlive the engine. experiments: [E].
  Engine(Context& ctx, const Network& network, std::vector<EngineSettings> experiments);

  const std::vector<MemoryItem>& plan() const { return plan_; }  ///< bytes by purpose
  const Network& network() const { return network_; }
  const ModeMap& mode() const { return mode_; }
  std::int64_t replicas(int side) const { return replicas_[side]; }  ///< G, of an experiment

  /// Allocates, draws the initial parameters and binds what is trained on. inputs: [E].
  void start(const GatherShape& gather, const std::vector<EngineInput<Context>>& inputs);

  /// The schedules now have what is to come. Between epochs only. An experiment without steps has no part in this one.
  struct Epoch {
    std::int32_t epoch = 0;
    std::int64_t steps = 0;
  };
  void begin_epoch(const std::vector<Epoch>& epochs);
  void begin_epoch(std::int32_t epoch, std::int64_t steps) { begin_epoch({{epoch, steps}}); }
  /// Enqueues one step. The host never waits here, but for the limit of kStepsAhead on a device.
  void enqueue_step();
  /// The experiment has no part in what is enqueued from here on, in this epoch.
  void halt(std::size_t experiment);
  /// The metrics of the current epoch's steps; complete after ctx.synchronize(). Shared memory: reading costs nothing.
  View<const StepMetrics> metrics(std::size_t experiment = 0) const;

  View<const float> parameters(int side) const { return parameters_.side[side]; }  ///< [E, G, size], as placed
  ReplicaValues values(std::size_t experiment = 0) const;
  std::vector<float> gradients(int side) const;  ///< [most ranks, P], of the last step. Synchronises
  /// Of a side with replicas: root mean square distance of the replicas from their average at the last epoch's end,
  /// over trainable parameters, just before what that step may have averaged. Weights: those of the average, elsewhere
  /// n_k / N. Synchronises.
  double drift(int side, std::size_t experiment = 0) const;
  TrainingState download(std::size_t experiment = 0) const;
  DeviceState device_state(std::size_t experiment = 0) const;
  /// From what was copied there. Any thread's.
  TrainingState in_order(TrainingState as_placed) const;
  void upload(const TrainingState& state, std::size_t experiment = 0);

 private:
  static constexpr std::int64_t kStepsAhead = 64;
  void check_together() const;
  void layout(Arena<Context>& arena);
  void layout_side(Arena<Context>& arena, int side);
  std::int32_t count_of(Sharing sharing) const;
  std::int64_t all(std::int64_t each) const { return each * static_cast<std::int64_t>(settings_.size()); }
  /// An experiment's part of [E, ..].
  template <class T>
  View<T> part(View<T> of_all, std::size_t experiment) const {
    const std::int64_t size = of_all.size() / all(1);
    return of_all.sub(static_cast<std::int64_t>(experiment) * size, size);
  }
  const EngineSettings& common() const { return settings_.front(); }
  const RankTable& ranks(int side, Sharing sharing) const;
  ReplicaMap map(const RankTable& ranks, const View<std::int32_t>& slots, Sharing sharing) const;
  ReplicaMap map(Sharing sharing) const;
  ReplicaMap map(int side, Sharing sharing) const;
  Spans spans(const RankTable& ranks) const;
  Due due(const View<std::int32_t>& any, const View<std::int32_t>& of) const;
  StepExperiments step_experiments() const;
  void layout_averages(Arena<Context>& arena);
  void layout_weights(Arena<Context>& arena);
  View<float> layout_kept(Arena<Context>& arena);
  void upload_shares();
  void upload_sources(const std::vector<EngineInput<Context>>& inputs);
  void start_values(std::size_t experiment);
  void start_rounds(std::size_t experiment);
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
  std::vector<EngineSettings> settings_;  // [E]
  ModeMap mode_;
  AverageWeights average_weights_;
  const Optimizer<Context>* optimizers_[2];  // rows, by side
  std::int64_t replicas_[2];                 // of an experiment
  ScheduleBounds bounds_;                    // of all
  std::int32_t max_clients_;                 // active ones per step
  std::int32_t max_active_[2];               // replicas per step
  LayerStack<Context> stack_;
  std::vector<MemoryItem> plan_;

  Arena<Context> arena_;
  View<StepState> state_;             // [E]
  View<StepSource> sources_;          // [E]
  View<GatherSource> image_sources_;  // [E]
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
  View<float> absgd_;         // [E, kAbsgdState] of kept_: weights = absgd, else empty
  View<float> factor_;        // [S] absgd's weights of the step
  View<float> class_weight_;  // [E, classes] weights = class_balanced, else empty
  // Of sides with replicas, each experiment's after the other:
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
  SharedBuffer<StepMetrics, Context> metrics_;  // [E, steps]

  GatherShape gather_{};
  std::size_t longest_ = 0;      // the experiment with the most steps in this epoch
  std::int64_t enqueued_ = 0;    // steps of this epoch
  bool warm_ = false;            // a step has run, so that every library is initialised and a step can be captured
  std::shared_ptr<void> graph_;  // the captured step
};

}  // namespace splitsim
