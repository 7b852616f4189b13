// The epochs' schedules and timelines, which do not depend on learning. Determinism: exact.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/device/buffer.hpp"
#include "kernels/device/context.hpp"
#include "runtime/plan/scene.hpp"
#include "samplers/registry.hpp"
#include "samplers/schedule/absences.hpp"

namespace splitsim {

/// One epoch before learning.
struct EpochPlan {
  Schedule schedule;  ///< as it is trained
  Timeline timeline;
  Losses losses;                                 ///< what it has lost against the sampler's
  std::vector<double> deviation;                 ///< [T] batch deviation, L1
  std::vector<double> drift;                     ///< [T] batch drift, L1
  std::vector<EntryWaiting> waiting;             ///< [active entries] if asked for
  double construction_s = 0.0;                   ///< wall time of the sampler alone
  std::string schedule_sha256, timeline_sha256;  ///< of a run's epochs
  ClockState clock;                              ///< of a run's epochs: where the clock is behind this one
};

/// Sampler, clock and the epoch that they are at, on a device.
template <class Context>
class EpochPlanner {
 public:
  /// Of config count [sampler], [clients], train.round and the sampler's seed. The sampler sees the profile `seen`; the
  /// clock runs under `timing`, which is another one where a run is timed anew. given: as make_sampler()'s. All must
  /// outlive the planner. Errors: InputError of sampler and clock.
  EpochPlanner(Context& ctx, const Population& population, const DevicePopulation<Context>& device_population,
               const Config& config, const Profile& seen, const Timing& timing, const ScheduleSource* given = nullptr);

  const ScheduleBounds& bounds() const { return bounds_; }
  static std::uint64_t bytes(const ScheduleBounds& bounds) { return ScheduleBuffer<Context>::bytes(bounds); }

  /// Allocates the schedule.
  void start();
  /// Where every epoch's schedule will be.
  ScheduleView schedule() const { return schedule_->view(); }
  /// Makes the schedule of an epoch and its timeline, which goes on where the clock was; with `waiting` also how long each
  /// active client waited. Synchronises.
  EpochPlan plan(std::uint32_t epoch, bool waiting = false);
  /// The same, but of the schedule only step_first and active_first come to the host: schedule() has the rest. An epoch
  /// that somebody misses has it all.
  EpochPlan outline(std::uint32_t epoch);

  Clock<Context>& clock() { return clock_; }
  const Clock<Context>& clock() const { return clock_; }

 private:
  /// Puts what is left of the sampler's schedule in its place. Gives when each step's server begins at the earliest;
  /// empty: once everybody has arrived.
  std::vector<std::int64_t> transform(std::uint32_t epoch, bool whole, EpochPlan& plan);
  EpochPlan plan(std::uint32_t epoch, bool waiting, bool whole);

  Context& ctx_;
  const DevicePopulation<Context>& population_;
  std::uint64_t sampler_seed_, clock_seed_;
  std::unique_ptr<Sampler<Context>> sampler_;
  ScheduleBounds bounds_;
  Clock<Context> clock_;
  LatencySettings latency_;
  std::optional<Presence> presence_;  // where not everybody is always there
  OnAbsence on_absence_;
  std::unique_ptr<ScheduleBuffer<Context>> schedule_;
  Buffer<double, Context> deviation_, drift_;
};

}  // namespace splitsim
