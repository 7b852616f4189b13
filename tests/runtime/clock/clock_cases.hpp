// What the clock's tests share: schedules given as lists of (client, samples), and profiles given as numbers.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <map>
#include <utility>
#include <vector>

#include "runtime/clock/timeline.hpp"
#include "samplers/schedule/schedule.hpp"
#include "tests/contexts.hpp"

namespace splitsim::test {

/// For tests of thousands of tiny schedules: waking a team for each would cost more than all the rest.
template <class Context>
class OnOneThread : public OnContext<Context> {
 protected:
  void SetUp() override {
    omp_set_num_threads(1);
    OnContext<Context>::SetUp();
  }
  void TearDown() override { omp_set_num_threads(threads_before_); }

 private:
  int threads_before_ = omp_get_max_threads();
};

/// One step: who gives how many samples, ascending client ids. `nobody` samples belong to no client (central).
struct StepCase {
  std::vector<std::pair<std::int32_t, std::int32_t>> visits;
  std::int32_t nobody = 0;
};
using EpochCase = std::vector<StepCase>;

inline ScheduleBounds bounds_of(const std::vector<EpochCase>& epochs) {
  ScheduleBounds bounds{1, 1, 1, 1};
  for (const EpochCase& epoch : epochs) {
    std::int64_t slots = 0;
    for (const StepCase& step : epoch) {
      std::int64_t batch = step.nobody;
      for (const auto& [client, samples] : step.visits) batch += samples;
      slots += batch;
      bounds.batch = std::max(bounds.batch, batch);
      bounds.active = std::max(bounds.active, static_cast<std::int64_t>(step.visits.size()));
    }
    bounds.slots = std::max(bounds.slots, slots);
    bounds.steps = std::max(bounds.steps, static_cast<std::int64_t>(epoch.size()));
  }
  return bounds;
}

template <class Context>
void fill(ScheduleBuffer<Context>& buffer, const EpochCase& epoch) {
  std::vector<std::int32_t> sample, client, step_first{0}, active_first{0}, active_client, active_slot;
  for (const StepCase& step : epoch) {
    for (const auto& [k, samples] : step.visits) {
      active_client.push_back(k);
      active_slot.push_back(static_cast<std::int32_t>(client.size()));
      client.insert(client.end(), static_cast<std::size_t>(samples), k);
    }
    client.insert(client.end(), static_cast<std::size_t>(step.nobody), 0);
    step_first.push_back(static_cast<std::int32_t>(client.size()));
    active_first.push_back(static_cast<std::int32_t>(active_client.size()));
  }
  for (std::size_t i = 0; i < client.size(); ++i) sample.push_back(static_cast<std::int32_t>(i));
  buffer.steps = static_cast<std::int64_t>(epoch.size());
  buffer.slots = static_cast<std::int64_t>(sample.size());
  buffer.sample.upload(sample);
  buffer.client.upload(client);
  buffer.step_first.upload(step_first);
  buffer.active_first.upload(active_first);
  buffer.active_client.upload(active_client);
  buffer.active_slot.upload(active_slot);
}

/// All zero but for what a test sets.
inline Profile zero_profile(std::int32_t clients) {
  const std::vector<std::int64_t> zeros(static_cast<std::size_t>(clients), 0);
  return {zeros, zeros, zeros, zeros, zeros, zeros, zeros, 0, 0};
}

inline LatencySettings clock_settings(const std::string& barrier = "two", const std::string& model_sync = "none",
                                      const Distribution& jitter = {DistributionKind::kConstant, 1.0}) {
  LatencySettings settings;
  set_named(settings.barrier, "clock.barrier", barrier);
  set_named(settings.model_sync, "clock.model_sync", model_sync);
  settings.jitter = jitter;
  return settings;
}

/// Timelines of epochs in a row.
template <class Context>
std::vector<Timeline> timelines(Context& ctx, Clock<Context>& clock, const std::vector<EpochCase>& epochs,
                                std::uint64_t seed = 1) {
  ScheduleBuffer<Context> buffer(ctx, bounds_of(epochs));
  std::vector<Timeline> result;
  for (std::size_t e = 0; e < epochs.size(); ++e) {
    fill(buffer, epochs[e]);
    result.push_back(clock.build(buffer, seed, static_cast<std::uint32_t>(e)));
  }
  return result;
}

/// By client: waiting and whole time of each of its entries, in the order of the steps.
template <class Context>
std::map<std::int32_t, std::vector<std::pair<std::int64_t, std::int64_t>>> entry_waits(
    Context& ctx, const Profile& profile, const LatencySettings& settings, const std::vector<EpochCase>& epochs,
    const ClockMode& mode, std::uint64_t seed) {
  Clock<Context> clock(ctx, profile, settings, bounds_of(epochs), mode);
  ScheduleBuffer<Context> buffer(ctx, bounds_of(epochs));
  std::map<std::int32_t, std::vector<std::pair<std::int64_t, std::int64_t>>> waits;
  for (std::size_t e = 0; e < epochs.size(); ++e) {
    fill(buffer, epochs[e]);
    clock.build(buffer, seed, static_cast<std::uint32_t>(e));
    const Schedule schedule = download(buffer);
    const std::size_t entries = static_cast<std::size_t>(schedule.active_first.back());
    const std::vector<EntryWaiting> waiting = clock.entry_waiting(static_cast<std::int64_t>(entries));
    for (std::size_t i = 0; i < entries; ++i) {
      waits[schedule.active_client[i]].emplace_back(waiting[i].waiting_ns, waiting[i].total_ns);
    }
  }
  return waits;
}

template <class Context>
Timeline timeline_of(Context& ctx, const EpochCase& epoch, const Profile& profile, const LatencySettings& settings,
                     const ClockMode& mode = {}, std::uint64_t seed = 1) {
  Clock<Context> clock(ctx, profile, settings, bounds_of({epoch}), mode);
  return timelines(ctx, clock, {epoch}, seed)[0];
}

}  // namespace splitsim::test
