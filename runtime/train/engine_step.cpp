// Engine: what a step does, in its order.
#include "kernels/device/profile_range.hpp"
#include "kernels/nn/gradient_rows.hpp"
#include "kernels/nn/layers/pointwise.hpp"
#include "kernels/nn/loss.hpp"
#include "kernels/nn/sample_weights.hpp"
#include "runtime/train/engine.hpp"

namespace splitsim {

template <class Context>
void Engine<Context>::step() {
  const Range range("step");
  const StackMaps stack_maps = maps();
  begin_step(ctx_, step_experiments(), rules(), tables_,
             {gather_, View<const GatherSource>(image_sources_), stack_.input()});
  stack_.forward(ctx_, stack_maps, parameters_);
  measure();
  const ReplicaMap clients = map(Sharing::kClient);
  CutRows cut{
      {}, mode_.cut.mix, {clients.active, clients.first, clients.rank, clients.max_active}, spans(tables_.by_client)};
  if (mode_.cut.scale != CutScale::kOne) cut.scale = tables_.cut_scale;
  if (mode_.output.mix > 0.0) {
    mix_places(ctx_, cut.clients, cut.spans, clients.valid(), mode_.output.mix, network_.classes,
               stack_.output_gradient());
  }
  stack_.backward(ctx_, stack_maps, parameters_, gradients_, cut);
  touch_gradients(stack_maps);
  update(stack_maps);
  combine();
}

// The losses, their gradients and what weighs them beside w. Where clients have a loss of their own, that is the step's.
template <class Context>
void Engine<Context>::measure() {
  const TrainSettings& train = common().train;
  const float gamma = train.loss == LossKind::kFocal ? static_cast<float>(train.focal_gamma) : 0.0f;
  const CrossEntropyShape shape{network_.classes, static_cast<float>(train.label_smoothing), gamma};
  const CrossEntropyInput of_server{stack_.output(), tables_.label, tables_.weight};
  if (mode_.local_loss) {
    const Slots served{tables_.served_slots.data(), static_cast<std::int32_t>(loss_.size())};
    softmax_cross_entropy(ctx_, served, shape, of_server,
                          {server_loss_, server_correct_, {}, stack_.output_gradient()});
    measure_step(ctx_, step_experiments(), tables_, shape,
                 {stack_.auxiliary_output(), tables_.label, tables_.local_weight},
                 {loss_, correct_, {}, stack_.auxiliary_gradient()}, metrics_.view(), server_loss_);
    return;
  }
  measure_step(ctx_, step_experiments(), tables_, shape, of_server, {loss_, correct_, {}, stack_.output_gradient()},
               metrics_.view());
  if (absgd_.empty()) return;
  const Slots slots = map(Sharing::kAll).valid();
  absgd_factors(ctx_, slots, spans(tables_.whole), {train.absgd_lambda, train.absgd_momentum}, View<const float>(loss_),
                absgd_, factor_);
  scale_slots(ctx_, slots, network_.classes, View<const float>(factor_), stack_.output_gradient());
}

// What a mode does to a side's gradient rows before the step.
template <class Context>
void Engine<Context>::touch_gradients(const StackMaps& maps) {
  for (int side = 0; side < 2; ++side) {
    const PartRule& part = mode_.part[side];
    if (network_.parameters[side] == 0) continue;
    const GradientRows rows{maps.side[side], spans(ranks(side, part.replicas)), stack_.placement().trained(side),
                            gradients_.side[side]};
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
  const OptimizerSettings& settings = optimizer_of(common().train, side);
  const Optimizer<Context>& row = *optimizers_[side];
  const std::int64_t p = stack_.placement().trained(side);
  StepTargets targets;
  targets.count = map.active;
  targets.replica = map.replica;
  targets.max = map.max_active;
  targets.size = p;
  targets.stride = stack_.placement().size(side);
  targets.gradients = gradients_.side[side].data();
  targets.parameters = parameters_.side[side].data();
  targets.taken = row.counts_steps(settings) ? taken_[side].data() : nullptr;
  if (mode_.part[side].combine == Combine::kGradient) {  // a row per experiment, for all of its replicas
    const RankTable& used = ranks(side, mode_.part[side].replicas);
    sum_gradients(ctx_, spans(used), p, gradients_.side[side]);
    const ReplicaMap each = this->map(side, Sharing::kAll);
    targets.count = each.active;
    targets.replica = each.replica;
    targets.max = each.max_active;
    targets.copies = static_cast<std::int32_t>(replicas_[side]);
    targets.gradient_row = used.experiment_first.data();
  }
  if (settings.clip_norm > 0.0) {
    clip_scales(ctx_, targets, static_cast<float>(settings.clip_norm), clip_partials_[side], clip_scale_[side]);
    targets.gradient_scale = clip_scale_[side].data();
  }
  if (targets.taken != nullptr) count_steps(ctx_, targets);
  return {targets,
          settings,
          {rates_[side].data(), tables_.rate_step.data(), rates_[side].size() / all(1),
           static_cast<std::int32_t>(replicas_[side])},
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
    round_weights(ctx_, due(tables_.any_round_end, tables_.round_end), average_weights_,
                  View<const std::int64_t>(shares.held), shares.seen, shares.of_round, shares.average_now);
  }
  for (int side = 0; side < 2; ++side) {
    if (!mode_.part[side].many() || network_.parameters[side] == 0) continue;
    const bool averages = mode_.part[side].combine == Combine::kRound;
    const View<const float> parameters = parameters_.side[side];
    const View<const double> weights = averages ? shares(side).of_round : shares(side).of_all;
    const Due epoch_end = due(tables_.any_epoch_end, tables_.epoch_end);
    const Due when = averages ? due(tables_.any_round_end, shares(side).average_now) : epoch_end;
    average_if(ctx_, when, parameters, weights, average_[side]);
    drift_if(ctx_, epoch_end, parameters, weights, View<const float>(average_[side]), stack_.placement().trained(side),
             drift_partials_, drift_[side]);
    if (averages) {
      broadcast_if(ctx_, when, View<const float>(average_[side]), replicas_[side], parameters_.side[side]);
    }
  }
}

template void Engine<CpuContext>::step();
#if SPLITSIM_WITH_CUDA
template void Engine<CudaContext>::step();
#endif

}  // namespace splitsim
