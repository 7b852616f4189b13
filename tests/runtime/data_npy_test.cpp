// Data sets from NumPy files.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "runtime/data/dataset.hpp"
#include "samplers/npy.hpp"
#include "tests/runtime/data_files.hpp"

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
  EXPECT_EQ(set.train_images, (std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16}));
  EXPECT_EQ(set.test_images, (std::vector<std::uint8_t>{9, 6, 8, 5, 7, 4}));
  EXPECT_EQ(set.train_labels, (std::vector<std::int32_t>{1, 4}));
  EXPECT_EQ(set.test_labels, (std::vector<std::int32_t>{2}));

  write_npy<std::uint8_t>(dir / "x.npy", {{3, 2, 1}, {1, 2, 3, 4, 5, 6}});  // grey
  write_npy<std::int32_t>(dir / "y.npy", {{3}, {0, 1, 0}});
  write_npy<std::uint8_t>(dir / "x_test.npy", {{1, 2, 1, 1}, {7, 8}});  // the same with its channel spelt out
  const Dataset grey = load("npy", dir.path());
  EXPECT_EQ(grey.channels, 1);
  EXPECT_EQ(grey.height, 2);
  EXPECT_EQ(grey.train_images, (std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(grey.classes, 3) << "the test labels count too";
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
  expect_bad([](const TempDir& d) { write_npy<float>(d / "x.npy", {{1, 1, 1}, {1.f}}); }, "x.npy", "<f4", "uint8");
  expect_bad([](const TempDir& d) { write_npy<float>(d / "y.npy", {{2}, {1.f, 2.f}}); }, "y.npy", "'<f4'", "int64");
  expect_bad(
      [](const TempDir& d) {
        write_npy<std::int32_t>(d / "y.npy", {{3}, {0, 1, 2}});
      },
      "y.npy", "2 images", "x.npy");
  expect_bad([](const TempDir& d) { write_npy<std::int32_t>(d / "y.npy", {{2, 1}, {0, 1}}); }, "y.npy", "2 dimensions");
  expect_bad(
      [](const TempDir& d) {
        write_npy<std::int32_t>(d / "y.npy", {{2}, {0, -1}});
      },
      "y.npy", "label -1", "entry 1");
  expect_bad(
      [](const TempDir& d) {
        write_npy<std::int64_t>(d / "y.npy", {{2}, {std::int64_t{1} << 32, 0}});
      },
      "label 4294967296", "0 to 1048575");
  expect_bad(
      [](const TempDir& d) {
        write_npy<std::uint8_t>(d / "x.npy", {{12}, std::vector<std::uint8_t>(12)});
      },
      "[12]", "[N, H, W, C]");
  expect_bad(
      [](const TempDir& d) {
        write_npy<std::uint8_t>(d / "x.npy", {{2, 1, 1, 5}, std::vector<std::uint8_t>(10)});
      },
      "[2, 1, 1, 5]", "C from 1 to 4");
  expect_bad([](const TempDir& d) { write_npy<std::uint8_t>(d / "x.npy", {{0, 1, 1}, {}}); }, "[0, 1, 1]", "N >= 1");
  expect_bad(
      [](const TempDir& d) {
        write_npy<std::uint8_t>(d / "x_test.npy", {{1, 2, 1, 3}, std::vector<std::uint8_t>(6)});
      },
      "x_test.npy", "2 x 1 x 3", "1 x 2 x 3");
}

}  // namespace
}  // namespace splitsim
