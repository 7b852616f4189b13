// What the parts of the module share.
#pragma once

#include <nanobind/nanobind.h>

#include <optional>
#include <string>

#include "kernels/device/context.hpp"
#include "kernels/device/machine.hpp"
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
struct Device {
  Device(std::string kind, int thread_count);
  std::string name;
  int threads;
};

/// Whether to use the GPU. Errors: NoDevice if the user insists on one and there is none.
bool use_cuda(const Device& device);

/// Calls f(context) with the backend that the device means, on a thread of the work.
template <class F>
void with_context(const Device& device, F f) {
  if (use_cuda(device)) {
#if SPLITSIM_WITH_CUDA
    claim_threads(device.threads);
    CudaContext ctx;
    f(ctx);
    return;
#endif
  }
  CpuContext ctx(device.threads);
  f(ctx);
}

/// The population and its profile as a dictionary of arrays: what samplers see.
nanobind::dict dict_of(const Population& population, const Profile& profile);

/// The schedules of a sampler written in Python; nothing where `hooks` (python/splitsim/hooks.py) has none. The source
/// keeps `hooks` and `work` by reference.
std::optional<ScheduleSource> source_of(const nanobind::object& hooks, WorkThread*& work);

void bind_planner(nanobind::module_& module);
void bind_run(nanobind::module_& module);

}  // namespace splitsim::python
