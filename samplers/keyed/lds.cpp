#include "samplers/keyed/lds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/report.hpp"
#include "kernels/device/math.hpp"
#include "samplers/keyed/keyed.hpp"

namespace splitsim {

std::int64_t lds_observed(std::int64_t samples, const SamplerSettings& settings) {
  return std::min(settings.observed, samples / 2);
}

double lds_precision(std::int64_t samples, std::int64_t observed) {
  const auto n = static_cast<double>(samples), s = static_cast<double>(observed);
  return s * (n - 1.0) / (n - s) - 1.0;
}

void detail::warn_unfinished(EmRule rule, const EmStop& stop) {
  if (rule == EmRule::kConverged) {
    warn(fmt::format(
        "sampler.em = \"converged\": an estimate of lds ended at its cap of {} iterations with a residual of "
        "{:.1e}, wanted: {:.0e}",
        stop.iterations, stop.residual, stop.wanted));
  } else {
    warn(fmt::format(
        "sampler.em = \"published\": an estimate of lds ended at its cap of {} iterations, the last of which "
        "changed a share by {:.1e} of itself, wanted: {:.0e} (em = \"converged\" gets there)",
        stop.iterations, stop.residual, stop.wanted));
  }
}

std::vector<double> detail::lds_boosts(const Population& population, const Profile& profile,
                                       const SamplerSettings& settings) {
  if (population.samples() < 4) {
    throw InputError(fmt::format("sampler.kind = \"lds\": {} samples, allowed: at least 4", population.samples()));
  }
  if (settings.observed < 2) {
    throw InputError(fmt::format("sampler.observed = {}: allowed are 2 and more", settings.observed));
  }
  if (!(settings.concentration > 0.0) || !std::isfinite(settings.concentration)) {
    throw InputError(
        fmt::format("sampler.concentration = {}: allowed are finite numbers above 0", settings.concentration));
  }
  std::vector<double> boosts = delay_log_odds(population, profile, settings);
  for (double& x : boosts) x = exact_exp(x);
  if (settings.estimate == LdsEstimate::kPrior) return boosts;

  const auto samples = static_cast<double>(population.samples());
  const double precision = lds_precision(population.samples(), lds_observed(population.samples(), settings));
  double total = 0.0;
  for (std::int32_t k = 0; k < population.clients; ++k) {
    const double alpha =
        settings.concentration * (static_cast<double>(population.size(k)) / samples) * precision * boosts[k];
    total += alpha;
    if (settings.prior != PriorRule::kMode || population.size(k) == 0 || alpha >= 1.0) continue;
    throw InputError(
        fmt::format("sampler.prior = \"mode\": alpha of client {} is {}, allowed: at least 1 for every "
                    "client (or prior = \"mean\")",
                    k, alpha));
  }
  if (!std::isfinite(total)) {
    throw InputError(
        fmt::format("sampler.delta = {} with sampler.concentration = {}: the prior's weights overflow, "
                    "allowed: sums below 1.8e308",
                    settings.delta, settings.concentration));
  }
  return boosts;
}

}  // namespace splitsim
