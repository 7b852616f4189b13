// One loader per file format, behind load_dataset(). They fill everything but mean and std.
// Errors: InputError naming the file and what is wrong with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/data/dataset.hpp"

namespace splitsim {

/// A file of a data set and the MD5 of its published form (empty: none published).
struct PublishedFile {
  std::string name;
  std::string md5;
};

/// Throws the InputError for a file that is not there: where it was looked for, the page it comes from, its checksum.
[[noreturn]] void fail_missing(const std::string& dir, const PublishedFile& file, const std::string& page);

/// Warns if a file that is there has another MD5 than the published one of that form.
void warn_unless_published(const std::string& path, const PublishedFile& file);

/// A whole file, decompressed if it is gzip (length and CRC checked). Errors: also a gzip file that is cut off or
/// damaged.
std::vector<std::uint8_t> read_data_file(const std::string& path);

/// Mean and standard deviation (of the whole, not of a sample) of each channel over the training images, scaled to
/// 0..1, from exact integer sums. A channel without any spread gets std 1, so that normalising divides by no zero.
void set_mean_and_std(Dataset& set);

/// MNIST or Fashion-MNIST (`settings.name`): four IDX files, plain or .gz, '-' or '.' before "idx" in their names.
/// Big-endian header (magic, counts, height, width), then bytes. Format: the MNIST page.
Dataset load_idx(const DataSettings& settings);

/// A split of EMNIST (`settings.split`): four IDX files named as in the archive, in the folder or its folder gzip/.
/// Their images are stored column by column; they are turned to stand upright, as MNIST's. The letters' labels 1..26
/// become the classes 0..25.
Dataset load_emnist(const DataSettings& settings);

/// CIFAR-10 or CIFAR-100 (`settings.name`), binary version: records of one (10) or two (100: coarse, fine) label bytes
/// and 3 x 32 x 32 pixels. Any of data_batch_1..5.bin that exist, in order (10); train.bin (100). Warns if the
/// counts are not the published ones. Format: the CIFAR page.
Dataset load_cifar(const DataSettings& settings);

/// x.npy, y.npy, and the same as x_test.npy, y_test.npy. Classes are 1 + the largest label.
/// Images: [N, H, W], [N, H, W, C] (C <= 4) or [N, C, H, W] (C = 1 or 3 and W > 4, which no other reading fits).
/// Integers of any type are pixels 0..255. float32 and float64 are either all in [0, 1], and become 255 times that,
/// rounded to nearest, or all whole numbers 0..255; the training images decide, the test images follow.
/// Labels: [N] or [N, 1], integers of any type.
Dataset load_npy(const DataSettings& settings);

}  // namespace splitsim
