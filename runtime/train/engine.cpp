#include "runtime/train/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <thread>

#include "base/error.hpp"
#include "kernels/device/profile_range.hpp"

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

StackBounds stack_bounds(const Network& network, const std::vector<EngineSettings>& experiments, std::int64_t slots,
                         const std::int32_t (&active)[2], std::int32_t clients, Layout native) {
  const EngineSettings& settings = experiments.front();
  StackBounds bounds;
  bounds.slots = static_cast<std::int32_t>(slots);
  bounds.samples = settings.samples;
  bounds.experiments = static_cast<std::int32_t>(experiments.size());
  for (int side = 0; side < 2; ++side) bounds.active[side] = bounds.segments[side] = active[side];
  const Sharing of_client = statistics_of(network, mode_map(settings.train), kClientSide);
  if (of_client != Sharing::kGroup) {
    bounds.segments[kClientSide] =
        of_client == Sharing::kClient ? clients : static_cast<std::int32_t>(experiments.size());
  }
  bounds.layout = settings.layout.value_or(native);
  bounds.precision = settings.train.precision;
  return bounds;
}

// Of a step of all, and of every experiment's epochs.
ScheduleBounds bounds_of_all(const std::vector<EngineSettings>& experiments) {
  ScheduleBounds all;
  for (const EngineSettings& settings : experiments) {
    const ScheduleBounds& bounds = settings.bounds;
    all.slots += bounds.slots;
    all.steps = std::max(all.steps, bounds.steps);
    all.batch += bounds.batch;
    all.active += std::max<std::int64_t>(1, bounds.active);
  }
  return all;
}

}  // namespace

std::int32_t most_ranks(const std::vector<EngineSettings>& experiments, std::int64_t replicas) {
  std::int64_t ranks = 0;
  for (const EngineSettings& settings : experiments) {
    ranks += std::min(replicas, std::max<std::int64_t>(1, settings.bounds.active));
  }
  return static_cast<std::int32_t>(ranks);
}

template <class Context>
Engine<Context>::Engine(Context& ctx, const Network& network, std::vector<EngineSettings> experiments)
    : ctx_(ctx),
      network_(network),
      settings_(std::move(experiments)),
      mode_(mode_map(common().train)),
      average_weights_(common().train.fedavg_weights),
      optimizers_{&optimizer_named<Context>(common().train.client_optimizer.kind),
                  &optimizer_named<Context>(common().train.server_optimizer.kind)},
      replicas_{count_of(mode_.part[0].replicas), count_of(mode_.part[1].replicas)},
      bounds_(bounds_of_all(settings_)),
      max_clients_(static_cast<std::int32_t>(bounds_.active)),
      max_active_{most_ranks(settings_, replicas_[0]), most_ranks(settings_, replicas_[1])},
      stack_(network,
             stack_bounds(network, settings_, bounds_.batch, max_active_, max_clients_, native_layout<Context>()),
             true) {
  const EngineSettings& settings = common();
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
  check_together();
  Arena<Context> measure;
  layout(measure);
  plan_ = measure.plan();
}

// What of the experiments decides shapes and launches is the same of all.
template <class Context>
void Engine<Context>::check_together() const {
  for (const EngineSettings& settings : settings_) {
    if (settings.clients != common().clients || settings.groups.count != common().groups.count) {
      throw InputError("experiments that are trained together: need equal numbers of clients and groups");
    }
  }
  if (settings_.size() > 1 && stack_.kept_floats() > 0) {
    throw InputError("cut.error_feedback = true: remembers samples, allowed for experiments trained alone");
  }
}

template <class Context>
void Engine<Context>::begin_epoch(const std::vector<Epoch>& epochs) {
  std::vector<StepState> states;
  longest_ = 0;
  for (std::size_t e = 0; e < epochs.size(); ++e) {
    states.push_back({.epoch = epochs[e].epoch, .steps = static_cast<std::int32_t>(epochs[e].steps)});
    if (epochs[e].steps > epochs[longest_].steps) longest_ = e;
  }
  ctx_.upload(state_.data(), states.data(), states.size() * sizeof(StepState));
  enqueued_ = 0;
  std::fill_n(metrics_.data(), all(bounds_.steps), StepMetrics{});
}

