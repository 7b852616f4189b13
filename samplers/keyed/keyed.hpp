// The keyed family: one machine, different odds. Sample i of client k gets e_i = -ln(u_i), addressed by (seed, epoch,
// i), and the key e_i / omega_k; the pool is ordered by (key, sample id) and cut into T = ceil(N/B) steps. That is
// sequential sampling without replacement with odds omega (Wallenius' law), depletion included, in one parallel sort.
// With omega = 1 it is a uniform permutation, and every step's client counts are multivariate hypergeometric (ugs,
// paper). The odds of urn are ours. Within a step, slots are sorted by client, and one client's samples stay in key
// order.
//
// Determinism: exact on every backend, for any number of threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/device/macros.hpp"
#include "kernels/primitives/sort.hpp"
#include "samplers/keyed/keyed_thresholds.hpp"
#include "samplers/latency/profile.hpp"
#include "samplers/population/population.hpp"
#include "samplers/schedule/schedule.hpp"

namespace splitsim {

struct SamplerSettings;

/// The cut of N ordered samples into T = ceil(N/B) steps: `even`, sizes differ by at most 1, the larger ones first
/// (paper's code), or T - 1 full steps and one short one.
struct Chunks {
  std::int64_t samples = 0;  ///< N
  std::int64_t batch = 1;    ///< B
  bool even = true;

  PSL_HD std::int64_t steps() const { return (samples + batch - 1) / batch; }
  /// First sample of step t, for t in [0, T].
  PSL_HD std::int64_t first(std::int64_t t) const {
    if (even) {
      const std::int64_t size = samples / steps(), larger = samples % steps();
      return t * size + (t < larger ? t : larger);
    }
    return t * batch < samples ? t * batch : samples;
  }
  /// The step of sample i, for i in [0, N).
  PSL_HD std::int64_t step_of(std::int64_t i) const {
    if (!even) return i / batch;
    const std::int64_t size = samples / steps(), larger = samples % steps(), in_larger = larger * (size + 1);
    return i < in_larger ? i / (size + 1) : larger + (i - in_larger) / size;
  }
};
Chunks make_chunks(std::int64_t samples, const SamplerSettings& settings);
/// Bounds of a schedule of these chunks in which `clients` clients may take part.
ScheduleBounds keyed_bounds(const Chunks& chunks, std::int64_t clients);

namespace detail {
struct CutSteps {
  Chunks chunks;
  View<std::int32_t> step_first;

  PSL_HD void operator()(std::int64_t t) const { step_first[t] = static_cast<std::int32_t>(chunks.first(t)); }
};
}  // namespace detail

/// (x - mean) / standard deviation (over all, divisor n), or all 0 if every x is the same. Fixed order.
std::vector<double> z_scores(const std::vector<double>& x);

/// delta z_k for every client k, z the z-scored d_k of `settings.delay_signal`: `participation` is the profile's delay,
/// `typical_step` is delay + (B n_k / N) (forward + up + down + backward), in nanoseconds.
/// Errors: InputError if delta is not finite or some |delta z| exceeds 700.
std::vector<double> delay_log_odds(const Population& population, const Profile& profile,
                                   const SamplerSettings& settings);

/// Draws epochs of one keyed sampler.
template <class Context>
class KeyedSchedule {
 public:
  /// Without `owners`, slots stay in key order, all belong to client 0, and no client is active.
  KeyedSchedule(Context& ctx, const DevicePopulation<Context>& population, const Chunks& chunks, bool owners = true);

  ScheduleBounds bounds() const;
  /// odds: [K] on the device, positive and finite for every client that has samples; empty means 1 for all, the same
  /// bits.
  void build(View<const double> odds, std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out);
  /// The same cut of other keys: those of `thresholds` over rate_k. rates: [K] on the device, positive and finite for
  /// every client that has samples.
  void build(const ClientThresholds<Context>& thresholds, View<const double> rates, ScheduleBuffer<Context>& out);

  /// Sorting memory for N pairs, free between builds.
  PairSort<Context>& workspace() { return pairs_; }

 private:
  void sort_and_cut(ScheduleBuffer<Context>& out);

  Context* ctx_;
  const DevicePopulation<Context>* population_;
  Chunks chunks_;
  bool owners_;
  PairSort<Context> pairs_;
  ActiveLists<Context> active_lists_;
};

}  // namespace splitsim
