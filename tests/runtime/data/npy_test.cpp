// Data sets from NumPy files.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "base/npy.hpp"
#include "runtime/data/dataset.hpp"
#include "tests/runtime/data/data_files.hpp"

namespace splitsim {
namespace {

using namespace test;

void write_small_npy(const TempDir& dir) {
  // Two images of 1 x 2 pixels with 3 channels: red 1 2, green 3 4, blue 5 6; the second + 10.
  write_npy<std::uint8_t>(dir / "x.npy", {{2, 1, 2, 3}, {1, 3, 5, 2, 4, 6, 11, 13, 15, 12, 14, 16}});
  write_npy<std::int64_t>(dir / "y.npy", {{2}, {1, 4}});
  write_npy<std::uint8_t>(dir / "x_test.npy", {{1, 1, 2, 3}, {9, 8, 7, 6, 5, 4}});
  write_npy<std::uint8_t>(dir / "y_test.npy", {{1}, {2}});
}

TEST(Npy, ChannelsFirstAndAnyIntegerLabels) {
  TempDir dir;
  write_small_npy(dir);
  const Dataset set = load("npy", dir.path());
  EXPECT_EQ(set.channels, 3);
  EXPECT_EQ(set.height, 1);
  EXPECT_EQ(set.width, 2);
  EXPECT_EQ(set.classes, 5);
  EXPECT_EQ(set.train_features, (std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16}));
  EXPECT_EQ(set.test_features, (std::vector<std::uint8_t>{9, 6, 8, 5, 7, 4}));
  EXPECT_EQ(set.train_labels, (std::vector<std::int32_t>{1, 4}));
  EXPECT_EQ(set.test_labels, (std::vector<std::int32_t>{2}));

