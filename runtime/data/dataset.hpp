// Images and labels on the host, as uint8, ready to be uploaded once.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace splitsim {

/// Keys of [data].
struct DataSettings {
  std::string name = "glyphs";     ///< see dataset_infos()
  std::string dir;                 ///< folder of the files, for every name but glyphs
  std::int32_t crop_pad = 0;       ///< augment.crop_pad, pixels
  bool flip = false;               ///< augment.flip
  double validation = 0.0;         ///< share of the training set that is held out, in [0, 1)
  std::string split = "balanced";  ///< emnist, see emnist_splits()
};

/// Images are [N, C, H, W], values 0..255; labels are in [0, classes).
struct Dataset {
  std::string name;
  std::int32_t channels = 0, height = 0, width = 0, classes = 0;
  std::vector<std::uint8_t> train_images, test_images;
  std::vector<std::int32_t> train_labels, test_labels;
  std::vector<std::uint8_t> validation_images;  ///< taken off the training set (settings.validation)
  std::vector<std::int32_t> validation_labels;
  std::array<float, 4> mean{};  ///< per channel of the training images, scaled to 0..1
  std::array<float, 4> std{};

  std::int64_t train_size() const { return static_cast<std::int64_t>(train_labels.size()); }
  std::int64_t test_size() const { return static_cast<std::int64_t>(test_labels.size()); }
  std::int64_t validation_size() const { return static_cast<std::int64_t>(validation_labels.size()); }
  std::int64_t image_size() const { return std::int64_t{channels} * height * width; }

  /// SHA-256 of the decoded content, training then test (then validation) part, each with its shape: the same for every
  /// file format, compression and order of bytes. They read everything, so ask once.
  std::string images_sha256() const;
  std::string labels_sha256() const;
};

/// A data set as a row. Its loader fills everything but mean and std.
struct DatasetInfo {
  std::string name;
  std::string summary;
  Dataset (*load)(const DataSettings& settings, std::uint64_t seed) = nullptr;
  bool has_files = true;  ///< below data.dir
};
const std::vector<DatasetInfo>& dataset_infos();

/// One of EMNIST's six ways to cut the same images into a set.
struct EmnistSplit {
  std::string name;
  std::string summary;
  std::int32_t classes;
  std::int32_t first_label;  ///< in the files
};
const std::vector<EmnistSplit>& emnist_splits();

/// Loads or draws a data set. glyphs depend on the seed; file sets do not.
/// Errors: InputError naming the file and what is wrong with it (missing: also the public page it comes from and its
/// checksum where known; truncated, bad magic number, label out of range). Warns of classes without training images.
Dataset load_dataset(const DataSettings& settings, std::uint64_t seed);

}  // namespace splitsim
