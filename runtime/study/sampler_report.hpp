// How a sampler does without learning: steps, batch deviation, active clients, virtual time, cost. What splitsim-sample
// measures and prints. Determinism: exact, but for wall times and memory.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/plan/epoch_plan.hpp"

namespace splitsim {

struct Spread {
  double mean = 0.0, p95 = 0.0, max = 0.0;
};

/// p95: the smallest value that at least 95 % of the values do not exceed. All 0 for no values.
Spread spread_of(std::vector<double> values);

/// Smallest e with P(max_c |p_hat_c - p_c| >= e) <= failure by Serfling's inequality and the union over the classes,
/// for a batch drawn from the pool without replacement: 2 C exp(-2 B e^2 / (1 - (B-1)/N)) <= failure (paper).
double serfling_bound(std::int64_t samples, std::int32_t classes, std::int64_t batch, double failure = 0.05);

/// max_c |p_hat_c - p_c| of every step: what Serfling's inequality bounds.
std::vector<double> largest_class_deviation(const Schedule& schedule, const Population& population);

/// One sampler over some epochs; spreads are over all steps of all epochs, but for waiting (over clients).
struct SamplerReport {
  std::string name;
  std::int32_t epochs = 0;
  double steps_per_epoch = 0.0;
  Spread deviation;           ///< L1, 0..2 (paper); the total variation distance is half of it
  double drift_mean = 0.0;    ///< L1 to the batch before, 0..2; over the steps that have samples, as one before has
  Spread class_deviation;     ///< max_c |p_hat_c - p_c|
  double serfling_bound = 0;  ///< of the latter, 95 %: ugs steps of B samples exceed it in at most 5 % of cases
  double active_mean = 0.0;   ///< clients per step
  std::int64_t active_min = 0, active_max = 0;
  double virtual_time_s = 0.0;  ///< of all epochs
  Spread step_s;                ///< end - start; under run_ahead steps overlap
  /// Per client: share of the time of the steps it took part in during which neither it nor the server on its behalf
  /// was at work. Over the clients that took part; absent if none did.
  std::optional<double> waiting_mean, waiting_max;
  double setup_s = 0.0;            ///< wall time of making sampler, buffers and clock
  double construction_s = 0.0;     ///< wall time of a schedule, mean over the epochs
  double samples_per_s = 0.0;      ///< samples scheduled per second of that
  std::uint64_t memory_bytes = 0;  ///< device memory of sampler, schedule and clock, without the population
  std::string schedule_sha256, timeline_sha256;  ///< over the epochs' hashes, as in summary.json
};

/// Builds `epochs` epochs with config's sampler and its seed under `timing`. on_epoch, if any, sees each; without it no
/// epoch's schedule comes to the host as a whole, nor are all its entries' times held: of an epoch of any length only
/// pieces, of about timing.mode.held_entries slots (0: 4 million). Errors: InputError of sampler and clock, OutOfMemory.
template <class Context>
SamplerReport measure_sampler(Context& ctx, const Population& population,
                              const DevicePopulation<Context>& device_population, const Timing& timing,
                              const Config& config, const std::string& name, std::int32_t epochs,
                              const std::function<void(std::int32_t, const EpochPlan&)>& on_epoch = {});

/// A header line and one row per sampler, with line ends. Numbers in the shortest form that reads back the same.
std::string to_csv(const std::vector<SamplerReport>& reports);
/// A JSON array with the CSV's names as keys.
std::string to_json(const std::vector<SamplerReport>& reports);
/// A table for people, one row per sampler.
std::string to_table(const std::vector<SamplerReport>& reports);

}  // namespace splitsim
