// Latent Dirichlet sampling, lds: odds from a Bayesian estimate of how much of a batch each client should supply.
//
// (paper) S labels of the pool are observed each epoch (counts n_c). The clients' shares pi of a batch have the prior
// Dirichlet(alpha), alpha_k = c r_k Z exp(delta z_k), where r_k = n_k / N, z_k is the z-scored delay, c = 1, and
//
//   Z = S (N - 1) / (N - S) - 1
//
// makes the Dirichlet variance of the shares the hypergeometric one of a draw of S. With delta > 0 slow clients are
// drawn more, so that their data are packed into few early steps. pi is the maximum of a concave objective (lds_em.hpp),
// and omega_k = pi_k / r_k. S = min(observed, N / 2).
//
// (ours) The text of lds is not public; these choices are ours:
//   prior       mean: the pseudo-counts are alpha, the maximum under Dir(alpha + 1): concave for every alpha > 0, nobody
//               gets weight 0. mode: alpha - 1, the textbook's, refused unless all alpha_k >= 1.
//   em          converged: by Newton's method (lds_newton.hpp), until the optimum's conditions hold to 1e-10 of S + sum
//               alpha, or 100 iterations. published: the paper's code's EM, stopped after 1000 iterations, which with a
//               weak prior (c < 1, many clients) is far from the maximum. Both warn at their cap, once a sampler.
//               With prior = mean, converged takes omega_k = exp(delta z_k) tilt_k, the same but for a common factor:
//               where all clients have one class mix, the urn's odds, bit for bit. mode's zeros get pseudo-counts
//               2^-30 S r_k: its maximum need not be the only one.
//   estimate    map: pi itself. draw: pi_t ~ Dir(alpha + sum_c n_c gamma_kc) anew for every step. prior: no estimate,
//               omega_k = exp(delta z_k): the urn sampler.
//   depletion   odds: every sample has odds omega_k. renormalise: Categorical(pi) over the clients that still have data
//               (keyed_thresholds.hpp).
//   reestimate  never | on_depletion: before the step after one that depleted a client | every_step. N, r, beta, Z, S
//               and the observed labels are then those of the samples that remain; mode's alpha - 1 is kept from going
//               below 0; fewer than 4 samples keep the estimate they have.
//
// One estimate per epoch: one sort, at about the cost of ugs. `draw` and reestimates: O(K) per step and more.
// Determinism: exact on every backend, for any number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "samplers/latency/profile.hpp"
#include "samplers/population/population.hpp"
#include "samplers/schedule/sampler.hpp"

namespace splitsim {

/// S: how many labels are observed of n samples.
std::int64_t lds_observed(std::int64_t samples, const SamplerSettings& settings);
/// Z.
double lds_precision(std::int64_t samples, std::int64_t observed);

/// Errors: InputError naming the key, as make_sampler().
template <class Context>
std::unique_ptr<Sampler<Context>> make_lds_sampler(Context& ctx, const Population& population,
                                                   const DevicePopulation<Context>& device_population,
                                                   const Profile& profile, const SamplerSettings& settings);

namespace detail {
struct EmStop {
  std::int32_t iterations = 0;
  double residual = 0.0;  ///< converged: of the optimum's conditions; published: largest relative change of a weight
  double wanted = 0.0;
};
/// Tells the user that an estimate ended at its cap.
void warn_unfinished(EmRule rule, const EmStop& stop);

/// [K] exp(delta z_k), after checking everything that lds needs of its settings.
std::vector<double> lds_boosts(const Population& population, const Profile& profile, const SamplerSettings& settings);
}  // namespace detail

}  // namespace splitsim