template <class Context>
void Engine<Context>::halt(std::size_t experiment) {
  static constexpr std::int32_t kHalted = 1;
  ctx_.upload(&state_.data()[experiment].halted, &kHalted, sizeof kHalted);
}

template <class Context>
View<const StepMetrics> Engine<Context>::metrics(std::size_t experiment) const {
  return {metrics_.data() + static_cast<std::int64_t>(experiment) * bounds_.steps, bounds_.steps};
}

template <class Context>
ReplicaValues Engine<Context>::values(std::size_t experiment) const {
  ReplicaValues values;
  for (int side = 0; side < 2; ++side) {
    values.parameters[side] = part(parameters_.side[side], experiment);
    values.replicas[side] = replicas_[side];
  }
  return values;
}

template <class Context>
std::int32_t Engine<Context>::count_of(Sharing sharing) const {
  if (sharing == Sharing::kAll) return 1;
  return sharing == Sharing::kGroup ? common().groups.count : common().clients;
}

template <class Context>
ReplicaMap Engine<Context>::map(const RankTable& ranks, const View<std::int32_t>& slots, Sharing sharing) const {
  ReplicaMap map = ranks.map(slots.data(), static_cast<std::int32_t>(all(count_of(sharing))));
  map.own_slots = tables_.own_slots.data();
  map.experiments = static_cast<std::int32_t>(settings_.size());
  return map;
}
template <class Context>
ReplicaMap Engine<Context>::map(Sharing sharing) const {
  return map(tables_.by(sharing), tables_.slots, sharing);
}

// Of a side's replicas in this step: of the server's none where nobody sends.
template <class Context>
ReplicaMap Engine<Context>::map(int side, Sharing sharing) const {
  if (side == kClientSide || !mode_.local_loss) return map(sharing);
  return map(tables_.served, tables_.served_slots, sharing);
}
template <class Context>
const RankTable& Engine<Context>::ranks(int side, Sharing sharing) const {
  return side == kClientSide || !mode_.local_loss ? tables_.by(sharing) : tables_.served;
}

template <class Context>
Spans Engine<Context>::spans(const RankTable& ranks) const {
  return {tables_.first_slot.data(), tables_.own_slots.data(), ranks.experiment_first.data(),
          ranks.experiment_count.data(), static_cast<std::int32_t>(settings_.size())};
}

template <class Context>
Due Engine<Context>::due(const View<std::int32_t>& any, const View<std::int32_t>& of) const {
  return {any.data(), of.data(), static_cast<std::int32_t>(settings_.size())};
}

template <class Context>
StepExperiments Engine<Context>::step_experiments() const {
  return {state_, View<const StepSource>(sources_), common().train.on_nonfinite == OnNonfinite::kStop};
}

template <class Context>
StackMaps Engine<Context>::maps() const {
  StackMaps maps;
  for (int side = 0; side < 2; ++side) {
    maps.side[side] = map(side, mode_.part[side].replicas);
    const ReplicaMap ranks = map(side, statistics_of(network_, mode_, side));
    maps.statistics[side] = {ranks.active, ranks.first, ranks.rank, ranks.max_active};
  }
  maps.keys = {tables_.seed.data(), tables_.sample.data(), tables_.epoch.data()};
  return maps;
}

template <class Context>
StepRules Engine<Context>::rules() const {
  return {mode_.cut.scale,
          mode_.loss,
          {mode_.part[0].replicas, mode_.part[1].replicas},
          common().clients,
          common().groups.count,
          {common().train.round},
          {mode_.upload_every}};
}

template <class Context>
void Engine<Context>::wait_for_device() {
  // The metrics tell how far the device is; asking them costs no synchronisation.
  if (enqueued_ < kStepsAhead) return;
  const volatile StepMetrics& old = metrics(longest_).data()[enqueued_ - kStepsAhead];
  while (old.done == 0) {
    ctx_.check();
    std::this_thread::yield();
  }
}

template <class Context>
void Engine<Context>::enqueue_step() {
  if constexpr (Context::kIsDevice) {
    wait_for_device();
    if (common().capture && warm_ && graph_ == nullptr) {
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

template class Engine<CpuContext>;
#if SPLITSIM_WITH_CUDA
template class Engine<CudaContext>;
#endif

}  // namespace splitsim