  write_npy<std::uint8_t>(dir / "x.npy", {{3, 2, 1}, {1, 2, 3, 4, 5, 6}});  // grey
  write_npy<std::int32_t>(dir / "y.npy", {{3}, {0, 1, 0}});
  write_npy<std::uint8_t>(dir / "x_test.npy", {{1, 2, 1, 1}, {7, 8}});  // the same with its channel spelt out
  const Dataset grey = load("npy", dir.path());
  EXPECT_EQ(grey.channels, 1);
  EXPECT_EQ(grey.height, 2);
  EXPECT_EQ(grey.train_features, (std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(grey.classes, 3) << "the test labels count too";
}

TEST(Npy, ImagesOfAnyTypeAndOrder) {
  TempDir dir;
  write_small_npy(dir);
  const Dataset right = load("npy", dir.path());
  const auto expect_right = [&](const char* what) {
    const Dataset set = load("npy", dir.path());
    EXPECT_EQ(set.features_sha256(), right.features_sha256()) << what;
    EXPECT_EQ(set.labels_sha256(), right.labels_sha256()) << what;
  };
  write_npy<std::int64_t>(dir / "x.npy", {{2, 1, 2, 3}, {1, 3, 5, 2, 4, 6, 11, 13, 15, 12, 14, 16}});
  expect_right("int64");
  write_npy<float>(dir / "x.npy", {{2, 1, 2, 3}, {1, 3, 5, 2, 4, 6, 11, 13, 15, 12, 14, 16}});
  expect_right("whole float32");
  std::vector<double> scaled{1, 3, 5, 2, 4, 6, 11, 13, 15, 12, 14, 16};
  for (double& value : scaled) value /= 255.0;
  write_npy<double>(dir / "x.npy", {{2, 1, 2, 3}, scaled});
  expect_right("float64 in [0, 1]");
  write_npy<float>(dir / "x.npy", {{2, 1, 2, 3}, {scaled.begin(), scaled.end()}});
  expect_right("float32 in [0, 1]");
  std::string fortran("\x93NUMPY\x01\x00\x00\x00", 10);
  const std::string header = "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 1, 2, 3)}";
  fortran[8] = static_cast<char>(header.size());
  spill(dir / "x.npy", fortran + header + std::string("\x01\x0b\x02\x0c\x03\x0d\x04\x0e\x05\x0f\x06\x10"));
  expect_right("Fortran order");
  write_npy<std::uint8_t>(dir / "x.npy", {{2, 1, 2, 3}, {1, 3, 5, 2, 4, 6, 11, 13, 15, 12, 14, 16}});
  write_npy<std::int32_t>(dir / "y.npy", {{2, 1}, {1, 4}});
  expect_right("a column of labels");
  spill(dir / "y.npy", std::string("\x93NUMPY\x01\x00\x38\x00{'descr':'>i2','fortran_order':False,'shape':(2,)}     \n"
                                   "\x00\x01\x00\x04",
                                   70));
  expect_right("big-endian int16 labels");
}

TEST(Npy, ChannelsFirstWhereNothingElseFits) {
  TempDir dir;
  write_small_npy(dir);
  std::vector<std::uint8_t> pixels(2 * 3 * 2 * 5);
  std::iota(pixels.begin(), pixels.end(), std::uint8_t{1});
  write_npy<std::uint8_t>(dir / "x.npy", {{2, 3, 2, 5}, pixels});
  write_npy<std::uint8_t>(dir / "x_test.npy", {{1, 3, 2, 5}, std::vector<std::uint8_t>(30, 7)});
  const Dataset set = load("npy", dir.path());
  EXPECT_EQ(set.channels, 3);
  EXPECT_EQ(set.height, 2);
  EXPECT_EQ(set.width, 5);
  EXPECT_EQ(set.train_features, pixels);
}

TEST(Npy, RealPixelsAreOneThingOrTheOther) {
  TempDir dir;
  const auto write = [&](const char* name, const std::vector<double>& pixels) {
    write_npy<double>(dir / name, {{1, 1, 2}, pixels});
  };
  write_npy<std::uint8_t>(dir / "y.npy", {{1}, {0}});
  write_npy<std::uint8_t>(dir / "y_test.npy", {{1}, {0}});
  const auto pixels = [&](const std::vector<double>& train, const std::vector<double>& test) {
    write("x.npy", train);
    write("x_test.npy", test);
    const Dataset set = load("npy", dir.path());
    return std::pair{set.train_features, set.test_features};
  };
  using Bytes = std::vector<std::uint8_t>;
  EXPECT_EQ(pixels({0.0, 1.0}, {0.5, 0.25}), (std::pair{Bytes{0, 255}, Bytes{128, 64}}));
  EXPECT_EQ(pixels({0.0, 255.0}, {1.0, 0.0}), (std::pair{Bytes{0, 255}, Bytes{1, 0}})) << "the training images decide";
  const auto refused = [&](const std::vector<double>& train, const std::vector<double>& test, const auto&... parts) {
    expect_input_error([&] { pixels(train, test); }, parts...);
  };
  const std::string x = dir / "x.npy", x_test = dir / "x_test.npy";
  refused({-1.0, 0.5}, {0.0, 0.0}, x, "entry 0 is -1", "all from 0 to 1", "whole numbers from 0 to 255");
  refused({0.5, 2.0}, {0.0, 0.0}, x, "entry 1 is 2 and entry 0 is 0.5");
  refused({3.0, 256.0}, {0.0, 0.0}, x, "entry 0 is 3 and entry 1 is 256");
  refused({std::nan(""), 0.0}, {0.0, 0.0}, x, "entry 0 is nan");
  refused({0.0, HUGE_VAL}, {0.0, 0.0}, x, "entry 1 is inf");
  refused({0.0, 0.5}, {0.0, 2.0}, x_test, "entry 1 is 2", "0 to 1, as in the training images");
  refused({0.0, 2.0}, {0.5, 0.0}, x_test, "entry 0 is 0.5", "whole numbers from 0 to 255, as in the training");
  refused({0.0, 2.0}, {0.0, std::nan("")}, x_test, "entry 1 is nan");
}

TEST(Npy, WarnsOfClassesThatNeverOccur) {
  TempDir dir;
  write_small_npy(dir);
  const auto said = [&](const std::vector<std::int32_t>& labels) {
    write_npy<std::int32_t>(dir / "y.npy", {{2}, labels});
    ::testing::internal::CaptureStderr();
    load("npy", dir.path());
    return ::testing::internal::GetCapturedStderr();
  };
  const std::string where = "warning: data.dir = '" + dir.path() + "': ";
  write_npy<std::uint8_t>(dir / "y_test.npy", {{1}, {2}});
  EXPECT_NE(
      said({1, 2}).find(where + "1 of 3 classes never occurs in the training labels: class 0 (labels count from 0; "
                                "do these count from 1?)\n"),
      std::string::npos);
  EXPECT_NE(said({0, 0}).find(where + "2 of 3 classes never occur in the training labels: the first is class 1\n"),
            std::string::npos);
  write_npy<std::uint8_t>(dir / "y_test.npy", {{1}, {1}});
  EXPECT_EQ(said({1, 0}), "");
}

TEST(Npy, BadFiles) {
  for (const char* name : {"x.npy", "y.npy", "x_test.npy", "y_test.npy"}) {
    TempDir dir;
    write_small_npy(dir);
    std::filesystem::remove(dir / name);
    expect_input_error([&] { load("npy", dir.path()); }, fmt::format("'{}' is missing", name),
                       "needs x.npy, y.npy, x_test");
    spill(dir / name, "nonsense");
    expect_input_error([&] { load("npy", dir.path()); }, dir / name);
  }
  const auto expect_bad = [](const std::function<void(const TempDir&)>& damage, const auto&... parts) {
    TempDir dir;
    write_small_npy(dir);
    damage(dir);
    expect_input_error([&] { load("npy", dir.path()); }, parts...);
  };
  expect_bad([](const TempDir& d) { write_npy<float>(d / "y.npy", {{2}, {1.f, 2.f}}); }, "y.npy", "'<f4'", "integers");
  expect_bad(
      [](const TempDir& d) {
        write_npy<std::int32_t>(d / "x.npy", {{2, 1, 2, 3}, {1, 3, 5, 2, 4, 6, 11, 13, 256, 12, 14, 16}});
      },
      "x.npy", "entry 8 is 256", "0 to 255");
  expect_bad(
      [](const TempDir& d) {
        write_npy<std::int32_t>(d / "y.npy", {{3}, {0, 1, 2}});
      },
      "y.npy", "2 samples", "x.npy");
  expect_bad(
      [](const TempDir& d) {
        write_npy<std::int32_t>(d / "y.npy", {{1, 2}, {0, 1}});
      },
      "y.npy", "(1, 2)", "(2,) or (2, 1)");
  expect_bad([](const TempDir& d) { write_npy<std::int32_t>(d / "y.npy", {{2, 3}, {0, 1, 0, 1, 0, 0}}); }, "(2, 3)");
  expect_bad(
      [](const TempDir& d) {
        write_npy<std::int32_t>(d / "y.npy", {{2}, {0, -1}});
      },
      "y.npy", "entry 1 is -1", "labels");
  expect_bad(
      [](const TempDir& d) {
        write_npy<std::int64_t>(d / "y.npy", {{2}, {std::int64_t{1} << 32, 0}});
      },
      "entry 0 is 4294967296", "0 to 1048575");
  expect_bad(
      [](const TempDir& d) {
        write_npy<std::uint8_t>(d / "x.npy", {{12}, std::vector<std::uint8_t>(12)});
      },
      "(12,)", "[N, H, W, C]");
  expect_bad(
      [](const TempDir& d) {
        write_npy<std::uint8_t>(d / "x.npy", {{2, 5, 1, 5}, std::vector<std::uint8_t>(50)});
      },
      "(2, 5, 1, 5)", "C from 1 to 4");
  expect_bad([](const TempDir& d) { write_npy<std::uint8_t>(d / "x.npy", {{0, 1, 1}, {}}); }, "(0, 1, 1)", "N >= 1");
  expect_bad(
      [](const TempDir& d) {
        write_npy<std::uint8_t>(d / "x_test.npy", {{1, 2, 1, 3}, std::vector<std::uint8_t>(6)});
      },
      "x_test.npy", "2 x 1 x 3", "1 x 2 x 3");
}

}  // namespace
}  // namespace splitsim
