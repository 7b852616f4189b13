// Samples and labels on the host, ready to be uploaded once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/names.hpp"

namespace splitsim {

/// What a sample is. A network gets floats [C, H, W] of all of them.
enum class SampleKind : std::uint8_t { kImages, kWindows, kRows, kTokens };
constexpr auto names_of(SampleKind) {
  return named_values<SampleKind>({{"images", "pixels [C, H, W]"},
                                   {"windows", "L readings of C sensors: [C, 1, L]"},
                                   {"rows", "D columns of a table: [D, 1, 1]"},
                                   {"tokens", "L ids below a vocabulary's size: [1, 1, L]"}});
}

/// How a data set that may hold several kinds of samples is read.
enum class ReadAs : std::uint8_t { kAuto, kImages, kFloatImages, kWindows, kRows, kTokens };
constexpr auto names_of(ReadAs) {
  return named_values<ReadAs>({{"auto", "npy, npz: images, and rows where real numbers have two axes; har: windows"},
                               {"images", "[N, H, W], [N, H, W, C] or [N, C, H, W]: pixels"},
                               {"float_images", "the same shapes, any numbers"},
                               {"windows", "[N, C, L]: L readings of C sensors"},
                               {"rows", "[N, D]: a table"},
                               {"tokens", "[N, L]: integers from 0"}});
}

/// How a sample's values lie in memory.
enum class FeatureType : std::uint8_t { kUint8, kFloat32 };

/// Keys of [data].
struct DataSettings {
  std::string name = "glyphs";     ///< see dataset_infos()
  std::string dir;                 ///< folder of the files, for every name but glyphs
  std::int32_t crop_pad = 0;       ///< augment.crop_pad, pixels
  bool flip = false;               ///< augment.flip
  double validation = 0.0;         ///< share of the training set that is held out, in [0, 1)
  std::string split = "balanced";  ///< emnist, see emnist_splits()
  ReadAs read_as = ReadAs::kAuto;  ///< npy, npz, har
  std::string label_column = "label";  ///< csv
  std::string client_column;           ///< csv; empty: none
};

/// Features are [N, C, H, W], as bytes: of pixels 0..255 (kUint8, images alone), or of finite floats (kFloat32, native
/// byte order). Floats are what a network gets: images, windows and rows with mean 0 and standard deviation 1 per
/// channel over the training set, tokens their ids. Labels are in [0, classes).
struct Dataset {
  std::string name;
  SampleKind kind = SampleKind::kImages;
  FeatureType type = FeatureType::kUint8;
  std::int32_t channels = 0, height = 0, width = 0, classes = 0;
  std::int32_t vocabulary = 0;  ///< tokens: ids are in [0, vocabulary), at most 2^24; 0 for all others
  std::vector<std::uint8_t> train_features, test_features;
  std::vector<std::int32_t> train_labels, test_labels;
  std::vector<std::uint8_t> validation_features;  ///< taken off the training set (settings.validation)
  std::vector<std::int32_t> validation_labels;
  std::vector<float> mean, std;  ///< [C] of the training set, of pixels scaled to 0..1, of floats before they were normalised
  /// Whom the training samples come from: [N] in [0, natural_clients), in the order of their names. Empty: not known.
  std::vector<std::int32_t> train_clients;
  std::int32_t natural_clients = 0;

  std::int64_t train_size() const { return static_cast<std::int64_t>(train_labels.size()); }
  std::int64_t test_size() const { return static_cast<std::int64_t>(test_labels.size()); }
  std::int64_t validation_size() const { return static_cast<std::int64_t>(validation_labels.size()); }
  std::int64_t sample_size() const { return std::int64_t{channels} * height * width; }  ///< values
  std::int64_t sample_bytes() const {
    return sample_size() * (type == FeatureType::kUint8 ? 1 : std::int64_t{sizeof(float)});
  }

  /// SHA-256 of the features, training then test (then validation) part, each with its shape: the same for every file
  /// format, compression and order of bytes. They read everything, so ask once.
  std::string features_sha256() const;
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
