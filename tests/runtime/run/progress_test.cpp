// The progress reporter with a clock of its own: what it shows, and how often.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <string>

#include "runtime/run/progress.hpp"

namespace splitsim {
namespace {

using std::chrono::milliseconds;

struct Rig {
  std::chrono::steady_clock::time_point now{};
  int columns = 0;
  std::ostringstream out;
  ProgressReporter make(bool live) {
    return ProgressReporter(
        out, live, [this] { return now; }, [this] { return columns; });
  }
  std::int64_t count(char c) const {
    const std::string text = out.str();
    return std::count(text.begin(), text.end(), c);
  }
};

ProgressState at(std::int64_t step) { return {1, 5, step, 157, 0.43214, 0.87655, step * 128, 157 * 128}; }

TEST(ProgressText, FieldsRateAndEta) {
  // 100 steps of 128 samples in 10 s: 1280 samples/s; 57 steps are left: 5.7 s, rounded up.
  EXPECT_EQ(progress_text(at(100), 10.0), "epoch 2/5 step 100/157 loss 0.4321 acc 0.8766 1280 samples/s ETA 0:06");
  EXPECT_EQ(progress_text(at(0), 0.0), "epoch 2/5 step 0/157 loss 0.4321 acc 0.8766 0 samples/s ETA --:--");
  EXPECT_TRUE(progress_text(at(157), 10.0).ends_with(" samples/s ETA 0:00"));
}

TEST(DurationText, Units) {
  EXPECT_EQ(duration_text(0), "0:00");
  EXPECT_EQ(duration_text(0.01), "0:01");
  EXPECT_EQ(duration_text(59.5), "1:00");
  EXPECT_EQ(duration_text(754), "12:34");
  EXPECT_EQ(duration_text(3 * 3600 + 69), "3:01:09");
  EXPECT_EQ(duration_text(2 * 86400 + 3 * 3600 + 69), "2 d 3:01:09");
  EXPECT_EQ(duration_text(-1), "--:--");
  EXPECT_EQ(duration_text(1.0 / 0.0), "--:--");
  EXPECT_EQ(duration_text(0.0 / 0.0), "--:--");
}

TEST(ProgressReporter, LiveLineRewritesItselfAtMostTenTimesASecond) {
  Rig rig;
  {
    ProgressReporter reporter = rig.make(true);
    for (int ms = 0; ms < 1000; ++ms) {  // a step each millisecond
      reporter.update(at(ms / 10));
      rig.now += milliseconds(1);
    }
    EXPECT_EQ(rig.count('\r'), 10);
    EXPECT_EQ(rig.count('\n'), 0);
    EXPECT_TRUE(rig.out.str().starts_with("\repoch 2/5 step 0/157"));
    EXPECT_TRUE(rig.out.str().ends_with("\x1b[K"));
    reporter.line("epoch 2 done");
    EXPECT_TRUE(rig.out.str().ends_with("\r\x1b[Kepoch 2 done\n")) << "the live line goes, the text stays";
    rig.now += milliseconds(100);
    reporter.update(at(101));
  }
  EXPECT_TRUE(rig.out.str().ends_with("\r\x1b[K")) << "no half line is left behind";
}

TEST(ProgressReporter, LiveLineIsCutToTheTerminal) {
  Rig rig;
  rig.columns = 21;
  ProgressReporter reporter = rig.make(true);
  reporter.update(at(100));
  EXPECT_EQ(rig.out.str(), "\repoch 2/5 step 100/1\x1b[K");
}

TEST(ProgressReporter, PlainLinesEveryTenSecondsWithoutControlCharacters) {
  Rig rig;
  {
    ProgressReporter reporter = rig.make(false);
    for (int s = 0; s < 35; ++s) {
      reporter.update(at(s));
      rig.now += milliseconds(1000);
    }
    EXPECT_EQ(rig.count('\n'), 3) << "at 10, 20 and 30 s; a short run shows none";
    reporter.line("epoch 2 done");
  }
  EXPECT_EQ(rig.count('\n'), 4);
  EXPECT_EQ(rig.count('\r'), 0);
  EXPECT_EQ(rig.count('\x1b'), 0);
  EXPECT_TRUE(rig.out.str().starts_with("epoch 2/5 step 10/157"));
}

}  // namespace
}  // namespace splitsim
