// The table of what a GPU did, from records.
#include "profiling/kernel_times.hpp"

#include <gtest/gtest.h>

namespace splitsim::bench {
namespace {

TEST(KernelTimes, SumsByNameLongestFirst) {
  const ActivityTable table = summarise({{"_Z1av", 1000, 3000, 0, false},
                                         {"copy", 3000, 3500, 64, false},
                                         {"_Z1bv", 4000, 9000, 0, false},
                                         {"_Z1av", 9000, 11000, 0, false},
                                         {"copy", 11000, 11250, 36, false}});
  ASSERT_EQ(table.rows.size(), 3u);
  EXPECT_EQ(table.rows[0].name, "b");
  EXPECT_EQ(table.rows[1].name, "a");
  EXPECT_EQ(table.rows[1].launches, 2);
  EXPECT_DOUBLE_EQ(table.rows[1].total_us, 4.0);
  EXPECT_EQ(table.rows[2].bytes, 100u);
  EXPECT_EQ(table.launches, 5);
  EXPECT_DOUBLE_EQ(table.span_us, 10.25);
  EXPECT_DOUBLE_EQ(table.busy_us, 9.75);
}

TEST(KernelTimes, IdleIsWhatNothingCoversBetweenCapturedOnes) {
  // Overlapping, nested, out of order; what ran outside of graphs does not count.
  const ActivityTable table = summarise({{"a", 50000, 60000, 0, true},
                                         {"a", 10000, 20000, 0, true},
                                         {"b", 15000, 30000, 0, true},
                                         {"b", 16000, 17000, 0, true},
                                         {"b", 29000, 31000, 0, true},
                                         {"c", 0, 5000, 0, false},
                                         {"c", 30000, 50000, 0, false}});
  EXPECT_DOUBLE_EQ(table.span_us, 50.0);
  EXPECT_DOUBLE_EQ(table.busy_us, 31.0);
  EXPECT_DOUBLE_EQ(table.idle_share(), 0.38);
  EXPECT_DOUBLE_EQ(summarise({}).idle_share(), 0.0);
}

TEST(KernelTimes, NamesAreFunctorsWithoutNamespaces) {
  EXPECT_EQ(short_name("_ZN8splitsim6detail12block_kernelINS_8CudaTeamILi128EEENS0_9ChainFoldEEEvNS_6ExtentET0_"),
            "block_kernel<CudaTeam<128>, ChainFold>");
  EXPECT_EQ(short_name("sm90_xmma_fprop"), "sm90_xmma_fprop");
}

TEST(KernelTimes, TheTextIsNarrowAndComplete) {
  std::vector<DeviceActivity> activities;
  for (std::uint64_t i = 0; i < 50; ++i) {
    activities.push_back({"kernel_" + std::string(100, 'x') + std::to_string(i), i * 100, i * 100 + 50, 0, true});
  }
  const std::string text = to_text(summarise(activities), 40);
  EXPECT_NE(text.find("50 launches"), std::string::npos);
  EXPECT_NE(text.find("10 more"), std::string::npos);
  EXPECT_NE(text.find("% of it idle"), std::string::npos);
  std::size_t from = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; from = end + 1, end = text.find('\n', from)) {
    EXPECT_LE(end - from, 120u);
  }
}

}  // namespace
}  // namespace splitsim::bench
