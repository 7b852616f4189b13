#include "samplers/pack/pack.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/error.hpp"
#include "samplers/pack/ugs_expectation.hpp"

namespace splitsim {

namespace {

constexpr int kAims = 10;  // at the front, until whole steps are within a budget

// Rounded up in its last digit, so that what is named is itself feasible.
double named(double ratio) { return std::ceil(ratio * 1e4) / 1e4; }

DealingLaw fastest_law(const Front& front, const LevelStock& stock, const Chunks& chunks) {
  return rounded_law(front.least_deviation(0.0).law, stock, chunks);
}

void check_levels(const LevelStock& stock, const SamplerSettings& settings) {
  if (stock.levels() <= kMaxFrontLevels) return;
  throw InputError(fmt::format("sampler.levels = {}: delays have {} levels; allowed with a budget are 1 to {}",
                               settings.levels, stock.levels(), kMaxFrontLevels));
}

DealingLaw law_in_time(const LevelStock& stock, const Chunks& chunks, const UgsMeans& ugs, double budget) {
  const double most_ns = budget * ugs.step_ns;
  const DealingLaw balanced = balanced_law(stock, chunks);
  const double balanced_ns = law_step_ns(balanced, stock, ugs.rest_ns);
  if (balanced_ns <= most_ns) return balanced;
  const Front front(stock, ugs.rest_ns);
  const DealingLaw fastest = fastest_law(front, stock, chunks);
  const double fastest_ns = law_step_ns(fastest, stock, ugs.rest_ns);
  if (fastest_ns > most_ns) {
    throw InputError(
        fmt::format("sampler.budget_time = {}: allowed are {:.4f} (of ugs's time: the fastest schedule) and more; from "
                    "{:.4f} on no class deviates",
                    budget, named(fastest_ns / ugs.step_ns), named(balanced_ns / ugs.step_ns)));
  }
  // Whole steps take a little more than the front says, one step of the slowest level an epoch at most: aim lower.
  DealingLaw best = fastest;
  double least = law_deviation(best, stock);
  double low_ns = front.fastest_ns(), aim_ns = most_ns, high_ns = most_ns;
  for (int i = 0; i < kAims; ++i) {
    DealingLaw law = rounded_law(front.least_deviation(aim_ns).law, stock, chunks);
    const bool fits = law_step_ns(law, stock, ugs.rest_ns) <= most_ns;
    if (fits && law_deviation(law, stock) < least) {
      least = law_deviation(law, stock);
      best = std::move(law);
    }
    if (fits && i == 0) break;
    (fits ? low_ns : high_ns) = aim_ns;
    aim_ns = (low_ns + high_ns) / 2.0;
  }
  return best;
}

DealingLaw law_in_deviation(const LevelStock& stock, const Chunks& chunks, const UgsMeans& ugs, double budget) {
  const double rounding = rounding_deviation(stock.class_total, chunks);
  const double law_deviation = budget * ugs.deviation - rounding;
  if (law_deviation < 0.0) {
    throw InputError(
        fmt::format("sampler.budget_deviation = {}: allowed are {:.4f} (of ugs's deviation: what whole samples leave) "
                    "and more, or 0 for none",
                    budget, named(rounding / ugs.deviation)));
  }
  return rounded_law(Front(stock, ugs.rest_ns).least_time(law_deviation).law, stock, chunks);
}

}  // namespace

UgsMeans ugs_means(const Population& population, const Profile& profile, const Chunks& chunks) {
  const double batch = static_cast<double>(chunks.samples) / static_cast<double>(chunks.steps());
  UgsMeans ugs;
  ugs.rest_ns =
      static_cast<double>(profile.server_fixed_ns) + static_cast<double>(profile.server_per_sample_ns) * batch;
  ugs.step_ns = ugs_delay_ns(profile.delay_ns, population.sizes(), chunks) + ugs.rest_ns;
  ugs.deviation = ugs_deviation(population.class_total, chunks);
  return ugs;
}

TimeRange pack_time_range(const Population& population, const Profile& profile, const SamplerSettings& settings) {
  const Chunks chunks = make_chunks(population.samples(), settings);
  const LevelStock stock = level_stock(population, profile, settings.levels);
  check_levels(stock, settings);
  const UgsMeans ugs = ugs_means(population, profile, chunks);
  if (ugs.step_ns <= 0.0) return {1.0, 1.0};
  const auto over_ugs = [&](const DealingLaw& law) { return law_step_ns(law, stock, ugs.rest_ns) / ugs.step_ns; };
  return {over_ugs(fastest_law(Front(stock, ugs.rest_ns), stock, chunks)), over_ugs(balanced_law(stock, chunks))};
}

DealingLaw pack_law(const Population& population, const Profile& profile, const LevelStock& stock,
                    const SamplerSettings& settings) {
  const Chunks chunks = make_chunks(population.samples(), settings);
  const bool in_time = settings.budget_time > 0.0, in_deviation = settings.budget_deviation > 0.0;
  if (in_time && in_deviation) {
    throw InputError(
        fmt::format("sampler.budget_time = {} and sampler.budget_deviation = {}: allowed is one of the two",
                    settings.budget_time, settings.budget_deviation));
  }
  if (!in_time && !in_deviation) return balanced_law(stock, chunks);
  check_levels(stock, settings);
  const UgsMeans ugs = ugs_means(population, profile, chunks);
  return in_time ? law_in_time(stock, chunks, ugs, settings.budget_time)
                 : law_in_deviation(stock, chunks, ugs, settings.budget_deviation);
}

}  // namespace splitsim
