// lds, naively: the definitions in loops, one epoch at a time, remaining samples listed and sorted anew for every step.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "kernels/primitives/gamma.hpp"
#include "samplers/registry.hpp"
#include "tests/reference/sampling.hpp"

namespace splitsim::reference {

struct Mixture {
  std::vector<std::vector<double>> beta;  // [K][C] zero rows for clients without samples
  std::vector<double> start;              // [K] shares
};

inline Mixture mixture_of(const Population& population, const std::vector<bool>& taken) {
  Mixture m{{static_cast<std::size_t>(population.clients), std::vector<double>(population.classes)}, {}};
  std::vector<double> size(m.beta.size());
  double total = 0.0;
  for (std::int32_t i = 0; i < population.samples(); ++i) {
    if (taken[i]) continue;
    m.beta[population.owner[i]][population.label[i]] += 1.0;
    size[population.owner[i]] += 1.0;
    total += 1.0;
  }
  for (std::size_t k = 0; k < size.size(); ++k) {
    for (double& b : m.beta[k]) b = size[k] > 0 ? b / size[k] : 0.0;
    m.start.push_back(size[k] / total);
  }
  return m;
}

/// q_c = sum_k pi_k beta_kc.
inline std::vector<double> mix(const Mixture& m, const std::vector<double>& pi) {
  std::vector<double> q(m.beta[0].size());
  for (std::size_t k = 0; k < pi.size(); ++k) {
    for (std::size_t c = 0; c < q.size(); ++c) q[c] += pi[k] * m.beta[k][c];
  }
  return q;
}

/// sum_c n_c gamma_kc for every client.
inline std::vector<double> responsibilities(const Mixture& m, const std::vector<double>& n,
                                            const std::vector<double>& pi) {
  const std::vector<double> q = mix(m, pi);
  std::vector<double> sum(pi.size());
  for (std::size_t k = 0; k < pi.size(); ++k) {
    for (std::size_t c = 0; c < n.size(); ++c) {
      if (n[c] > 0) sum[k] += n[c] * pi[k] * m.beta[k][c] / q[c];
    }
  }
  return sum;
}

inline std::vector<double> em(const Mixture& m, const std::vector<double>& n, const std::vector<double>& prior,
                              double tolerance = 1e-5, int max_iterations = 1000) {
  std::vector<double> pi = m.start;
  for (int i = 0; i < max_iterations; ++i) {
    std::vector<double> next = responsibilities(m, n, pi);
    double total = 0.0, change = 0.0;
    for (std::size_t k = 0; k < pi.size(); ++k) total += next[k] += m.start[k] > 0 ? prior[k] : 0.0;
    for (std::size_t k = 0; k < pi.size(); ++k) {
      next[k] /= total;
      if (pi[k] > 0) change = std::max(change, std::abs(next[k] - pi[k]) / pi[k]);
    }
    pi = next;
    if (change <= tolerance) break;
  }
  return pi;
}

/// sum_c n_c ln q_c + sum_k a_k ln pi_k.
inline double objective(const Mixture& m, const std::vector<double>& n, const std::vector<double>& prior,
                        const std::vector<double>& pi) {
  const std::vector<double> q = mix(m, pi);
  double sum = 0.0;
  for (std::size_t c = 0; c < n.size(); ++c) sum += n[c] > 0 ? n[c] * std::log(q[c]) : 0.0;
  for (std::size_t k = 0; k < pi.size(); ++k) sum += m.start[k] > 0 && prior[k] > 0 ? prior[k] * std::log(pi[k]) : 0.0;
  return sum;
}

/// Counts of the classes of the `observed` remaining samples with the smallest keys.
inline std::vector<double> observed_labels(const Population& population, const std::vector<bool>& taken,
                                           std::int64_t observed, std::uint64_t seed, std::uint32_t epoch) {
  std::vector<std::pair<std::uint64_t, int>> keyed;
  for (std::int32_t i = 0; i < population.samples(); ++i) {
    if (taken[i]) continue;
    keyed.emplace_back(random_u64(seed, {Purpose::kLdsLabels, static_cast<std::uint32_t>(i), 0, epoch, 0}), i);
  }
  std::sort(keyed.begin(), keyed.end());
  std::vector<double> counts(static_cast<std::size_t>(population.classes));
  for (std::int64_t i = 0; i < observed; ++i) counts[population.label[keyed[i].second]] += 1.0;
  return counts;
}

/// When each sample leaves if its client's clock runs at rate 1 from 0: see keyed_thresholds.hpp.
inline std::vector<std::vector<double>> thresholds(const Population& population, bool odds, std::uint64_t seed,
                                                   std::uint32_t epoch) {
  std::vector<std::vector<double>> theta;
  for (const auto& order : local_orders(population, seed, epoch)) {
    auto& own = theta.emplace_back();
    double before = 0.0, sum = 0.0;
    for (std::size_t j = 0; j < order.size(); ++j) {
      const double e = exponential(seed, epoch, order[j]);
      sum += static_cast<double>(order.size() - j) * (e - before);
      before = e;
      own.push_back(odds ? e : sum);
    }
  }
  return theta;
}

/// One epoch. boost: [K] exp(delta z_k).
inline Schedule lds(const Population& population, const std::vector<double>& boost, const SamplerSettings& settings,
                    std::uint64_t seed, std::uint32_t epoch) {
  const auto clients = static_cast<std::size_t>(population.clients);
  const bool odds = settings.depletion == DepletionRule::kOdds;
  const auto orders = local_orders(population, seed, epoch);
  const auto theta = thresholds(population, odds, seed, epoch);
  std::vector<bool> taken(static_cast<std::size_t>(population.samples()), false);
  std::vector<std::size_t> head(clients, 0);
  std::vector<double> clock(clients, 0.0), rate(clients), shape(clients), share(clients);
  std::vector<std::vector<std::pair<int, int>>> steps;
  std::int64_t remaining = population.samples();
  bool depleted_one = false;
  for (const std::int64_t batch : chunk_sizes(population.samples(), settings.batch, settings.chunks == ChunkRule::kEven)) {
    const bool due =
        steps.empty() || settings.reestimate == Reestimate::kEveryStep || (settings.reestimate == Reestimate::kOnDepletion && depleted_one);
    const std::int64_t observed = std::min(settings.observed, remaining / 2);
    if (due && (settings.estimate == LdsEstimate::kPrior || observed >= 2)) {
      const Mixture m = mixture_of(population, taken);
      share = m.start;
      if (settings.estimate == LdsEstimate::kPrior) {
        for (std::size_t k = 0; k < clients; ++k) rate[k] = (odds ? 1.0 : share[k]) * boost[k];
      } else {
        const auto n = static_cast<double>(remaining), s = static_cast<double>(observed);
        std::vector<double> alpha(clients), prior(clients);
        for (std::size_t k = 0; k < clients; ++k) {
          alpha[k] = settings.concentration * share[k] * (s * (n - 1) / (n - s) - 1) * boost[k];
          prior[k] = settings.prior == PriorRule::kMode ? std::max(alpha[k] - 1.0, 0.0) : alpha[k];
        }
        const auto counts = observed_labels(population, taken, observed, seed, epoch);
        const bool converged = settings.em == EmRule::kConverged;
        const auto pi = converged ? em(m, counts, prior, 1e-13, 20000) : em(m, counts, prior);
        const auto sums = responsibilities(m, counts, pi);
        for (std::size_t k = 0; k < clients; ++k) {
          rate[k] = std::max(pi[k], 1e-280) / (odds ? share[k] : 1.0);
          shape[k] = alpha[k] + sums[k];
        }
      }
    }
    if (settings.estimate == LdsEstimate::kDraw) {
      for (std::size_t k = 0; k < clients; ++k) {
        const Address at{Purpose::kLdsDraw, static_cast<std::uint32_t>(k), static_cast<std::uint32_t>(steps.size()),
                         epoch, 0};
        rate[k] = std::exp(draw_log_gamma(shape[k], seed, at)) / (odds ? share[k] : 1.0);
      }
    }
    std::vector<std::pair<double, std::pair<int, int>>> waiting;  // time, (client, sample)
    for (std::size_t k = 0; k < clients; ++k) {
      for (std::size_t j = head[k]; j < theta[k].size(); ++j) {
        waiting.push_back({(theta[k][j] - clock[k]) / rate[k], {static_cast<int>(k), orders[k][j]}});
      }
    }
    std::stable_sort(waiting.begin(), waiting.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    waiting.resize(static_cast<std::size_t>(batch));
    std::vector<std::pair<int, int>> step;
    for (const auto& [time, who] : waiting) {
      step.push_back(who);
      taken[who.second] = true;
      head[who.first] += 1;
    }
    std::stable_sort(step.begin(), step.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    depleted_one = false;
    for (const auto& [k, sample] : step) depleted_one = depleted_one || head[k] == theta[k].size();
    for (std::size_t k = 0; k < clients; ++k) clock[k] += waiting.back().first * rate[k];
    steps.push_back(step);
    remaining -= batch;
  }
  Schedule schedule;
  finish(schedule, steps);
  return schedule;
}

}  // namespace splitsim::reference
