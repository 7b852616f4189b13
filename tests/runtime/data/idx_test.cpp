// IDX files, whole and damaged in every way.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/data/dataset.hpp"
#include "tests/runtime/data/data_files.hpp"

namespace splitsim {
namespace {

using namespace test;

const std::string kTrainPixels = noise(3 * 5 * 4, 1), kTestPixels = noise(2 * 5 * 4, 2);
const std::string kTrainLabels("\x07\x00\x09", 3), kTestLabels("\x01\x02", 2);

/// Three training and two test images of 5 x 4 pixels.
void write_small_idx(const TempDir& dir) {
  spill(dir / "train-images-idx3-ubyte", idx_images(3, 5, 4, kTrainPixels));
  spill(dir / "train-labels-idx1-ubyte", idx_labels(kTrainLabels));
  spill(dir / "t10k-images-idx3-ubyte", idx_images(2, 5, 4, kTestPixels));
  spill(dir / "t10k-labels-idx1-ubyte", idx_labels(kTestLabels));
}

void expect_small_set(const Dataset& set) {
  EXPECT_EQ(set.channels, 1);
  EXPECT_EQ(set.height, 5);
  EXPECT_EQ(set.width, 4);
  EXPECT_EQ(set.classes, 10);
  EXPECT_EQ(text(set.train_features), kTrainPixels);
  EXPECT_EQ(text(set.test_features), kTestPixels);
  EXPECT_EQ(set.train_labels, (std::vector<std::int32_t>{7, 0, 9}));
  EXPECT_EQ(set.test_labels, (std::vector<std::int32_t>{1, 2}));
}

TEST(Idx, PlainGzAndDottedNames) {
  TempDir dir;
  write_small_idx(dir);
  expect_small_set(load("mnist", dir.path()));

  TempDir zipped;
  spill(zipped / "train-images-idx3-ubyte.gz", gzip(idx_images(3, 5, 4, kTrainPixels)));
  spill(zipped / "train-labels.idx1-ubyte", idx_labels(kTrainLabels));
  spill(zipped / "t10k-images.idx3-ubyte.gz", gzip(idx_images(2, 5, 4, kTestPixels)));
  spill(zipped / "t10k-labels-idx1-ubyte.gz", gzip(idx_labels(kTestLabels)));
  expect_small_set(load("fashion_mnist", zipped.path()));
}

TEST(Idx, WarnsOfFilesThatAreNotThePublishedOnes) {
  TempDir dir;
  write_small_idx(dir);
  const std::string path = dir / "t10k-labels-idx1-ubyte.gz";
  std::filesystem::rename(dir / "t10k-labels-idx1-ubyte", dir / "away");
  spill(path, gzip(idx_labels(kTestLabels)));
  ::testing::internal::CaptureStderr();
  expect_small_set(load("fashion_mnist", dir.path()));
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("warning: '" + path + "' is not the published t10k-labels-idx1-ubyte.gz (md5 "), std::string::npos)
      << said;
  EXPECT_NE(said.find("not bb300cfdad3c16e7a12a480ee83cd310): results will not compare"), std::string::npos) << said;
}

TEST(Idx, MissingFileNamesPageAndChecksum) {
  TempDir dir;
  expect_input_error([&] { load("fashion_mnist", dir.path()); }, "data.dir", dir.path(), "'train-images-idx3-ubyte.gz'",
                     "https://github.com/zalandoresearch/fashion-mnist", "8d4fb7e6c68d591d4c3dfef9ec88bf0d");
  expect_input_error([&] { load("mnist", dir / "nowhere"); }, "no such folder", "https://github.com/cvdfoundation/mnist",
                     "f68b3c2dcbeaaa9fbdd348bbdeb94873");
  write_small_idx(dir);
  const std::vector<std::vector<std::string>> files = {
      {"train-labels-idx1-ubyte", "25c81989df183df01b3e8a0aad5dffbe", "d53e105ee54ea40749a09fcbcd1e9432"},
      {"t10k-images-idx3-ubyte", "bef4ecab320f06d8554ea6380940ec79", "9fb629c4189551a2d022fa330f9573f3"},
      {"t10k-labels-idx1-ubyte", "bb300cfdad3c16e7a12a480ee83cd310", "ec29112dd5afa0611ce80d1b7f02629c"}};
  for (const auto& file : files) {
    std::filesystem::rename(dir / file[0], dir / "away");
    expect_input_error([&] { load("fashion_mnist", dir.path()); }, file[0] + ".gz", file[1]);
    expect_input_error([&] { load("mnist", dir.path()); }, file[0] + ".gz", file[2]);
    std::filesystem::rename(dir / "away", dir / file[0]);
  }
  expect_small_set(load("mnist", dir.path()));
}

/// Puts `bytes` in the place of one of the small set's files and expects the load to fail.
template <class... Parts>
void expect_bad_idx(const std::string& file, const std::string& bytes, const Parts&... parts) {
  TempDir dir;
  write_small_idx(dir);
  spill(dir / file, bytes);
  expect_input_error([&] { load("mnist", dir.path()); }, dir / file, parts...);
}

TEST(Idx, DamagedPlainFiles) {
  const std::string images = idx_images(3, 5, 4, kTrainPixels);
  expect_bad_idx("train-images-idx3-ubyte", "", "0 bytes");
  expect_bad_idx("train-images-idx3-ubyte", images.substr(0, 15), "15 bytes", "header");
  expect_bad_idx("train-images-idx3-ubyte", images.substr(0, images.size() - 1), "59 bytes", "60");
  expect_bad_idx("train-images-idx3-ubyte", images + "x", "61 bytes", "60");
  expect_bad_idx("train-images-idx3-ubyte", big_endian(0x801) + images.substr(4), "0x00000801", "0x00000803");
  expect_bad_idx("train-images-idx3-ubyte", idx_images(0, 5, 4, ""), "0 entries");
  expect_bad_idx("train-images-idx3-ubyte", idx_images(0x80000000u, 5, 4, ""), "2147483648 entries");
  expect_bad_idx("train-images-idx3-ubyte", idx_images(3, 0, 4, ""), "0 x 4");
  expect_bad_idx("train-images-idx3-ubyte", idx_images(3, 5, 0xffffffffu, ""), "5 x 4294967295");
  expect_bad_idx("t10k-images-idx3-ubyte", idx_images(2, 4, 5, kTestPixels), "4 x 5", "5 x 4");
  expect_bad_idx("train-labels-idx1-ubyte", images, "0x00000803", "0x00000801");
  expect_bad_idx("train-labels-idx1-ubyte", idx_labels("\x01\x02"), "2 labels", "3 images", "train-images-idx3-ubyte");
  expect_bad_idx("train-labels-idx1-ubyte", idx_labels("\x01\x02\x0a"), "label 10", "entry 2", "0 to 9");
  expect_bad_idx("t10k-labels-idx1-ubyte", idx_labels(kTestLabels).substr(0, 9), "1 bytes", "2");
}

TEST(Idx, DamagedGzipFiles) {
  TempDir dir;
  write_small_idx(dir);
  std::filesystem::remove(dir / "train-images-idx3-ubyte");
  const std::string path = dir / "train-images-idx3-ubyte.gz";
  const std::string whole = gzip(idx_images(3, 5, 4, kTrainPixels));
  spill(path, whole);
  expect_small_set(load("mnist", dir.path()));
  // Cut anywhere: within the header of gzip, the data, the CRC, the length.
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    SCOPED_TRACE(fmt::format("cut to {} of {} bytes", bytes, whole.size()));
    spill(path, whole.substr(0, bytes));
    expect_input_error([&] { load("mnist", dir.path()); }, path);
  }
  // One bit flipped anywhere: never other pixels. Bits without a meaning (time stamp and system in bytes 4 to 9,
  // padding after the last block) may go unnoticed; those of the CRC and the length may not.
  for (std::size_t at = 0; at < whole.size(); ++at) {
    SCOPED_TRACE(fmt::format("flipped byte {} of {}", at, whole.size()));
    std::string bad = whole;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    spill(path, bad);
    try {
      expect_small_set(load("mnist", dir.path()));
      EXPECT_TRUE((at >= 4 && at <= 9) || at == whole.size() - 9);
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
    }
  }
  spill(path, whole.substr(0, whole.size() - 3));
  expect_input_error([&] { load("mnist", dir.path()); }, "damaged", "truncated");
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  expect_input_error([&] { load("mnist", dir.path()); }, path, "not a file");
}

}  // namespace
}  // namespace splitsim
