#pragma once

#include <algorithm>

#include "kernels/device/profile_range.hpp"
#include "samplers/schedule/deviation.hpp"

namespace splitsim {

namespace detail {

constexpr std::int64_t kDeviationTeams = 1024;  // steps in flight, each with its own row of class counts

/// Zeroes count [classes] and counts the labels of `batch` samples into it, the whole team together.
template <class Team>
PSL_HD void count_classes(Team& team, View<const std::int32_t> label, const std::int32_t* sample, std::int64_t batch,
                          View<std::int32_t> count) {
  for (std::int64_t c = team.rank(); c < count.size(); c += team.size()) count[c] = 0;
  team.sync();
  for (std::int64_t i = team.rank(); i < batch; i += team.size()) team.atomic_add(&count[label[sample[i]]], 1);
  team.sync();
}

/// sum_c |n_c / B_t - N_c / N| = sum_c |n_c N - N_c B_t| / (B_t N): a sum of integers, at most 2 B_t N < 2^63, so that
/// no order of summation matters.
struct StepDeviation {
  ScheduleView schedule;
  View<const std::int32_t> label;
  View<const std::int64_t> class_total;
  std::int64_t samples;
  std::int64_t steps;
  std::int64_t teams;
  View<std::int32_t> counts;  // [teams, C]
  View<double> deviation;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const std::int64_t classes = class_total.size();
    const View<std::int32_t> count = counts.sub(block * classes, classes);
    for (std::int64_t t = block; t < steps; t += teams) {
      const std::int64_t first = schedule.step_first[t], batch = schedule.step_first[t + 1] - first;
      count_classes(team, label, schedule.sample + first, batch, count);
      const std::int64_t total = team.template reduce<std::int64_t>(
          classes, 0,
          [&](std::int64_t c) {
            const std::int64_t difference = count[c] * samples - class_total[c] * batch;
            return difference < 0 ? -difference : difference;
          },
          Plus{});
      if (team.rank() == 0) {
        deviation[t] =
            batch == 0 ? 0.0 : static_cast<double>(total) / (static_cast<double>(batch) * static_cast<double>(samples));
      }
      team.sync();
    }
  }
};

/// sum_c |n_c / B - m_c / A| = sum_c |n_c A - m_c B| / (B A), of a step and the last one before it that has samples: a
/// sum of integers, at most 2 B A < 2^63.
struct StepDrift {
  ScheduleView schedule;
  View<const std::int32_t> label;
  std::int64_t classes;
  std::int64_t steps;
  std::int64_t teams;
  View<std::int32_t> counts;  // [teams, 2, C]: of the step, and of the one before
  View<double> drift;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const View<std::int32_t> now = counts.sub(2 * block * classes, classes), before = now.sub(classes, classes);
    for (std::int64_t t = block; t < steps; t += teams) {
      const std::int64_t first = schedule.step_first[t], batch = schedule.step_first[t + 1] - first;
      if (first == 0 || batch == 0) {  // nothing before it, or nothing in it: the same for the whole team
        if (team.rank() == 0) drift[t] = 0.0;
        continue;
      }
      std::int64_t earlier = t - 1;
      while (schedule.step_first[earlier] == first) --earlier;  // empty steps; the first one begins at 0
      const std::int64_t from = schedule.step_first[earlier], batch_before = first - from;
      count_classes(team, label, schedule.sample + first, batch, now);
      count_classes(team, label, schedule.sample + from, batch_before, before);
      const std::int64_t total = team.template reduce<std::int64_t>(
          classes, 0,
          [&](std::int64_t c) {
            const std::int64_t difference = now[c] * batch_before - before[c] * batch;
            return difference < 0 ? -difference : difference;
          },
          Plus{});
      if (team.rank() == 0) {
        drift[t] = static_cast<double>(total) / (static_cast<double>(batch) * static_cast<double>(batch_before));
      }
      team.sync();
    }
  }
};

}  // namespace detail

template <class Context>
void batch_deviation(Context& ctx, const DevicePopulation<Context>& population, const ScheduleBuffer<Context>& schedule,
                     View<double> deviation) {
  const Range range("batch deviation");
  const std::int64_t teams = std::min(schedule.steps, detail::kDeviationTeams);
  Buffer<std::int32_t, Context> counts(ctx, teams * population.classes);
  for_each_block(ctx, teams,
                 detail::StepDeviation{schedule.view(), population.label.view(), population.class_total.view(),
                                       population.samples, schedule.steps, teams, counts.view(), deviation});
}

template <class Context>
void batch_drift(Context& ctx, const DevicePopulation<Context>& population, const ScheduleBuffer<Context>& schedule,
                 View<double> drift) {
  const Range range("batch drift");
  const std::int64_t teams = std::min(schedule.steps, detail::kDeviationTeams);
  Buffer<std::int32_t, Context> counts(ctx, 2 * teams * population.classes);
  for_each_block(ctx, teams,
                 detail::StepDrift{schedule.view(), population.label.view(), population.classes, schedule.steps, teams,
                                   counts.view(), drift});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                 \
  template void batch_deviation(C&, const DevicePopulation<C>&, const ScheduleBuffer<C>&, View<double>); \
  template void batch_drift(C&, const DevicePopulation<C>&, const ScheduleBuffer<C>&, View<double>);
