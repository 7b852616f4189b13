// UCI HAR's text files.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "runtime/data/loaders.hpp"
#include "tests/runtime/data/data_files.hpp"

namespace splitsim {
namespace {

using namespace test;

const char* const kSignals[] = {"body_acc_x",  "body_acc_y",  "body_acc_z",  "body_gyro_x", "body_gyro_y",
                                "body_gyro_z", "total_acc_x", "total_acc_y", "total_acc_z"};

/// The reading of a made-up window: all different.
double value_of(int part, int window, int signal, int reading) {
  return part * 100000 + window * 10000 + signal * 1000 + reading;
}

void write(const std::string& path, const std::vector<std::vector<double>>& lines) {
  std::ofstream file(path);
  for (const std::vector<double>& line : lines) {
    for (const double v : line) file << fmt::format("  {:.7e}", v);
    file << '\n';
  }
}

/// Three training and two test windows.
struct Har {
  TempDir dir;
  Har() {
    for (int part = 0; part < 2; ++part) {
      const std::string name = part == 0 ? "train" : "test";
      const int count = part == 0 ? 3 : 2;
      std::filesystem::create_directories(dir / (name + "/Inertial Signals"));
      for (int s = 0; s < 9; ++s) {
        std::vector<std::vector<double>> lines(static_cast<std::size_t>(count));
        for (int w = 0; w < count; ++w) {
          for (int r = 0; r < 128; ++r) lines[static_cast<std::size_t>(w)].push_back(value_of(part, w, s, r));
        }
        write(dir / fmt::format("{}/Inertial Signals/{}_{}.txt", name, kSignals[s], name), lines);
      }
      std::vector<std::vector<double>> rows(static_cast<std::size_t>(count));
      for (int w = 0; w < count; ++w) {
        for (int d = 0; d < 561; ++d) rows[static_cast<std::size_t>(w)].push_back(value_of(part, w, 0, d));
      }
      write(dir / fmt::format("{}/X_{}.txt", name, name), rows);
      spill(dir / fmt::format("{}/y_{}.txt", name, name), part == 0 ? "6\n1\n3\n" : "2\n5\n");
      spill(dir / fmt::format("{}/subject_{}.txt", name, name), part == 0 ? "17\n5\n17\n" : "2\n2\n");
    }
  }
  Dataset load(ReadAs what) const {
    DataSettings settings;
    settings.name = "har";
    settings.dir = dir.path();
    settings.read_as = what;
    ::testing::internal::CaptureStderr();  // classes that never occur
    try {
      Dataset set = load_dataset(settings, 1);
      const std::string said = ::testing::internal::GetCapturedStderr();
      EXPECT_NE(said.find("3 training and 2 test windows, published are 7352 and 2947"), std::string::npos) << said;
      return set;
    } catch (...) {
      ::testing::internal::GetCapturedStderr();
      throw;
    }
  }
};

TEST(Har, WindowsOfNineSignals) {
  const Har files;
  const Dataset set = files.load(ReadAs::kAuto);
  EXPECT_EQ(set.kind, SampleKind::kWindows);
  EXPECT_EQ((std::vector{set.channels, set.height, set.width, set.classes}), (std::vector{9, 1, 128, 6}));
  EXPECT_EQ(set.train_labels, (std::vector{5, 0, 2}));
  EXPECT_EQ(set.test_labels, (std::vector{1, 4}));
  EXPECT_EQ(set.train_clients, (std::vector{1, 0, 1}));
  EXPECT_EQ(set.natural_clients, 2);
  const auto check = [&](const std::vector<std::uint8_t>& features, int part, int windows) {
    ASSERT_EQ(features.size(), static_cast<std::size_t>(windows) * 9 * 128 * 4);
    for (int i = 0; i < windows * 9 * 128; ++i) {
      const auto signal = static_cast<std::size_t>(i / 128 % 9);
      const double value = floats_of(features)[i] * set.std[signal] + set.mean[signal];
      ASSERT_NEAR(value, value_of(part, i / (9 * 128), i / 128 % 9, i % 128), 0.1) << i;  // of 10^5, in float
    }
  };
  check(set.train_features, 0, 3);
  check(set.test_features, 1, 2);
}

TEST(Har, RowsOfFeatures) {
  const Har files;
  const Dataset set = files.load(ReadAs::kRows);
  EXPECT_EQ(set.kind, SampleKind::kRows);
  EXPECT_EQ((std::vector{set.channels, set.height, set.width}), (std::vector{561, 1, 1}));
  EXPECT_NEAR(floats_of(set.test_features)[561 + 560] * set.std[560] + set.mean[560], value_of(1, 1, 0, 560), 0.1);
}

TEST(Har, Mistakes) {
  const auto refused = [](ReadAs what, const std::function<void(const Har&)>& damage, const auto&... parts) {
    const Har files;
    damage(files);
    expect_input_error([&] { files.load(what); }, parts...);
  };
  const auto text = [](const char* path, const std::string& content) {
    return [=](const Har& files) { spill(files.dir / path, content); };
  };
  refused(ReadAs::kTokens, [](const Har&) {}, "data.read_as = \"tokens\"", "auto, windows, rows");
  refused(ReadAs::kAuto, [](const Har& files) { std::filesystem::remove_all(files.dir / "train"); },
          "train/Inertial Signals/body_acc_x_train.txt' is missing", "archive.ics.uci.edu");
  refused(ReadAs::kRows, [](const Har& files) { std::filesystem::remove(files.dir / "test/X_test.txt"); },
          "test/X_test.txt' is missing");
  refused(ReadAs::kRows, text("train/X_train.txt", "1 2 3\n"), "X_train.txt', line 1: 3 numbers; allowed: 561");
  refused(ReadAs::kRows, text("train/X_train.txt", ""), "X_train.txt' is empty");
  refused(ReadAs::kRows, text("train/y_train.txt", "1\n2\n"), "y_train.txt' has 2 lines, the windows are 3");
  refused(ReadAs::kRows, text("train/y_train.txt", "1\n7\n2\n"), "y_train.txt', line 2: 7; allowed", "1 to 6");
  refused(ReadAs::kRows, text("train/y_train.txt", "1\n1.5\n2\n"), "line 2: 1.5");
  refused(ReadAs::kRows, text("train/y_train.txt", "1\nx\n2\n"), "line 2: column 1 is not a finite number");
  refused(ReadAs::kRows, text("train/y_train.txt", "1\n\n2\n"), "line 2: 0 numbers; allowed: 1");
  refused(ReadAs::kRows, text("train/subject_train.txt", "1\n0\n2\n"), "subject_train.txt', line 2: 0");
  refused(ReadAs::kAuto, [](const Har& files) {
    const std::string path = files.dir / "train/Inertial Signals/total_acc_y_train.txt";
    const std::string content = slurp(path);
    spill(path, content.substr(0, content.find('\n') + 1));
  }, "total_acc_y_train.txt' has 1 lines, body_acc_x has 3");
}

}  // namespace
}  // namespace splitsim
