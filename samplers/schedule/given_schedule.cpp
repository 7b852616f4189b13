#include "samplers/schedule/given_schedule.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "samplers/schedule/schedule_file.hpp"

namespace splitsim {

std::string given_name(std::uint32_t epoch) { return fmt::format("sampler, epoch {}", epoch); }

Schedule given_schedule(const ScheduleSource& source, std::uint32_t epoch, const Population& population,
                        const Profile& profile) {
  const std::string name = given_name(epoch);
  Schedule schedule = schedule_of_rows(name, source.rows(epoch, population, profile));
  check_schedule_file(name, schedule, population);
  if (schedule.nobody_active()) {
    throw InputError(name + ": row 0: client -1: no client takes part; train.mode = \"central\" trains without them");
  }
  return schedule;
}

ScheduleBounds given_bounds(const ScheduleSource& source, const Population& population, const Profile& profile) {
  const Schedule first = given_schedule(source, 0, population, profile);
  ScheduleBounds bounds = bounds_of(first);
  if (source.most_steps > 0) bounds.steps = source.most_steps;
  if (source.most_batch > 0) bounds.batch = source.most_batch;
  const std::vector<std::int64_t> sizes = population.sizes();
  const auto clients = std::count_if(sizes.begin(), sizes.end(), [](std::int64_t size) { return size > 0; });
  bounds.active = std::min<std::int64_t>(clients, bounds.batch);
  check_given_bounds(first, 0, bounds);
  return bounds;
}

void check_given_bounds(const Schedule& schedule, std::uint32_t epoch, const ScheduleBounds& bounds) {
  const ScheduleBounds need = bounds_of(schedule);
  const auto refuse = [epoch](const char* what, std::int64_t is, const char* allowed, std::int64_t most,
                              const char* why) {
    throw InputError(fmt::format("{}: {} {}; allowed: {}{}{}", given_name(epoch), is, what, allowed, most, why));
  };
  if (need.slots != bounds.slots) refuse("rows", need.slots, "", bounds.slots, ", as in epoch 0");
  if (need.steps > bounds.steps) {
    refuse("steps", need.steps, "at most ", bounds.steps, ", the sampler's max_steps (unless set: those of epoch 0)");
  }
  if (need.batch > bounds.batch) {
    refuse("samples in a step", need.batch, "at most ", bounds.batch,
           ", the sampler's max_batch (unless set: those of epoch 0's largest step)");
  }
}

}  // namespace splitsim
