// Seams of a learning mode between a backward pass and the optimisers: gradients that are mixed between clients at a
// layer's rows, held to where a round began, or turned to a leader's. Ring R1. Determinism: fixed-order on each
// backend.
#pragma once

#include <cstdint>

#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"

namespace splitsim {

/// Gradient rows x at equal places become their mean over the clients (SGLR, arXiv 2112.05929, at the cut; EPSL, arXiv
/// 2303.15991, at the last layer, here without leaving rows out). Slot s of client r has place s - first[r]; of a
/// client's b places the first ceil(share b) take part, and a place's mean is over the clients that have it, of its
/// experiment. clients: the step's runs of slots by client; spans: of such ranks. x: [S, features].
template <class Context>
void mix_places(Context& ctx, const Segments& clients, const Spans& spans, Slots slots, double share,
                std::int64_t features, View<float> x);

/// A side's gradients and where they apply: rank r is replica map.replica[r].
struct GradientRows {
  ReplicaMap map;
  Spans spans;            ///< of the map's ranks
  std::int64_t size = 0;  ///< P: trainable parameters of a replica
  View<float> gradients;  ///< [max ranks, P]

  /// G: replicas of each experiment.
  std::int32_t replicas() const { return map.replicas / spans.experiments; }
};

/// gradients[r] += mu (theta[replica of r] - start): FedProx (arXiv 1812.06127). parameters: [E, G, stride];
/// start: [E, stride].
template <class Context>
void pull_to_start(Context& ctx, const GradientRows& rows, float mu, View<const float> parameters, std::int64_t stride,
                   View<const float> start);

/// Doubles of workspace for align_rows.
constexpr std::int64_t align_workspace(std::int64_t max_ranks, std::int64_t experiments = 1) {
  return 2 * max_ranks + experiments;
}
/// Turns every gradient to the leader's direction, keeping its length: g += lambda (|g| / |leader| leader - g). The
/// leader is the mean of those gradients whose inner product with the mean of all is positive: they agree on a
/// direction. After GAPSL's (arXiv 2603.18540) leader and alignment, as its abstract has them; its own numbers are not
/// known to us. Each experiment has a leader of its own. leader: [E, P], workspace:
/// [align_workspace(max ranks, E)].
template <class Context>
void align_rows(Context& ctx, const GradientRows& rows, float lambda, View<float> leader, View<double> workspace);

}  // namespace splitsim
