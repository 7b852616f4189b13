#include "kernels/device/machine.hpp"

#include <malloc.h>
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <mutex>
#include <sstream>
#include <vector>

#include "kernels/device/cgroups.hpp"

namespace splitsim {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

std::uint64_t less(std::uint64_t limit, std::uint64_t used) { return limit > used ? limit - used : 0; }

// A file with one number; "max", -1, no file and no number are no limit.
std::uint64_t number_in(const fs::path& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  if (word.empty() || word.find_first_not_of("0123456789") != std::string::npos) return kUnlimited;
  return std::strtoull(word.c_str(), nullptr, 10);
}

// Lines "name value" or "name: value unit".
std::map<std::string, std::uint64_t> numbers_in(const fs::path& path) {
  std::map<std::string, std::uint64_t> values;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string name;
    std::uint64_t value = 0;
    if (!(fields >> name >> value)) continue;
    if (name.back() == ':') name.pop_back();
    values[name] = value;
  }
  return values;
}

std::uint64_t memory_left(const fs::path& group, const char* limit_file, const char* usage_file,
                          std::initializer_list<const char*> reclaimable) {
  const std::uint64_t limit = number_in(group / limit_file);
  if (limit == kUnlimited) return kUnlimited;
  std::uint64_t used = number_in(group / usage_file);
  if (used == kUnlimited) return limit;
  const auto stat = numbers_in(group / "memory.stat");
  for (const char* name : reclaimable) {
    const auto found = stat.find(name);
    if (found != stat.end()) used = less(used, found->second);
  }
  return less(limit, used);
}

std::uint64_t limit_of(int resource, std::uint64_t used) {
  rlimit limit{};
  if (getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return kUnlimited;
  return less(limit.rlim_cur, used);
}

// What the limits of this process leave. /proc/self/statm: pages mapped, resident, shared, text, 0, data and stack.
std::uint64_t process_limits_leave() {
  std::uint64_t mapped = 0, resident = 0, shared = 0, text = 0, none = 0, data = 0;
  std::ifstream("/proc/self/statm") >> mapped >> resident >> shared >> text >> none >> data;
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return std::min(limit_of(RLIMIT_AS, mapped * page), limit_of(RLIMIT_DATA, data * page));
}

// How many of `wanted` threads the system makes beside this one. OpenMP ends the process when it cannot make one.
class Probe {
 public:
  int count(int wanted) {
    std::vector<pthread_t> threads;
    for (int i = 0; i < wanted; ++i) {
      pthread_t thread{};
      if (pthread_create(&thread, nullptr, wait, this) != 0) break;
      threads.push_back(thread);
    }
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    changed_.notify_all();
    for (const pthread_t thread : threads) pthread_join(thread, nullptr);
    return static_cast<int>(threads.size());
  }

 private:
  static void* wait(void* self) {
    auto& probe = *static_cast<Probe*>(self);
    std::unique_lock lock(probe.mutex_);
    probe.changed_.wait(lock, [&] { return probe.done_; });
    return nullptr;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
};

void share_one_heap() {
#ifdef M_ARENA_MAX
  mallopt(M_ARENA_MAX, 1);
#endif
}

int processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, omp_get_num_procs());  // more processors than a cpu_set_t has
}

}  // namespace

double cpu_quota(const std::string& root) {
  double quota = 0.0;
  const auto bound = [&quota](double cpus) {
    if (cpus > 0.0 && (quota == 0.0 || cpus < quota)) quota = cpus;
  };
  for (const fs::path& group : cgroup_folders(root, "")) {
    std::ifstream file(group / "cpu.max");  // "max 100000" or "150000 100000"
    double time = 0.0, period = 0.0;
    if (file >> time >> period && period > 0.0) bound(time / period);
  }
  for (const fs::path& group : cgroup_folders(root, "cpu")) {
    const std::uint64_t time = number_in(group / "cpu.cfs_quota_us"), period = number_in(group / "cpu.cfs_period_us");
    if (time != kUnlimited && period != kUnlimited && period > 0) {
      bound(static_cast<double>(time) / static_cast<double>(period));
    }
  }
  return quota;
}

int default_threads() {
  const char* asked = std::getenv("OMP_NUM_THREADS");
  const int first = asked == nullptr ? 0 : std::atoi(asked);  // "4,2": the outermost level
  if (first > 0) return first;
  const double quota = cpu_quota();
  const int threads = processors();
  return quota > 0.0 ? std::clamp(static_cast<int>(std::ceil(std::min(quota, 1e6))), 1, threads) : threads;
}

int claim_threads(int wanted) {
  constexpr int kMost = 4096;
  wanted = std::min(wanted > 0 ? wanted : default_threads(), kMost);
  omp_set_dynamic(0);
  wanted = std::clamp(wanted, 1, std::max(1, omp_get_thread_limit()));
  const int beside = Probe().count(wanted - 1);
  // Where the system refuses, threads use up something that others and the run itself need too: half of them, and one heap
  // for all. With a heap of its own each would set 64 MiB of addresses aside, until a library's product finds none.
  if (beside < wanted - 1) {
    wanted = 1 + beside / 2;
    share_one_heap();
  }
  omp_set_num_threads(wanted);
  int threads = 1;
#pragma omp parallel num_threads(wanted)
#pragma omp single
  threads = omp_get_num_threads();
  return threads;
}

std::uint64_t available_memory(const std::string& root) {
  std::uint64_t available = kUnlimited;
  const auto machine = numbers_in(root + "/proc/meminfo");
  if (const auto found = machine.find("MemAvailable"); found != machine.end()) {
    available = found->second * 1024;
  } else if (root.empty()) {  // a container without /proc
    available = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  }
  available = std::min(available, process_limits_leave());
  for (const fs::path& group : cgroup_folders(root, "")) {
    const auto files = {"inactive_file", "active_file", "slab_reclaimable"};
    available = std::min(available, memory_left(group, "memory.max", "memory.current", files));
    // Beyond memory.high the kernel slows a process down until it hardly moves.
    available = std::min(available, memory_left(group, "memory.high", "memory.current", files));
  }
  for (const fs::path& group : cgroup_folders(root, "memory")) {
    const auto files = {"total_inactive_file", "total_active_file"};
    available = std::min(available, memory_left(group, "memory.limit_in_bytes", "memory.usage_in_bytes", files));
  }
  return available;
}

}  // namespace splitsim
