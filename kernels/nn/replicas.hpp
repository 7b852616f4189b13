// Kernels that combine the replicas of a side. Those of a training step are always launched and do something only when
// a flag in device memory is 1, so that a step is the same launches every time. Replicas of E experiments are [E, G]; each
// experiment has its own flag and its own average. Ring R1. Determinism: exact on one backend; averages are summed in
// double, in ascending order of replicas, whatever the other experiments are.
#pragma once

#include <cstdint>

#include "base/names.hpp"
#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"

namespace splitsim {

/// parameters[g] = one for every replica g. one: [size], parameters: [G, size].
template <class Context>
void broadcast_replicas(Context& ctx, View<const float> one, std::int64_t replicas, View<float> parameters);

/// average = sum_g weight[g] parameters[g]. weight: [G], summing to 1; average: [size].
template <class Context>
void average_replicas(Context& ctx, View<const float> parameters, View<const double> weight, View<float> average);

/// How FedAvg weights the clients that stepped in a round: n_k, the samples they trained in it, or all alike.
enum class AverageWeights : std::uint8_t { kSamples, kSeen, kUniform };
constexpr auto names_of(AverageWeights) {
  return named_values<AverageWeights>(
      {{"samples", "n_k"}, {"seen", "samples trained in the round"}, {"uniform", "all alike"}});
}

/// seen[replica] += b of every rank of the step.
template <class Context>
void note_samples(Context& ctx, const ReplicaMap& map, View<std::int64_t> seen);

/// At the end of an experiment's round: weight[k] of its clients that stepped in it, summing to 1, and seen = 0.
/// average_now becomes 1 if anybody stepped, else 0. held: [E, K] n_k; seen, weight: [E, K]; average_now: [E].
template <class Context>
void round_weights(Context& ctx, const Due& round_end, AverageWeights kind, View<const std::int64_t> held,
                   View<std::int64_t> seen, View<double> weight, View<std::int32_t> average_now);

/// Of experiments that are due: average as average_replicas. parameters: [E, G, size]; weight: [E, G]; average: [E,
/// size].
template <class Context>
void average_if(Context& ctx, const Due& due, View<const float> parameters, View<const double> weight,
                View<float> average);
/// Of experiments that are due: broadcast as broadcast_replicas. one: [E, size]; replicas: G; parameters: [E, G, size].
template <class Context>
void broadcast_if(Context& ctx, const Due& due, View<const float> one, std::int64_t replicas, View<float> parameters);

/// Floats of a replica whose distances one team sums: a lane of a GPU one.
template <class Context>
constexpr std::int64_t drift_chunk() {
  return Context::kIsDevice ? 128 : 4096;
}
/// Doubles that drift_if needs as workspace, per experiment.
template <class Context>
constexpr std::int64_t drift_workspace(std::int64_t trained) {
  return (trained + drift_chunk<Context>() - 1) / drift_chunk<Context>();
}
/// Of experiments that are due: drift[e] = sqrt(sum_g weight[g] |theta_g - average|^2) over the first `trained` floats of
/// each replica. Shapes as average_if's; drift: [E].
template <class Context>
void drift_if(Context& ctx, const Due& due, View<const float> parameters, View<const double> weight,
              View<const float> average, std::int64_t trained, View<double> partials, View<double> drift);

/// Each experiment's first rank gets the sum of the gradients of all its ranks, in rank order. gradients: [max ranks, P].
template <class Context>
void sum_gradients(Context& ctx, const Spans& spans, std::int64_t parameters, View<float> gradients);

}  // namespace splitsim
