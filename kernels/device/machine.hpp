// What this process may use of the machine it runs on: threads and memory, whatever limits them.
#pragma once

#include <cstdint>
#include <string>

namespace splitsim {

/// Threads that work shared out by OpenMP gets when nobody says otherwise: OMP_NUM_THREADS if it is set, else the
/// processors this process may run on, at most as many as its CPU quotas pay for (cpu.max of cgroup v2, cfs_quota_us of
/// v1, of its own group and of those above; rounded up).
int default_threads();

/// Makes teams of `wanted` threads (0: default_threads()) the default of the calling thread's parallel regions and
/// gives the number that such a team really has: OpenMP's own limits (OMP_THREAD_LIMIT, OMP_MAX_ACTIVE_LEVELS, a region
/// around this one) and threads that the system refuses make it smaller. From 1 to 4096.
int claim_threads(int wanted);

/// Host memory that this process may still get, in bytes: the least of the machine's available memory, RLIMIT_AS and
/// RLIMIT_DATA less what is mapped, and for every cgroup (v2, v1) from its own up the limit less what is used and
/// cannot be reclaimed (file pages and slabs can). `root`: where /proc and /sys are, for tests.
std::uint64_t available_memory(const std::string& root = "");

/// CPUs that quotas pay for, 0 where there is no quota. `root` as above.
double cpu_quota(const std::string& root = "");

}  // namespace splitsim
