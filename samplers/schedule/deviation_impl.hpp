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

/// sum_c |n_c / n - m_c / m| = sum_c |n_c m - m_c n| / (n m), n and m the sums of the counts: a sum of integers, at most
/// 2 n m < 2^63, so that no order of summation matters. The whole team together.
template <class Team, class Count>
PSL_HD double class_distance(Team& team, View<const std::int32_t> of, std::int64_t n, View<const Count> to,
                             std::int64_t m) {
  const std::int64_t total = team.template reduce<std::int64_t>(
      of.size(), 0,
      [&](std::int64_t c) {
        const std::int64_t difference = of[c] * m - to[c] * n;
        return difference < 0 ? -difference : difference;
      },
      Plus{});
  return static_cast<double>(total) / (static_cast<double>(n) * static_cast<double>(m));
}

struct StepDistances {
  ScheduleView schedule;
  View<const std::int32_t> label;
  View<const std::int64_t> class_total;
  std::int64_t samples;
  std::int64_t steps;
  std::int64_t teams;
  View<std::int32_t> counts;  // [teams, 2, C]: of the step, and of the one before
  View<double> deviation, drift;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const std::int64_t classes = class_total.size();
    const View<std::int32_t> now = counts.sub(2 * block * classes, classes), before = now.sub(classes, classes);
    for (std::int64_t t = block; t < steps; t += teams) {
      const std::int64_t first = schedule.step_first[t], batch = schedule.step_first[t + 1] - first;
      double to_all = 0.0, to_before = 0.0;
      if (batch > 0) {  // the same for the whole team, as is whether anything lies before it
        count_classes(team, label, schedule.sample + first, batch, now);
        to_all = class_distance<Team, std::int64_t>(team, now, batch, class_total, samples);
      }
      if (batch > 0 && first > 0) {
        std::int64_t earlier = t - 1;
        while (schedule.step_first[earlier] == first) --earlier;  // empty steps; the first one begins at 0
        const std::int64_t from = schedule.step_first[earlier], batch_before = first - from;
        count_classes(team, label, schedule.sample + from, batch_before, before);
        to_before = class_distance<Team, std::int32_t>(team, now, batch, before, batch_before);
      }
      if (team.rank() == 0) {
        deviation[t] = to_all;
        drift[t] = to_before;
      }
      team.sync();
    }
  }
};

}  // namespace detail

template <class Context>
void batch_distances(Context& ctx, const DevicePopulation<Context>& population, const ScheduleBuffer<Context>& schedule,
                     View<double> deviation, View<double> drift) {
  const Range range("batch deviation and drift");
  const std::int64_t teams = std::min(schedule.steps, detail::kDeviationTeams);
  Buffer<std::int32_t, Context> counts(ctx, 2 * teams * population.classes);
  for_each_block(ctx, teams,
                 detail::StepDistances{schedule.view(), population.label.view(), population.class_total.view(),
                                       population.samples, schedule.steps, teams, counts.view(), deviation, drift});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C) \
  template void batch_distances(C&, const DevicePopulation<C>&, const ScheduleBuffer<C>&, View<double>, View<double>);
