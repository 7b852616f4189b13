// What the parts of the module share.
#pragma once

#include <nanobind/nanobind.h>

#include <optional>
#include <string>

#include "drivers/device.hpp"
#include "python/bindings/work_thread.hpp"
#include "runtime/config/config.hpp"
#include "samplers/schedule/given_schedule.hpp"

namespace splitsim::python {

/// A configuration as it was read, and the file that it came from; empty: none.
struct ReadConfig {
  Config config;
  std::string file;
};

/// Where to compute: auto, cpu or cuda; threads: of the host, 0: as many as there are. Errors: InputError.
struct Device : DeviceChoice {
  Device(std::string kind, int thread_count);
};

/// The population and its profile as a dictionary of arrays: what samplers see.
nanobind::dict dict_of(const Population& population, const Profile& profile);

/// The schedules of a sampler written in Python; nothing where `hooks` (python/splitsim/hooks.py) has none. The source
/// keeps `hooks` and `work` by reference.
std::optional<ScheduleSource> source_of(const nanobind::object& hooks, WorkThread*& work);

void bind_planner(nanobind::module_& module);
void bind_run(nanobind::module_& module);

}  // namespace splitsim::python
