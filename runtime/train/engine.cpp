#include "runtime/train/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <thread>

#include "base/error.hpp"
#include "kernels/device/profile_range.hpp"
#include "kernels/nn/loss.hpp"
#include "runtime/train/learning_rate.hpp"
#include "samplers/population/population.hpp"

namespace splitsim {

namespace {

const OptimizerSettings& optimizer(const TrainSettings& train, int side) {
  return side == kClientSide ? train.client_optimizer : train.server_optimizer;
}
StackBounds stack_bounds(const Network& network, const EngineSettings& settings, const std::int32_t (&active)[2],
                         std::int32_t clients, Layout native) {
  StackBounds bounds;
  bounds.slots = static_cast<std::int32_t>(settings.bounds.batch);
  for (int side = 0; side < 2; ++side) bounds.active[side] = bounds.segments[side] = active[side];
  bounds.segments[kClientSide] = network.options.client_segments ? clients : 1;
  bounds.layout = settings.layout.value_or(native);
  bounds.precision = settings.train.precision;
  return bounds;
}

}  // namespace

template <class Context>
Engine<Context>::Engine(Context& ctx, const Network& network, const EngineSettings& settings)
    : ctx_(ctx),
      network_(network),
      settings_(settings),
      mode_(mode_map(settings.train)),
      average_weights_(settings.train.fedavg_weights),
      optimizers_{&optimizer_named<Context>(settings.train.client_optimizer.kind),
                  &optimizer_named<Context>(settings.train.server_optimizer.kind)},
      replicas_{mode_.replicas[0] ? settings.clients : 1, mode_.replicas[1] ? settings.clients : 1},
      max_clients_(static_cast<std::int32_t>(std::max<std::int64_t>(1, settings.bounds.active))),
      max_active_{mode_.replicas[0] ? max_clients_ : 1, mode_.replicas[1] ? max_clients_ : 1},
      stack_(network, stack_bounds(network, settings, max_active_, max_clients_, native_layout<Context>()), true) {
  if (!Context::kIsDevice && settings.train.precision != Precision::kFp32) {
    throw InputError(fmt::format("train.precision = \"{}\": a GPU's (--device cuda); a CPU multiplies in fp32",
                                 name_of(settings.train.precision)));
  }
  if (mode_.combine[kClientSide] == Combine::kGradient && network.buffers[kClientSide] > 0) {
    throw InputError(
        "train.replicas = \"materialised\": allowed with model.client_norm = group or none: replicas with running "
        "statistics of their own would not stay equal");
  }
  Arena<Context> measure;
  layout(measure);
  plan_ = measure.plan();
}

template <class Context>
void Engine<Context>::layout(Arena<Context>& arena) {
  const std::int64_t slots = settings_.bounds.batch;
  const char* name = "step tables";
  state_ = arena.template take<StepState>(1, name);
  for (View<std::int32_t>* scalar : {&tables_.slots, &tables_.clients, &tables_.rate_step, &tables_.round_end,
                                     &tables_.epoch_end, &tables_.everyone}) {
    *scalar = arena.template take<std::int32_t>(1, name);
  }
  tables_.sample = arena.template take<std::int32_t>(slots, name);
  tables_.label = arena.template take<std::int32_t>(slots, name);
  tables_.weight = arena.template take<float>(slots, name);
  tables_.cut_scale = arena.template take<float>(slots, name);
  tables_.whole = take_ranks(arena, 1, slots, name);
  tables_.by_client = take_ranks(arena, max_clients_, slots, name);
  loss_ = arena.template take<float>(slots, name);
  correct_ = arena.template take<std::int32_t>(slots, name);
  for (int side = 0; side < 2; ++side) layout_side(arena, side);
  if (mode_.replicas[0] || mode_.replicas[1]) {
    const std::int64_t trained = std::max(stack_.placement().trained(0), stack_.placement().trained(1));
    held_ = arena.template take<std::int64_t>(settings_.clients, "averages");
    seen_ = arena.template take<std::int64_t>(settings_.clients, "averages");
    shares_ = arena.template take<double>(settings_.clients, "averages");
    round_weights_ = arena.template take<double>(settings_.clients, "averages");
    average_now_ = arena.template take<std::int32_t>(1, "averages");
    drift_partials_ = arena.template take<double>(drift_workspace<Context>(trained), "averages");
  }
  stack_.layout(ctx_, arena);
}

template <class Context>
void Engine<Context>::layout_side(Arena<Context>& arena, int side) {
  const std::int64_t p = stack_.placement().trained(side), size = stack_.placement().size(side);
  const std::int64_t replicas = replicas_[side];
  const OptimizerSettings& settings = optimizer(settings_.train, side);
  const Optimizer<Context>& row = *optimizers_[side];
  parameters_.side[side] = arena.template take<float>(replicas * size, "parameters");
  gradients_.side[side] = arena.template take<float>(max_active_[side] * p, "gradients");
  for (int moment = 0; moment < 2; ++moment) {
    moments_[moment].side[side] =
        arena.template take<float>(moment < row.moments(settings) ? replicas * p : 0, "optimiser state");
  }
  taken_[side] = arena.template take<std::int32_t>(row.counts_steps(settings) ? replicas : 0, "optimiser state");
  const bool clips = settings.clip_norm > 0.0;
  clip_partials_[side] =
      arena.template take<double>(clips ? clip_workspace(max_active_[side], p) : 0, "optimiser state");
  clip_scale_[side] = arena.template take<float>(clips ? max_active_[side] : 0, "optimiser state");
  rates_[side] = arena.template take<float>(settings_.steps_per_epoch * settings_.train.epochs, "learning rates");
  average_[side] = arena.template take<float>(mode_.replicas[side] ? size : 0, "averages");
  drift_[side] = arena.template take<double>(mode_.replicas[side] ? 1 : 0, "averages");
}

template <class Context>
void Engine<Context>::start(const DeviceImages<Context>& data, const GatherShape& gather,
                            const ScheduleView& schedule) {
  data_ = &data;
  gather_ = gather;
  gather_.layout = stack_.layout();
  schedule_ = schedule;
  std::uint64_t bytes = 0;
  for (const MemoryItem& item : plan_) bytes += item.bytes;
  arena_ = Arena<Context>(ctx_, bytes);
  layout(arena_);
  for (int side = 0; side < 2; ++side) {
    // No layer writes between a rank's tensors, and optimisers go over all of it.
    fill_zero(ctx_, gradients_.side[side]);
    for (const TwoSides& moment : moments_) fill_zero(ctx_, moment.side[side]);
    fill_zero(ctx_, taken_[side]);
    fill_zero(ctx_, drift_[side]);
  }
  fill_zero(ctx_, seen_);
  metrics_ = SharedBuffer<StepMetrics, Context>(ctx_, settings_.bounds.steps);
  for (int side = 0; side < 2; ++side) {
    const std::vector<float> rates =
        learning_rates(optimizer(settings_.train, side), settings_.steps_per_epoch, settings_.train.epochs);
    ctx_.upload(rates_[side].data(), rates.data(), rates.size() * sizeof(float));
    if (network_.replica_size(side) == 0) continue;
    const Buffer<float, Context> one(
        ctx_, stack_.placement().placed(side, true, initial_parameters(network_, side, settings_.seed)));
    broadcast_replicas(ctx_, one.view(), replicas_[side], parameters_.side[side]);
  }
  if (held_.empty()) return;
  std::vector<std::int64_t> held = settings_.held;
  held.resize(static_cast<std::size_t>(settings_.clients), held.empty() ? 1 : 0);
  const std::vector<double> shares = shares_of(held);
  ctx_.upload(held_.data(), held.data(), held.size() * sizeof(std::int64_t));
  ctx_.upload(shares_.data(), shares.data(), shares.size() * sizeof(double));
}

template <class Context>
void Engine<Context>::begin_epoch(std::int32_t epoch, std::int64_t steps) {
  const StepState state{0, epoch, static_cast<std::int32_t>(steps)};
  ctx_.upload(state_.data(), &state, sizeof state);
  enqueued_ = 0;
  std::fill_n(metrics_.data(), settings_.bounds.steps, StepMetrics{});
}

template <class Context>
View<const StepMetrics> Engine<Context>::metrics() const {
  return {metrics_.data(), settings_.bounds.steps};
}

template <class Context>
ReplicaMap Engine<Context>::map(bool per_client) const {
  return per_client ? tables_.by_client.map(tables_.slots.data(), settings_.clients)
                    : tables_.whole.map(tables_.slots.data(), 1);
}

template <class Context>
StackMaps Engine<Context>::maps() const {
  StackMaps maps;
  for (int side = 0; side < 2; ++side) {
    maps.side[side] = map(mode_.replicas[side]);
    const bool per_client = side == kClientSide ? network_.options.client_segments : mode_.replicas[side];
    const ReplicaMap ranks = map(per_client);
    maps.statistics[side] = {ranks.active, ranks.first, ranks.rank, ranks.max_active};
  }
  maps.keys = {settings_.seed, tables_.sample.data(), &state_.data()->epoch};
  return maps;
}

template <class Context>
StepRules Engine<Context>::rules() const {
  return {mode_.cut_scale, mode_.own_loss, settings_.clients, settings_.steps_per_epoch, {settings_.train.round}};
}

template <class Context>
void Engine<Context>::wait_for_device() {
  // The metrics tell how far the device is; asking them costs no synchronisation.
  if (enqueued_ < kStepsAhead) return;
  const volatile StepMetrics& old = metrics_.data()[enqueued_ - kStepsAhead];
  while (old.done == 0) {
    ctx_.check();
    std::this_thread::yield();
  }
}

template <class Context>
void Engine<Context>::enqueue_step() {
  if constexpr (Context::kIsDevice) {
    wait_for_device();
    if (settings_.capture && warm_ && graph_ == nullptr) {
      graph_ = ctx_.capture([this] { step(); });
    }
    if (graph_ != nullptr) {
      const Range range("step");  // the one inside was recorded with the graph
      ctx_.launch(graph_);
    } else {
      step();
    }
  } else {
    step();
  }
  warm_ = true;
  ++enqueued_;
}

template <class Context>
void Engine<Context>::step() {
  const Range range("step");
  const StackMaps stack_maps = maps();
  begin_step(ctx_, View<const StepState>(state_), schedule_, rules(), data_->labels.view(), tables_,
             {gather_, data_->images.view(), stack_.input()});
  stack_.forward(ctx_, stack_maps, parameters_);
  measure_step(ctx_, state_, tables_, {network_.classes, static_cast<float>(settings_.train.label_smoothing)},
               {stack_.output(), tables_.label, tables_.weight}, {loss_, correct_, {}, stack_.output_gradient()},
               metrics_.view());
  stack_.backward(ctx_, stack_maps, parameters_, gradients_,
                  mode_.cut_scale == CutScale::kOne ? View<const float>() : View<const float>(tables_.cut_scale));
  update(stack_maps);
  combine();
}

// The optimisers' steps: of both sides at once where they are of one kind.
template <class Context>
void Engine<Context>::update(const StackMaps& maps) {
  OptimizerStep steps[2];
  int count = 0;
  const Optimizer<Context>* row = nullptr;
  for (int side = 0; side < 2; ++side) {
    if (network_.parameters[side] == 0) continue;
    if (count > 0 && optimizers_[side] != row) {
      row->step(ctx_, steps, count);
      count = 0;
    }
    row = optimizers_[side];
    steps[count++] = step_of(side, maps.side[side]);
  }
  if (count > 0) row->step(ctx_, steps, count);
}

// A side's step: of the replicas that were used, or of all on their common gradient.
template <class Context>
OptimizerStep Engine<Context>::step_of(int side, const ReplicaMap& map) {
  const OptimizerSettings& settings = optimizer(settings_.train, side);
  const Optimizer<Context>& row = *optimizers_[side];
  const std::int64_t p = stack_.placement().trained(side);
  StepTargets targets;
  targets.count = map.active;
  targets.replica = map.replica;
  targets.max = map.max_active;
  targets.size = targets.gradient_stride = p;
  targets.stride = stack_.placement().size(side);
  targets.gradients = gradients_.side[side].data();
  targets.parameters = parameters_.side[side].data();
  targets.taken = row.counts_steps(settings) ? taken_[side].data() : nullptr;
  const std::int32_t* rows = map.active;
  std::int32_t max_rows = map.max_active;
  if (mode_.combine[side] == Combine::kGradient) {
    sum_gradients(ctx_, map.active, p, gradients_.side[side]);
    rows = tables_.whole.count.data();
    max_rows = 1;
    targets.count = tables_.everyone.data();
    targets.replica = nullptr;
    targets.max = settings_.clients;
    targets.gradient_stride = 0;
  }
  if (settings.clip_norm > 0.0) {
    clip_scales(ctx_, rows, max_rows, p, static_cast<float>(settings.clip_norm),
                View<const float>(gradients_.side[side]), clip_partials_[side], clip_scale_[side]);
    targets.gradient_scale = clip_scale_[side].data();
  }
  if (targets.taken != nullptr) count_steps(ctx_, targets);
  return {targets,
          settings,
          {rates_[side].data(), tables_.rate_step.data()},
          {moments_[0].side[side], moments_[1].side[side]}};
}

// At the end of a round the sides that average do; at the end of an epoch every side with replicas says how far they
// have drifted apart.
template <class Context>
void Engine<Context>::combine() {
  if (!mode_.replicas[0] && !mode_.replicas[1]) return;
  if (mode_.averages()) {
    note_samples(ctx_, map(true), seen_);
    round_weights(ctx_, tables_.round_end.data(), average_weights_, View<const std::int64_t>(held_), seen_,
                  round_weights_, average_now_);
  }
  for (int side = 0; side < 2; ++side) {
    if (!mode_.replicas[side] || network_.parameters[side] == 0) continue;
    const bool averages = mode_.combine[side] == Combine::kRound;
    const View<const float> parameters = parameters_.side[side];
    const View<const double> weights = averages ? round_weights_ : shares_;
    const std::int32_t* when = averages ? average_now_.data() : tables_.epoch_end.data();
    average_if(ctx_, when, parameters, weights, average_[side]);
    drift_if(ctx_, tables_.epoch_end.data(), parameters, weights, View<const float>(average_[side]),
             stack_.placement().trained(side), drift_partials_, drift_[side]);
    if (averages) {
      broadcast_if(ctx_, when, View<const float>(average_[side]), replicas_[side], parameters_.side[side]);
    }
  }
}

template class Engine<CpuContext>;
#if SPLITSIM_WITH_CUDA
template class Engine<CudaContext>;
#endif

}  // namespace splitsim
