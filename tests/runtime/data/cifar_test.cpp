// CIFAR's binary files, whole and damaged.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
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
  EXPECT_EQ(text(set.train_images), noise(3072, 1) + noise(3072, 2) + noise(3072, 3));
  EXPECT_EQ(text(set.test_images), noise(3072, 4));
  EXPECT_EQ(set.classes, 10);
}

TEST(Cifar100, FineLabels) {
  TempDir dir;
  spill(dir / "train.bin", cifar_record("\x13\x63", 1) + cifar_record(std::string("\x01\x00", 2), 2));
  spill(dir / "test.bin", cifar_record("\x02\x07", 3));
  const Dataset set = load("cifar100", dir.path());
  EXPECT_EQ(set.train_labels, (std::vector<std::int32_t>{99, 0}));
  EXPECT_EQ(set.test_labels, (std::vector<std::int32_t>{7}));
  EXPECT_EQ(text(set.train_images), noise(3072, 1) + noise(3072, 2));
  EXPECT_EQ(set.classes, 100);
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
