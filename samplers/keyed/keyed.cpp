#include "samplers/keyed/keyed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "samplers/schedule/sampler.hpp"

namespace splitsim {

namespace {
constexpr double kMaxLogOdds = 700.0;  // exp(700) and a key over exp(-700) are still finite
}

Chunks make_chunks(std::int64_t samples, const SamplerSettings& settings) {
  return {samples, settings.batch, settings.chunks == ChunkRule::kEven};
}

ScheduleBounds keyed_bounds(const Chunks& chunks, std::int64_t clients) {
  return {chunks.samples, chunks.steps(), chunks.batch, std::min(chunks.batch, clients)};
}

std::vector<double> z_scores(const std::vector<double>& x) {
  std::vector<double> z(x.size(), 0.0);
  if (x.empty()) return z;
  const auto [low, high] = std::minmax_element(x.begin(), x.end());
  if (*low == *high) return z;
  const auto n = static_cast<double>(x.size());
  double sum = 0.0;
  for (const double value : x) sum += value;
  const double mean = sum / n;
  double squares = 0.0;
  for (const double value : x) squares += (value - mean) * (value - mean);
  const double deviation = std::sqrt(squares / n);
  for (std::size_t k = 0; k < x.size(); ++k) z[k] = (x[k] - mean) / deviation;
  return z;
}

std::vector<double> delay_log_odds(const Population& population, const Profile& profile,
                                   const SamplerSettings& settings) {
  if (!std::isfinite(settings.delta)) {
    throw InputError(fmt::format("sampler.delta = {}: allowed are finite numbers", settings.delta));
  }
  const bool whole_step = settings.delay_signal == DelaySignal::kTypicalStep;
  std::vector<double> delay(static_cast<std::size_t>(population.clients));
  for (std::int32_t k = 0; k < population.clients; ++k) {
    delay[k] = static_cast<double>(profile.delay_ns[k]);
    if (!whole_step) continue;
    const double batch = static_cast<double>(settings.batch) * static_cast<double>(population.size(k)) /
                         static_cast<double>(population.samples());
    delay[k] += batch * static_cast<double>(profile.forward_ns[k] + profile.up_ns[k] + profile.down_ns[k] +
                                            profile.backward_ns[k]);
  }
  std::vector<double> log_odds = z_scores(delay);
  for (double& x : log_odds) x *= settings.delta;
  for (std::size_t k = 0; k < log_odds.size(); ++k) {
    if (std::abs(log_odds[k]) <= kMaxLogOdds) continue;
    throw InputError(
        fmt::format("sampler.delta = {}: delta times the z-scored delay of client {} is {}, allowed: -{} to {}",
                    settings.delta, k, log_odds[k], kMaxLogOdds, kMaxLogOdds));
  }
  return log_odds;
}

}  // namespace splitsim
