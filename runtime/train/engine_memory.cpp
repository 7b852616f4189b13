// Engine: what lies where, and what it holds before the first step.
#include <algorithm>

#include "kernels/nn/gradient_rows.hpp"
#include "kernels/nn/sample_weights.hpp"
#include "runtime/train/class_weights.hpp"
#include "runtime/train/engine.hpp"
#include "runtime/train/learning_rate.hpp"
#include "samplers/population/population.hpp"

namespace splitsim {

template <class Context>
void Engine<Context>::layout(Arena<Context>& arena) {
  const std::int64_t slots = bounds_.batch, experiments = all(1);
  const char* name = "step tables";
  state_ = arena.template take<StepState>(experiments, name);
  sources_ = arena.template take<StepSource>(experiments, name);
  image_sources_ = arena.template take<GatherSource>(experiments, name);
  for (View<std::int32_t>* scalar : {&tables_.slots, &tables_.any_round_end, &tables_.any_epoch_end}) {
    *scalar = arena.template take<std::int32_t>(1, name);
  }
  for (View<std::int32_t>* own : {&tables_.first_slot, &tables_.own_slots, &tables_.clients, &tables_.rate_step,
                                  &tables_.round_end, &tables_.epoch_end}) {
    *own = arena.template take<std::int32_t>(experiments, name);
  }
  for (View<std::int32_t>* of_slot : {&tables_.sample, &tables_.experiment, &tables_.epoch, &tables_.label}) {
    *of_slot = arena.template take<std::int32_t>(slots, name);
  }
  tables_.seed = arena.template take<std::uint64_t>(slots, name);
  tables_.weight = arena.template take<float>(slots, name);
  tables_.cut_scale = arena.template take<float>(slots, name);
  tables_.whole = take_ranks(arena, experiments, slots, name, experiments);
  if (mode_.needs_groups()) {
    tables_.by_group = take_ranks(arena, most_ranks(settings_, common().groups.count), slots, name, experiments);
  }
  tables_.by_client = take_ranks(arena, max_clients_, slots, name, experiments);
  if (mode_.local_loss) {
    tables_.local_weight = arena.template take<float>(slots, name);
    tables_.served_slots = arena.template take<std::int32_t>(1, name);
    tables_.served = take_ranks(arena, max_active_[kServerSide], slots, name, experiments);
    server_loss_ = arena.template take<float>(slots, name);
    server_correct_ = arena.template take<std::int32_t>(slots, name);
  }
  loss_ = arena.template take<float>(slots, name);
  correct_ = arena.template take<std::int32_t>(slots, name);
  for (int side = 0; side < 2; ++side) layout_side(arena, side);
  if (mode_.many()) layout_averages(arena);
  layout_weights(arena);
  stack_.layout(ctx_, arena, layout_kept(arena));
}

// What steps remember: the engine's own, then what is the layers' (returned).
template <class Context>
View<float> Engine<Context>::layout_kept(Arena<Context>& arena) {
  const std::int64_t own = common().train.weights == SampleWeights::kAbsgd ? all(kAbsgdState) : 0;
  const std::int64_t layers = stack_.kept_floats();
  kept_ = arena.template take<float>(own + layers, "state of steps");
  if (kept_.data() == nullptr) return {};  // measuring, or nothing
  absgd_ = kept_.sub(0, own);
  return kept_.sub(own, layers);
}

template <class Context>
void Engine<Context>::layout_weights(Arena<Context>& arena) {
  const char* name = "sample weights";
  if (common().train.weights == SampleWeights::kAbsgd) factor_ = arena.template take<float>(bounds_.batch, name);
  if (common().train.weights == SampleWeights::kClassBalanced) {
    class_weight_ = arena.template take<float>(all(network_.classes), name);
  }
}

template <class Context>
void Engine<Context>::layout_averages(Arena<Context>& arena) {
  const std::int64_t trained = std::max(stack_.placement().trained(0), stack_.placement().trained(1));
  for (const Sharing sharing : {Sharing::kGroup, Sharing::kClient}) {
    if (mode_.part[0].replicas != sharing && mode_.part[1].replicas != sharing) continue;
    Shares& shares = shares_[index_of(sharing)];
    const std::int64_t count = all(count_of(sharing));
    shares.held = arena.template take<std::int64_t>(count, "averages");
    shares.seen = arena.template take<std::int64_t>(count, "averages");
    shares.of_all = arena.template take<double>(count, "averages");
    shares.of_round = arena.template take<double>(count, "averages");
    shares.average_now = arena.template take<std::int32_t>(all(1), "averages");
  }
  drift_partials_ = arena.template take<double>(all(drift_workspace<Context>(trained)), "averages");
}

template <class Context>
void Engine<Context>::layout_side(Arena<Context>& arena, int side) {
  const std::int64_t p = stack_.placement().trained(side), size = stack_.placement().size(side);
  const std::int64_t replicas = all(replicas_[side]);
  const OptimizerSettings& settings = optimizer_of(common().train, side);
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
  std::int64_t most_steps = 0;
  for (const EngineSettings& each : settings_) {
    most_steps = std::max(most_steps, each.steps_per_epoch * each.train.epochs);
  }
  rates_[side] = arena.template take<float>(all(most_steps), "learning rates");
  const PartRule& part = mode_.part[side];
  average_[side] = arena.template take<float>(part.many() ? all(size) : 0, "averages");
  drift_[side] = arena.template take<double>(part.many() ? all(1) : 0, "averages");
  leader_[side] = arena.template take<float>(part.align > 0.0 ? all(p) : 0, "leader");
  leader_workspace_[side] =
      arena.template take<double>(part.align > 0.0 ? align_workspace(max_active_[side], all(1)) : 0, "leader");
}

template <class Context>
void Engine<Context>::start(const GatherShape& gather, const std::vector<EngineInput<Context>>& inputs) {
  gather_ = gather;
  gather_.layout = stack_.layout();
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
  for (const Shares& shares : shares_) fill_zero(ctx_, shares.seen);
  fill_zero(ctx_, kept_);
  metrics_ = SharedBuffer<StepMetrics, Context>(ctx_, all(bounds_.steps));
  upload_sources(inputs);
  upload_shares();
  for (std::size_t e = 0; e < settings_.size(); ++e) {
    start_values(e);
    start_rounds(e);
  }
}

// Learning rates and initial parameters of an experiment.
template <class Context>
void Engine<Context>::start_values(std::size_t experiment) {
  const EngineSettings& settings = settings_[experiment];
  for (int side = 0; side < 2; ++side) {
    const std::vector<float> rates =
        learning_rates(optimizer_of(settings.train, side), settings.steps_per_epoch, settings.train.epochs);
    ctx_.upload(part(rates_[side], experiment).data(), rates.data(), rates.size() * sizeof(float));
    if (network_.replica_size(side) == 0) continue;
    const Buffer<float, Context> one(
        ctx_, stack_.placement().placed(side, true, initial_parameters(network_, side, settings.seed)));
    broadcast_replicas(ctx_, one.view(), replicas_[side], part(parameters_.side[side], experiment));
  }
}

template <class Context>
void Engine<Context>::upload_sources(const std::vector<EngineInput<Context>>& inputs) {
  std::vector<StepSource> sources;
  std::vector<GatherSource> images;
  for (std::size_t e = 0; e < settings_.size(); ++e) {
    const EngineSettings& settings = settings_[e];
    float* class_weight = nullptr;
    if (!class_weight_.empty()) {
      const std::vector<float> weights = class_balanced_weights(settings.class_counts, settings.train.balance);
      class_weight = part(class_weight_, e).data();
      ctx_.upload(class_weight, weights.data(), weights.size() * sizeof(float));
    }
    sources.push_back(
        {inputs[e].schedule, inputs[e].data->labels.data(), class_weight, settings.seed, settings.steps_per_epoch});
    images.push_back(inputs[e].source);
  }
  ctx_.upload(sources_.data(), sources.data(), sources.size() * sizeof(StepSource));
  ctx_.upload(image_sources_.data(), images.data(), images.size() * sizeof(GatherSource));
}

template <class Context>
void Engine<Context>::upload_shares() {
  for (std::size_t e = 0; e < settings_.size(); ++e) {
    const EngineSettings& settings = settings_[e];
    std::vector<std::int64_t> held = settings.held;
    held.resize(static_cast<std::size_t>(settings.clients), held.empty() ? 1 : 0);
    for (const Sharing sharing : {Sharing::kGroup, Sharing::kClient}) {
      const Shares& shares = shares_[index_of(sharing)];
      if (shares.held.empty()) continue;
      const std::vector<std::int64_t> mine = sharing == Sharing::kGroup ? settings.groups.sums(held) : held;
      const std::vector<double> of_all = shares_of(mine);
      const std::size_t first = e * mine.size();
      ctx_.upload(shares.held.data() + first, mine.data(), mine.size() * sizeof(std::int64_t));
      ctx_.upload(shares.of_all.data() + first, of_all.data(), of_all.size() * sizeof(double));
    }
  }
}

// Where the round begins: behind a round's end all replicas are alike. For those who are held to it, and so that there
// is an average also where nobody has stepped.
template <class Context>
void Engine<Context>::start_rounds(std::size_t experiment) {
  for (int side = 0; side < 2; ++side) {
    if (mode_.part[side].combine != Combine::kRound) continue;
    const View<float> average = part(average_[side], experiment);
    ctx_.copy(average.data(), part(parameters_.side[side], experiment).data(),
              static_cast<std::size_t>(average.size()) * sizeof(float));
  }
}

#define SPLITSIM_MEMBERS(C)                                                               \
  template void Engine<C>::layout(Arena<C>&);                                             \
  template void Engine<C>::start(const GatherShape&, const std::vector<EngineInput<C>>&); \
  template void Engine<C>::start_rounds(std::size_t);
SPLITSIM_MEMBERS(CpuContext)
#if SPLITSIM_WITH_CUDA
SPLITSIM_MEMBERS(CudaContext)
#endif

}  // namespace splitsim
