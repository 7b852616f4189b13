// CIFAR's binary files, whole and damaged.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "runtime/data/dataset.hpp"
#include "tests/runtime/data/data_files.hpp"

namespace splitsim {
namespace {

using namespace test;

std::string cifar_record(const std::string& labels, std::uint32_t state) { return labels + noise(3072, state); }

TEST(Cifar10, AnyTrainingBatchesInOrder) {
  TempDir dir;
  spill(dir / "data_batch_2.bin", cifar_record("\x03", 1) + cifar_record("\x09", 2));
  spill(dir / "data_batch_5.bin", cifar_record(std::string(1, '\0'), 3));
  spill(dir / "test_batch.bin", cifar_record("\x01", 4));
  const Dataset set = load("cifar10", dir.path());
  EXPECT_EQ(set.train_labels, (std::vector<std::int32_t>{3, 9, 0}));
  EXPECT_EQ(set.test_labels, (std::vector<std::int32_t>{1}));
  EXPECT_EQ(text(set.train_features), noise(3072, 1) + noise(3072, 2) + noise(3072, 3));
  EXPECT_EQ(text(set.test_features), noise(3072, 4));
  EXPECT_EQ(set.classes, 10);
}

TEST(Cifar100, FineLabels) {
  TempDir dir;
  spill(dir / "train.bin", cifar_record("\x13\x63", 1) + cifar_record(std::string("\x01\x00", 2), 2));
  spill(dir / "test.bin", cifar_record("\x02\x07", 3));
  const Dataset set = load("cifar100", dir.path());
  EXPECT_EQ(set.train_labels, (std::vector<std::int32_t>{99, 0}));
  EXPECT_EQ(set.test_labels, (std::vector<std::int32_t>{7}));
  EXPECT_EQ(text(set.train_features), noise(3072, 1) + noise(3072, 2));
  EXPECT_EQ(set.classes, 100);
}

TEST(Cifar, APartOfTheSetIsSaid) {
  const auto said_of = [](const std::string& name, const std::string& dir) {
    ::testing::internal::CaptureStderr();
    load(name, dir);
    return ::testing::internal::GetCapturedStderr();
  };
  const auto records = [](int count, std::size_t label_bytes) {
    std::string bytes;
    for (int i = 0; i < count; ++i)
      bytes += std::string(label_bytes, static_cast<char>(i % 10)) + std::string(3072, 'x');
    return bytes;
  };
  const auto batch = [](int i) { return fmt::format("data_batch_{}.bin", i); };
  const std::string end = ": results will not compare with those on the published data\n";
  TempDir dir;
  spill(dir / "whole", records(10000, 1));
  std::filesystem::create_symlink("whole", dir / "test_batch.bin");
  for (const int i : {1, 2, 4}) spill(dir / batch(i), records(10 * i, 1));
  EXPECT_EQ(said_of("cifar10", dir.path()),
            fmt::format("splitsim: warning: data.dir = '{}': a part of CIFAR-10: 70 training and 10000 test images, "
                        "published are 50000 and 10000 (without data_batch_3.bin, data_batch_5.bin){}",
                        dir.path(), end));
  for (int i = 1; i <= 5; ++i) {
    std::filesystem::remove(dir / batch(i));
    std::filesystem::create_symlink("whole", dir / batch(i));
  }
  EXPECT_EQ(said_of("cifar10", dir.path()), "");
  for (const auto& [count, said] :
       {std::pair{9999, "a part of CIFAR-10: 49999"}, {10010, "not the published CIFAR-10: 50010"}}) {
    std::filesystem::remove(dir / batch(5));
    spill(dir / batch(5), records(count, 1));
    EXPECT_EQ(said_of("cifar10", dir.path()),
              fmt::format("splitsim: warning: data.dir = '{}': {} training and 10000 test images, published are 50000 "
                          "and 10000{}",
                          dir.path(), said, end));
  }
  TempDir hundred;
  spill(hundred / "train.bin", records(100, 2));
  spill(hundred / "test.bin", records(30, 2));
  EXPECT_NE(said_of("cifar100", hundred.path()).find("a part of CIFAR-100: 100 training and 30 test images"),
            std::string::npos);
}

TEST(Cifar, BadFiles) {
  TempDir dir;
  const auto load10 = [&] { load("cifar10", dir.path()); };
  const auto load100 = [&] { load("cifar100", dir.path()); };
  const std::string page = "https://www.cs.toronto.edu/~kriz/cifar.html";
  expect_input_error(load10, "'data_batch_1.bin'", page, "c32a1d4ab5d03f1284b67883e8d87530");
  expect_input_error(load100, "'train.bin'", page, "03b5dce01913d631647c71ecec9e9cb8");
  spill(dir / "data_batch_1.bin", cifar_record("\x01", 1));
  spill(dir / "train.bin", cifar_record("\x01\x01", 1));
  expect_input_error(load10, "'test_batch.bin'", page);
  expect_input_error(load100, "'test.bin'", page);
  spill(dir / "test_batch.bin", cifar_record("\x01", 1).substr(1));
  spill(dir / "test.bin", "");
  expect_input_error(load10, dir / "test_batch.bin", "3072 bytes", "3073");
  expect_input_error(load100, dir / "test.bin", "0 bytes", "3074");
  spill(dir / "test_batch.bin", cifar_record("\x01", 1) + cifar_record("\x0a", 1));
  spill(dir / "test.bin", cifar_record("\x01\x64", 1));
  expect_input_error(load10, dir / "test_batch.bin", "label 10", "record 1", "0 to 9");
  expect_input_error(load100, dir / "test.bin", "label 100", "record 0", "0 to 99");
  spill(dir / "test.bin", cifar_record("\x14\x63", 1));
  expect_input_error(load100, dir / "test.bin", "coarse label 20", "0 to 19");
}

}  // namespace
}  // namespace splitsim
