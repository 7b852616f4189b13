// The records of profiling/kernel_times.hpp, from CUPTI.
#include <dlfcn.h>

#include <cstdlib>
#include <mutex>

#include "base/error.hpp"
#include "drivers/common.hpp"
#include "profiling/kernel_times.hpp"
#include "runtime/run/experiment.hpp"

#if __has_include(<cupti.h>)
#include <cupti.h>
#endif

namespace splitsim::bench {

#if __has_include(<cupti.h>)

namespace {

/// Loaded once, never closed: its threads may still run.
class Cupti {
 public:
  Cupti() : library_(dlopen("libcupti.so.13", RTLD_NOW)) {
    if (library_ == nullptr) throw BackendError(std::string("--kernel-times: ") + dlerror());
    load(register_callbacks, "cuptiActivityRegisterCallbacks");
    load(enable, "cuptiActivityEnable");
    load(flush_all, "cuptiActivityFlushAll");
    load(next_record, "cuptiActivityGetNextRecord");
    load(result_string, "cuptiGetResultString");
  }
  void check(CUptiResult result, const char* what) const {
    if (result == CUPTI_SUCCESS) return;
    const char* text = nullptr;
    result_string(result, &text);
    throw BackendError(std::string("--kernel-times: CUPTI: ") + what + ": " + (text == nullptr ? "unknown" : text));
  }

  decltype(&cuptiActivityRegisterCallbacks) register_callbacks = nullptr;
  decltype(&cuptiActivityEnable) enable = nullptr;
  decltype(&cuptiActivityFlushAll) flush_all = nullptr;
  decltype(&cuptiActivityGetNextRecord) next_record = nullptr;
  decltype(&cuptiGetResultString) result_string = nullptr;

 private:
  template <class Function>
  void load(Function& to, const char* name) {
    to = reinterpret_cast<Function>(dlsym(library_, name));
    if (to == nullptr) throw BackendError(std::string("--kernel-times: libcupti.so.13 has no ") + name);
  }
  void* library_;
};

const Cupti& cupti() {
  static const Cupti library;
  return library;
}

// CUPTI's callbacks have no place for a pointer of ours.
std::mutex mutex;
std::vector<DeviceActivity> collected;

DeviceActivity activity_of(const CUpti_Activity* record) {
  const auto span = [](const auto& r, std::string name, std::uint64_t bytes) {
    return DeviceActivity{std::move(name), r.start, r.end, bytes, r.graphId != 0};
  };
  switch (record->kind) {
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL: {
      const auto& kernel = *reinterpret_cast<const CUpti_ActivityKernel10*>(record);
      return span(kernel, kernel.name, 0);
    }
    case CUPTI_ACTIVITY_KIND_MEMCPY: {
      const auto& copy = *reinterpret_cast<const CUpti_ActivityMemcpy6*>(record);
      return span(copy, "copy", copy.bytes);
    }
    case CUPTI_ACTIVITY_KIND_MEMSET: {
      const auto& fill = *reinterpret_cast<const CUpti_ActivityMemset4*>(record);
      return span(fill, "fill", fill.bytes);
    }
    default:
      return {};
  }
}

void CUPTIAPI buffer_requested(std::uint8_t** buffer, std::size_t* size, std::size_t* most_records) {
  *size = std::size_t{8} << 20;
  *buffer = static_cast<std::uint8_t*>(std::aligned_alloc(8, *size));
  if (*buffer == nullptr) *size = 0;
  *most_records = 0;
}

void CUPTIAPI buffer_completed(CUcontext, std::uint32_t, std::uint8_t* buffer, std::size_t, std::size_t valid) {
  const std::lock_guard lock(mutex);
  CUpti_Activity* record = nullptr;
  while (cupti().next_record(buffer, valid, &record) == CUPTI_SUCCESS) {
    DeviceActivity activity = activity_of(record);
    if (activity.end_ns > 0) collected.push_back(std::move(activity));
  }
  std::free(buffer);
}

}  // namespace

void kernel_times(CudaContext& ctx, const Config& config) {
  cupti().check(cupti().register_callbacks(buffer_requested, buffer_completed), "callbacks");
  for (const CUpti_ActivityKind kind :
       {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_MEMCPY, CUPTI_ACTIVITY_KIND_MEMSET}) {
    cupti().check(cupti().enable(kind), "activities");
  }
  Experiment<CudaContext>(ctx, config).run({});
  ctx.synchronize();
  cupti().check(cupti().flush_all(1), "flush");
  const std::lock_guard lock(mutex);
  say("{}", to_text(summarise(collected), 40));
}

#else

void kernel_times(CudaContext&, const Config&) {
  throw BackendError("--kernel-times: CUPTI's headers were not found when this was built");
}

#endif

}  // namespace splitsim::bench
