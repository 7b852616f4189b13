// Sampling by clients' clocks. Client k's samples wait in their local order, the j-th one for the threshold theta_kj;
// its clock runs at rate_k, and a sample leaves when the clock reaches its threshold. Two rules for thresholds give the
// two ways in which odds meet depletion:
//
//   odds         theta_kj is the j-th smallest of the client's exponentials e_i. Every sample has hazard rate_k: Wallenius.
//   renormalise  theta_kj = E_1 + .. + E_j of independent exponentials. Every client has hazard rate_k until it is
//                depleted: Categorical(rate) over the clients that still have data.
//
// Both use the same e_i: by Renyi's representation E_j = (n_k - j + 1) (e_(j) - e_(j-1)) are independent exponentials,
// and independent of the order. With constant rates, theta / rate are the keys of one sort; when rates change from step
// to step, exponentials' lack of memory lets the clocks just run on.
//
// Determinism: exact on every backend, for any number of threads.
#pragma once

#include <cstdint>

#include "kernels/primitives/sort.hpp"
#include "samplers/population/population.hpp"
#include "samplers/schedule/sampler.hpp"

namespace splitsim {

/// Every client's samples in local order with their thresholds, for one epoch.
template <class Context>
class ClientThresholds {
 public:
  /// `population` is the host's, of the same samples as `device_population`; the latter must outlive this.
  ClientThresholds(Context& ctx, const Population& population, const DevicePopulation<Context>& device_population,
                   DepletionRule rule);

  /// Draws an epoch; `pairs` (of N) is workspace.
  void build(PairSort<Context>& pairs, std::uint64_t seed, std::uint32_t epoch);

  /// [N] samples grouped by client, in local order.
  View<const std::int32_t> order() const { return order_.view(); }
  /// [N] thresholds, ascending within each client.
  View<const double> threshold() const { return threshold_.view(); }

 private:
  Context* ctx_;
  const DevicePopulation<Context>* population_;
  DepletionRule rule_;
  Buffer<std::int32_t, Context> order_;
  Buffer<double, Context> threshold_;
  Buffer<std::int32_t, Context> tile_first_;  // [K+1] renormalise: tiles of samples before each client's
  Buffer<double, Context> tile_base_;         // [tiles] thresholds where each tile starts
};

}  // namespace splitsim
