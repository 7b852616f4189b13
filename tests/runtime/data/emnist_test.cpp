// EMNIST's IDX files: which files a split is, its classes, and that its images come out upright.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/config/config.hpp"
#include "runtime/data/dataset.hpp"
#include "tests/runtime/data/data_files.hpp"

namespace splitsim {
namespace {

using namespace test;

constexpr const char* kPage = "https://www.nist.gov/itl/products-and-services/emnist-dataset";

// Two upright images, 3 rows of 2, and one for the test; in the files they lie: 2 rows of 3.
const std::string kTrainUpright = "abcdefABCDEF", kTrainLying = "acebdfACEBDF";
const std::string kTestUpright = "uvwxyz", kTestLying = "uwyvxz";

Dataset load_split(const std::string& split, const std::string& dir) {
  DataSettings settings;
  settings.name = "emnist";
  settings.split = split;
  settings.dir = dir;
  return load_dataset(settings, 1);
}

std::string name_of(const std::string& split, const std::string& part) {
  return fmt::format("emnist-{}-{}-ubyte", split, part);
}

/// The four files of a split, plain or .gz.
void write_split(const std::string& folder, const std::string& split, const std::string& train_labels,
                 const std::string& test_labels, bool zipped) {
  const auto write = [&](const std::string& part, const std::string& bytes) {
    spill(folder + "/" + name_of(split, part) + (zipped ? ".gz" : ""), zipped ? gzip(bytes) : bytes);
  };
  write("train-images-idx3", idx_images(2, 2, 3, kTrainLying));
  write("train-labels-idx1", idx_labels(train_labels));
  write("test-images-idx3", idx_images(1, 2, 3, kTestLying));
  write("test-labels-idx1", idx_labels(test_labels));
}

void expect_upright(const Dataset& set) {
  EXPECT_EQ(set.name, "emnist");
  EXPECT_EQ(set.channels, 1);
  EXPECT_EQ(set.height, 3);
  EXPECT_EQ(set.width, 2);
  EXPECT_EQ(text(set.train_features), kTrainUpright);
  EXPECT_EQ(text(set.test_features), kTestUpright);
}

TEST(Emnist, EverySplitHasItsFilesAndClasses) {
  TempDir dir;
  struct Split {
    const char* name;
    std::int32_t classes;
    std::uint8_t first, last;  // labels in the files
  };
  const std::vector<Split> splits = {{"balanced", 47, 0, 46}, {"byclass", 62, 0, 61}, {"bymerge", 47, 0, 46},
                                     {"digits", 10, 0, 9},    {"letters", 26, 1, 26}, {"mnist", 10, 0, 9}};
  ASSERT_EQ(emnist_splits().size(), splits.size());
  bool zipped = false;
  for (const Split& split : splits) {
    SCOPED_TRACE(split.name);
    const std::string labels = {static_cast<char>(split.last), static_cast<char>(split.first)};
    write_split(dir.path(), split.name, labels, labels.substr(0, 1), zipped);
    const Dataset set = load_split(split.name, dir.path());
    expect_upright(set);
    EXPECT_EQ(set.classes, split.classes);
    EXPECT_EQ(set.train_labels, (std::vector<std::int32_t>{split.classes - 1, 0}));
    EXPECT_EQ(set.test_labels, (std::vector<std::int32_t>{split.classes - 1}));

    const std::string train = dir / name_of(split.name, "train-labels-idx1");
    const auto bad = [&](int label) {
      spill(train, idx_labels({static_cast<char>(split.last), static_cast<char>(label)}));  // plain comes before .gz
      expect_input_error([&] { load_split(split.name, dir.path()); },
                         fmt::format("'{}': label {} of entry 1 is out of range; allowed: {} to {}", train, label,
                                     split.first, split.last));
    };
    bad(split.last + 1);
    bad(255);
    if (split.first > 0) bad(0);
    zipped = !zipped;
  }
}

TEST(Emnist, TheArchivesFolderAndTheOneAroundIt) {
  TempDir dir;
  std::filesystem::create_directory(dir / "gzip");
  write_split(dir / "gzip", "letters", "\x01\x1a", "\x02", true);
  expect_upright(load_split("letters", dir / "gzip"));
  expect_upright(load_split("letters", dir.path()));
  // Dots before "idx", as some programs unpack them.
  std::filesystem::rename(dir / "gzip/emnist-letters-test-labels-idx1-ubyte.gz",
                          dir / "gzip/emnist-letters-test-labels.idx1-ubyte.gz");
  expect_upright(load_split("letters", dir.path()));
  // Another split's files are not these.
  expect_input_error([&] { load_split("balanced", dir.path()); },
                     "'emnist-balanced-train-images-idx3-ubyte.gz' is missing");
}

TEST(Emnist, MissingFilesNameThePage) {
  TempDir dir;
  expect_input_error([&] { load_split("digits", dir / "nowhere"); }, "no such folder",
                     "'emnist-digits-train-images-idx3-ubyte.gz'", kPage);
  write_split(dir.path(), "digits", std::string("\x00\x01", 2), "\x02", false);
  for (const char* part : {"train-images-idx3", "train-labels-idx1", "test-images-idx3", "test-labels-idx1"}) {
    const std::string name = name_of("digits", part);
    std::filesystem::rename(dir / name, dir / "away");
    expect_input_error(
        [&] { load_split("digits", dir.path()); },
        fmt::format("data.dir = '{}': '{}.gz' is missing; get it from {} (archive gzip.zip", dir.path(), name, kPage));
    std::filesystem::rename(dir / "away", dir / name);
  }
  expect_upright(load_split("digits", dir.path()));
}

TEST(Emnist, TestImagesOfAnotherShapeAreNamedAsTheyStand) {
  TempDir dir;
  write_split(dir.path(), "mnist", "\x01\x02", "\x02", false);
  spill(dir / name_of("mnist", "test-images-idx3"), idx_images(1, 3, 2, kTestLying));
  expect_input_error([&] { load_split("mnist", dir.path()); }, "2 x 3 pixels, the training images have 3 x 2");
}

TEST(Emnist, TheSplitIsAKeyOfThisSetOnly) {
  const auto config_of = [](const std::string& text) { return parse_config(text, "exp.toml", {}); };
  EXPECT_EQ(config_of("data = { name = 'emnist', dir = 'x' }").data.split, "balanced");
  const Config letters = config_of("data = { name = 'emnist', dir = 'x', split = 'letters' }");
  EXPECT_EQ(letters.data.split, "letters");
  EXPECT_NE(to_toml(letters).find("split = \"letters\""), std::string::npos);
  EXPECT_NE(config_sha256(letters), config_sha256(config_of("data = { name = 'emnist', dir = 'x' }")));
  expect_input_error([&] { config_of("data = { name = 'emnist', dir = 'x', split = 'leters' }"); },
                     "data.split = \"leters\": allowed: balanced, byclass, bymerge, digits, letters, mnist",
                     "did you mean letters?");
  expect_input_error([&] { config_of("data = { name = 'mnist', dir = 'x', split = 'letters' }"); }, "data.split",
                     "data.name = \"mnist\" does not read it; emnist does");
  expect_input_error([] { load_split("leters", "x"); }, "data.split = 'leters' is unknown; allowed: balanced, byclass");
}

}  // namespace
}  // namespace splitsim
