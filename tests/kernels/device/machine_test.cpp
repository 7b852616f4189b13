// What a process may use: trees of control groups made by hand, and OpenMP's limits in the test's own process.
#include "kernels/device/machine.hpp"

#include <gtest/gtest.h>
#include <omp.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "kernels/device/context.hpp"
#include "kernels/primitives/gemm_cpu.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;

class Machine : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "splitsim-machine-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    put("proc/meminfo", "MemTotal:  9000 kB\nMemAvailable:  8000 kB\n");
  }
  void TearDown() override { fs::remove_all(root_); }
  void put(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::uint64_t available() const { return available_memory(root_.string()); }
  double quota() const { return cpu_quota(root_.string()); }

  fs::path root_;
};

TEST_F(Machine, WithoutGroupsTheMachineCounts) {
  EXPECT_EQ(available(), 8000u * 1024);
  EXPECT_EQ(quota(), 0.0);
}

TEST_F(Machine, EveryGroupAboveTheOwnOneCounts) {
  put("proc/self/cgroup", "0::/user/job/step\n");
  put("sys/fs/cgroup/memory.max", "max\n");
  put("sys/fs/cgroup/user/memory.max", "3000000\n");
  put("sys/fs/cgroup/user/job/memory.max", "5000000\n");
  put("sys/fs/cgroup/user/job/step/memory.max", "max\n");
  EXPECT_EQ(available(), 3000000u);
  put("sys/fs/cgroup/user/job/step/memory.max", "2000000\n");
  EXPECT_EQ(available(), 2000000u);
  put("sys/fs/cgroup/user/other/memory.max", "1000\n");  // somebody else's
  EXPECT_EQ(available(), 2000000u);
  put("sys/fs/cgroup/user/job/memory.high", "1500000\n");
  EXPECT_EQ(available(), 1500000u);
}

TEST_F(Machine, WhatIsUsedAndNotReclaimableIsGone) {
  put("proc/self/cgroup", "0::/job\n");
  put("sys/fs/cgroup/job/memory.max", "5000000\n");
  put("sys/fs/cgroup/job/memory.current", "3000000\n");
  EXPECT_EQ(available(), 2000000u);
  put("sys/fs/cgroup/job/memory.stat", "anon 1\nfile 900000\ninactive_file 500000\nactive_file 400000\n");
  EXPECT_EQ(available(), 2900000u);
  put("sys/fs/cgroup/job/memory.current", "9000000\n");  // a limit that was lowered
  EXPECT_EQ(available(), 0u);
}

TEST_F(Machine, VersionOneIsReadToo) {
  put("proc/self/cgroup", "5:cpu,cpuacct:/slurm/job\n4:memory:/slurm/job\n0::/\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put("sys/fs/cgroup/memory/slurm/memory.limit_in_bytes", "4000000\n");
  put("sys/fs/cgroup/memory/slurm/job/memory.limit_in_bytes", "6000000\n");
  put("sys/fs/cgroup/memory/slurm/memory.usage_in_bytes", "3500000\n");
  put("sys/fs/cgroup/memory/slurm/memory.stat", "inactive_file 7\ntotal_inactive_file 1000000\n");
  EXPECT_EQ(available(), 1500000u);
  put("sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_quota_us", "250000\n");
  put("sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_period_us", "100000\n");
  put("sys/fs/cgroup/cpu,cpuacct/slurm/job/cpu.cfs_quota_us", "-1\n");
  put("sys/fs/cgroup/cpu,cpuacct/slurm/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota(), 2.5);
}

TEST_F(Machine, HierarchiesMountedElsewhereAndCutOffAboveAContainer) {
  put("proc/self/cgroup", "7:memory:/docker/abc/inner\n0::/docker/abc\n");
  put("proc/self/mountinfo",
      "30 20 0:1 /docker/abc /mnt/mem rw - cgroup cgroup rw,memory\n"
      "31 20 0:2 /docker/abc /mnt/two rw master:9 shared:1 - cgroup2 cgroup2 rw\n");
  put("mnt/mem/memory.limit_in_bytes", "7000000\n");
  put("mnt/mem/inner/memory.limit_in_bytes", "6500000\n");
  EXPECT_EQ(available(), 6500000u);
  put("mnt/two/cpu.max", "50000 100000\n");
  EXPECT_EQ(quota(), 0.5);
  put("mnt/two/memory.max", "100\n");
  EXPECT_EQ(available(), 100u);
}

TEST_F(Machine, DamagedFilesAreNoLimit) {
  put("proc/self/cgroup", "nonsense\n0::\n:::\n");
  put("proc/self/mountinfo", "30\n\n31 20 0:2 / /x\n");
  put("sys/fs/cgroup/memory.max", "lots\n");
  put("sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(available(), 8000u * 1024);
  EXPECT_EQ(quota(), 0.0);
}

// What the environment of the whole test program allows (the suite is also run under OMP_THREAD_LIMIT=1 and without
// active levels).
bool limited() { return omp_get_thread_limit() < 3 || omp_get_max_active_levels() == 0; }

TEST(Threads, AreThoseThatATeamReallyHas) {
  if (limited()) {
    EXPECT_EQ(claim_threads(3), 1);
    return;
  }
  EXPECT_EQ(claim_threads(3), 3);
  EXPECT_EQ(omp_get_max_threads(), 3);
  const int levels = omp_get_max_active_levels();
  omp_set_max_active_levels(0);
  EXPECT_EQ(claim_threads(3), 1);
  EXPECT_EQ(CpuContext(3).threads(), 1);
  omp_set_max_active_levels(levels);
  int inside = 0;
#pragma omp parallel num_threads(2)
#pragma omp single
  inside = claim_threads(3);
  EXPECT_EQ(inside, levels > 1 ? 3 : 1);
  EXPECT_GE(claim_threads(0), 1);
}

// oneDNN asks OpenMP how many threads it may use: in every item the answer must be one, also where a region's team is a
// single thread and OpenMP would open another one inside.
TEST(Threads, LibraryCallsAreAlwaysOnOne) {
  CpuContext ctx(3);
  const int before = omp_get_max_threads();
  const int levels = omp_get_max_active_levels();
  for (const int active_levels : {1, 0}) {
    omp_set_max_active_levels(active_levels);
    for (const std::int64_t work : {std::int64_t{0}, 2 * kSerialWork}) {
      std::atomic<int> most{0}, items{0};
      parallel_items(ctx, 64, work, [&](std::int64_t, int) {
        ++items;
        for (int now = most; now < omp_get_max_threads() && !most.compare_exchange_weak(now, omp_get_max_threads());) {
        }
      });
      EXPECT_EQ(items, 64);
      EXPECT_EQ(most, 1) << active_levels << " levels, work " << work;
      EXPECT_EQ(omp_get_max_threads(), before);
    }
  }
  omp_set_max_active_levels(levels);
}

}  // namespace
}  // namespace splitsim
