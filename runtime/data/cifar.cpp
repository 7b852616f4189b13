#include <fmt/format.h>

#include <filesystem>

#include "base/error.hpp"
#include "base/report.hpp"
#include "runtime/data/loaders.hpp"

namespace splitsim {
namespace {

constexpr std::int32_t kSide = 32, kChannels = 3;
constexpr std::size_t kImageBytes = std::size_t{kChannels} * kSide * kSide;
constexpr std::int32_t kCoarseClasses = 20;
constexpr std::int64_t kTrainImages = 50000, kTestImages = 10000;  // of either set, as published

const std::string kPage = "https://www.cs.toronto.edu/~kriz/cifar.html";
// The page publishes checksums of its archives only.
const std::string kArchive10 = " (archive cifar-10-binary.tar.gz, md5 c32a1d4ab5d03f1284b67883e8d87530)";
const std::string kArchive100 = " (archive cifar-100-binary.tar.gz, md5 03b5dce01913d631647c71ecec9e9cb8)";

/// Appends the records of one file. The class is the last of the label bytes.
void append_records(const std::string& path, std::size_t label_bytes, std::int32_t classes,
                    std::vector<std::uint8_t>& images, std::vector<std::int32_t>& labels) {
  const std::vector<std::uint8_t> bytes = read_data_file(path);
  const std::size_t record = label_bytes + kImageBytes;
  if (bytes.empty() || bytes.size() % record != 0) {
    throw InputError(fmt::format("'{}' has {} bytes; a CIFAR-{} file has a multiple of {} (truncated?)", path,
                                 bytes.size(), classes, record));
  }
  const std::size_t count = bytes.size() / record;
  images.reserve(images.size() + count * kImageBytes);
  labels.reserve(labels.size() + count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* at = bytes.data() + i * record;
    const std::int32_t label = at[label_bytes - 1];
    if (label >= classes) {
      throw InputError(
          fmt::format("'{}': label {} of record {} is out of range; allowed: 0 to {}", path, label, i, classes - 1));
    }
    if (label_bytes == 2 && at[0] >= kCoarseClasses) {
      throw InputError(fmt::format("'{}': coarse label {} of record {} is out of range; allowed: 0 to {}", path, at[0],
                                   i, kCoarseClasses - 1));
    }
    labels.push_back(label);
    images.insert(images.end(), at + label_bytes, at + record);
  }
}

/// A part of the set trains as well as all of it, to figures that are not those of the whole.
void warn_of_other_size(const Dataset& set, const DataSettings& settings, const std::string& missing) {
  if (set.train_size() == kTrainImages && set.test_size() == kTestImages) return;
  const bool more = set.train_size() > kTrainImages || set.test_size() > kTestImages;
  warn(
      fmt::format("data.dir = '{}': {} CIFAR-{}: {} training and {} test images, published are {} and {}{}: results "
                  "will not compare with those on the published data",
                  settings.dir, more ? "not the published" : "a part of", set.classes, set.train_size(),
                  set.test_size(), kTrainImages, kTestImages, missing));
}

/// Binary version: records of one (10) or two (100: coarse, fine) label bytes and 3 x 32 x 32 pixels. Any of
/// data_batch_1..5.bin that exist, in order (10); train.bin (100). Warns if the counts are not the published ones.
/// Format: the CIFAR page.
Dataset load(const DataSettings& settings, bool ten) {
  Dataset set;
  set.name = settings.name;
  set.channels = kChannels;
  set.height = set.width = kSide;
  set.classes = ten ? 10 : 100;
  const std::size_t label_bytes = ten ? 1 : 2;
  const std::string page = kPage + (ten ? kArchive10 : kArchive100);

  const std::filesystem::path dir(settings.dir);
  std::error_code ignored;
  std::vector<std::string> train;
  std::string missing;
  if (ten) {
    for (int i = 1; i <= 5; ++i) {
      const std::string name = fmt::format("data_batch_{}.bin", i);
      if (std::filesystem::exists(dir / name, ignored)) {
        train.push_back((dir / name).string());
      } else {
        missing += (missing.empty() ? " (without " : ", ") + name;
      }
    }
    if (!missing.empty()) missing += ')';
    if (train.empty()) fail_missing(settings.dir, {"data_batch_1.bin", ""}, page);
  } else {
    if (!std::filesystem::exists(dir / "train.bin", ignored)) fail_missing(settings.dir, {"train.bin", ""}, page);
    train.push_back((dir / "train.bin").string());
  }
  const std::string test_name = ten ? "test_batch.bin" : "test.bin";
  if (!std::filesystem::exists(dir / test_name, ignored)) fail_missing(settings.dir, {test_name, ""}, page);

  for (const std::string& path : train) {
    append_records(path, label_bytes, set.classes, set.train_features, set.train_labels);
  }
  append_records((dir / test_name).string(), label_bytes, set.classes, set.test_features, set.test_labels);
  warn_of_other_size(set, settings, missing);
  return set;
}

}  // namespace

namespace datasets {

DatasetInfo cifar10() {
  return {"cifar10", "CIFAR-10, binary version: data_batch_1..5.bin (those that exist) and test_batch.bin in data.dir",
          [](const DataSettings& settings, std::uint64_t) { return load(settings, true); }};
}

DatasetInfo cifar100() {
  return {"cifar100", "CIFAR-100, binary version, fine labels: train.bin and test.bin in data.dir",
          [](const DataSettings& settings, std::uint64_t) { return load(settings, false); }};
}

}  // namespace datasets

}  // namespace splitsim
