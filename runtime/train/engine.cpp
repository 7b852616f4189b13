#include "runtime/train/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <thread>

#include "base/error.hpp"
#include "kernels/device/profile_range.hpp"
#include "kernels/nn/gradient_rows.hpp"
#include "kernels/nn/layers/pointwise.hpp"
#include "kernels/nn/loss.hpp"
#include "kernels/nn/sample_weights.hpp"

namespace splitsim {

namespace {

// Who shares a BatchNorm's statistics: on the server those of a replica; on the client each by itself, or, pooled, all
// who could share one.
Sharing statistics_of(const Network& network, const ModeMap& mode, int side) {
  const Sharing sharing = mode.part[side].replicas;
  if (side == kServerSide) return sharing;
  if (network.options.client_segments) return Sharing::kClient;
  return sharing == Sharing::kGroup ? Sharing::kGroup : Sharing::kAll;
}

StackBounds stack_bounds(const Network& network, const EngineSettings& settings, const std::int32_t (&active)[2],
                         std::int32_t clients, Layout native) {
  StackBounds bounds;
  bounds.slots = static_cast<std::int32_t>(settings.bounds.batch);
  bounds.samples = settings.samples;
  for (int side = 0; side < 2; ++side) bounds.active[side] = bounds.segments[side] = active[side];
  const Sharing of_client = statistics_of(network, mode_map(settings.train), kClientSide);
  if (of_client != Sharing::kGroup) bounds.segments[kClientSide] = of_client == Sharing::kClient ? clients : 1;
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
      replicas_{count_of(mode_.part[0].replicas), count_of(mode_.part[1].replicas)},
      max_clients_(static_cast<std::int32_t>(std::max<std::int64_t>(1, settings.bounds.active))),
      max_active_{static_cast<std::int32_t>(std::min<std::int64_t>(replicas_[0], max_clients_)),
                  static_cast<std::int32_t>(std::min<std::int64_t>(replicas_[1], max_clients_))},
      stack_(network, stack_bounds(network, settings, max_active_, max_clients_, native_layout<Context>()), true) {
  if (!Context::kIsDevice && settings.train.precision != Precision::kFp32) {
    throw InputError(fmt::format("train.precision = \"{}\": a GPU's (--device cuda); a CPU multiplies in fp32",
                                 name_of(settings.train.precision)));
  }
  if (network.has_auxiliary() != mode_.local_loss) {
    throw InputError(fmt::format("train.mode = \"{}\": the network has {} auxiliary head", settings.train.mode,
                                 mode_.local_loss ? "no" : "an"));
  }
  if (mode_.needs_groups() && settings.groups.of.size() != static_cast<std::size_t>(settings.clients)) {
    throw InputError(fmt::format("train.mode = \"{}\": needs the group of each of the {} clients", settings.train.mode,
                                 settings.clients));
  }
  if (settings.train.weights == SampleWeights::kClassBalanced &&
      settings.class_counts.size() != static_cast<std::size_t>(network.classes)) {
    throw InputError(fmt::format("train.weights = \"class_balanced\": needs the samples of each of the {} classes",
                                 network.classes));
  }
  if (mode_.part[kClientSide].combine == Combine::kGradient && network.buffers[kClientSide] > 0) {
    throw InputError(
        "train.replicas = \"materialised\": allowed with model.client_norm = group or none: replicas with running "
        "statistics of their own would not stay equal");
  }
  Arena<Context> measure;
  layout(measure);
  plan_ = measure.plan();
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
std::int32_t Engine<Context>::count_of(Sharing sharing) const {
  if (sharing == Sharing::kAll) return 1;
  return sharing == Sharing::kGroup ? settings_.groups.count : settings_.clients;
}

template <class Context>
ReplicaMap Engine<Context>::map(Sharing sharing) const {
  return tables_.by(sharing).map(tables_.slots.data(), count_of(sharing));
}

// Of a side's replicas in this step: of the server's none where nobody sends.
template <class Context>
ReplicaMap Engine<Context>::map(int side, Sharing sharing) const {
  if (side == kClientSide || !mode_.local_loss) return map(sharing);
  return tables_.served.map(tables_.served_slots.data(), count_of(sharing));
}

template <class Context>
StackMaps Engine<Context>::maps() const {
  StackMaps maps;
  for (int side = 0; side < 2; ++side) {
    maps.side[side] = map(side, mode_.part[side].replicas);
    const ReplicaMap ranks = map(side, statistics_of(network_, mode_, side));
    maps.statistics[side] = {ranks.active, ranks.first, ranks.rank, ranks.max_active};
  }
  maps.keys = {settings_.seed, tables_.sample.data(), &state_.data()->epoch};
  return maps;
}

template <class Context>
StepRules Engine<Context>::rules() const {
  return {mode_.cut.scale,
          mode_.loss,
          {mode_.part[0].replicas, mode_.part[1].replicas},
          settings_.clients,
          settings_.steps_per_epoch,
          {settings_.train.round},
          {mode_.upload_every},
          class_weight_};
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
  measure();
  const ReplicaMap clients = map(Sharing::kClient);
  CutRows cut{{}, mode_.cut.mix, {clients.active, clients.first, clients.rank, clients.max_active}};
  if (mode_.cut.scale != CutScale::kOne) cut.scale = tables_.cut_scale;
  if (mode_.output.mix > 0.0) {
    mix_places(ctx_, cut.clients, clients.valid(), mode_.output.mix, network_.classes, stack_.output_gradient());
  }
  stack_.backward(ctx_, stack_maps, parameters_, gradients_, cut);
  touch_gradients(stack_maps);
  update(stack_maps);
  combine();
}

// The losses, their gradients and what weighs them beside w. Where clients have a loss of their own, that is the step's.
template <class Context>
void Engine<Context>::measure() {
  const TrainSettings& train = settings_.train;
  const float gamma = train.loss == LossKind::kFocal ? static_cast<float>(train.focal_gamma) : 0.0f;
  const CrossEntropyShape shape{network_.classes, static_cast<float>(train.label_smoothing), gamma};
  const CrossEntropyInput of_server{stack_.output(), tables_.label, tables_.weight};
  if (mode_.local_loss) {
    const Slots served{tables_.served_slots.data(), static_cast<std::int32_t>(loss_.size())};
    softmax_cross_entropy(ctx_, served, shape, of_server,
                          {server_loss_, server_correct_, {}, stack_.output_gradient()});
    measure_step(ctx_, state_, tables_, shape, {stack_.auxiliary_output(), tables_.label, tables_.local_weight},
                 {loss_, correct_, {}, stack_.auxiliary_gradient()}, metrics_.view(), server_loss_);
    return;
  }
  measure_step(ctx_, state_, tables_, shape, of_server, {loss_, correct_, {}, stack_.output_gradient()},
               metrics_.view());
  if (absgd_.empty()) return;
  const Slots slots = map(Sharing::kAll).valid();
  absgd_factors(ctx_, slots, {train.absgd_lambda, train.absgd_momentum}, View<const float>(loss_), absgd_, factor_);
  scale_slots(ctx_, slots, network_.classes, View<const float>(factor_), stack_.output_gradient());
}

// What a mode does to a side's gradient rows before the step.
template <class Context>
void Engine<Context>::touch_gradients(const StackMaps& maps) {
  for (int side = 0; side < 2; ++side) {
    const PartRule& part = mode_.part[side];
    if (network_.parameters[side] == 0) continue;
    const GradientRows rows{maps.side[side], stack_.placement().trained(side), gradients_.side[side]};
    if (part.proximal > 0.0) {
      pull_to_start(ctx_, rows, static_cast<float>(part.proximal), View<const float>(parameters_.side[side]),
                    stack_.placement().size(side), View<const float>(average_[side]));
    }
    if (part.align > 0.0) {
      align_rows(ctx_, rows, static_cast<float>(part.align), leader_[side], leader_workspace_[side]);
    }
  }
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
  const OptimizerSettings& settings = optimizer_of(settings_.train, side);
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
  if (mode_.part[side].combine == Combine::kGradient) {
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
  if (!mode_.many()) return;
  for (const Sharing sharing : {Sharing::kGroup, Sharing::kClient}) {
    const auto averages = [&](const PartRule& part) {
      return part.replicas == sharing && part.combine == Combine::kRound;
    };
    if (!averages(mode_.part[0]) && !averages(mode_.part[1])) continue;
    const Shares& shares = shares_[index_of(sharing)];
    note_samples(ctx_, map(sharing), shares.seen);
    round_weights(ctx_, tables_.round_end.data(), average_weights_, View<const std::int64_t>(shares.held), shares.seen,
                  shares.of_round, shares.average_now);
  }
  for (int side = 0; side < 2; ++side) {
    if (!mode_.part[side].many() || network_.parameters[side] == 0) continue;
    const bool averages = mode_.part[side].combine == Combine::kRound;
    const View<const float> parameters = parameters_.side[side];
    const View<const double> weights = averages ? shares(side).of_round : shares(side).of_all;
    const std::int32_t* when = averages ? shares(side).average_now.data() : tables_.epoch_end.data();
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
