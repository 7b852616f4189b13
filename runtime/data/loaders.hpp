// What the loaders of data sets share. A data set is a function that gives its row, in the file of its format, and its
// name in dataset.cpp. Errors: InputError naming the file and what is wrong with it.
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

}  // namespace splitsim
