// What the loaders of data sets share. A data set is a function that gives its row, in the file of its format, and its
// name in dataset.cpp. Errors: InputError naming the file and what is wrong with it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "runtime/data/dataset.hpp"

namespace splitsim {

constexpr std::int32_t kMaxClasses = 1 << 20;                   ///< a label beyond this is a mistake, not a class
constexpr std::int32_t kMaxVocabulary = 1 << 24;                ///< so that floats hold every id
constexpr std::int64_t kMaxSampleValues = std::int64_t{1} << 24;  ///< of one sample

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

/// A view of float features (FeatureType::kFloat32), which are allocated as bytes.
inline float* floats_of(std::vector<std::uint8_t>& features) { return reinterpret_cast<float*>(features.data()); }
inline const float* floats_of(const std::vector<std::uint8_t>& features) {
  return reinterpret_cast<const float*>(features.data());
}

/// Floats as features.
inline std::vector<std::uint8_t> bytes_of(const std::vector<float>& values) {
  std::vector<std::uint8_t> bytes(values.size() * sizeof(float));
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// Whom training samples come from, by their names [N]: numbered in the names' order.
template <class Name>
void set_natural_clients(Dataset& set, const std::vector<Name>& names) {
  std::vector<Name> known = names;
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  set.natural_clients = static_cast<std::int32_t>(known.size());
  set.train_clients.clear();
  for (const Name& name : names) {
    const auto at = std::lower_bound(known.begin(), known.end(), name) - known.begin();
    set.train_clients.push_back(static_cast<std::int32_t>(at));
  }
}

/// Sets mean and standard deviation (of the whole, not of a sample) of each channel over the training samples. Pixels,
/// scaled to 0..1, from exact integer sums: a step normalises them. Floats from sums of doubles in the samples' order:
/// all parts become (x - mean) / std here, but tokens stay ids, with mean 0 and std 1. A channel without any spread gets
/// std 1, so that normalising divides by no zero.
void normalise(Dataset& set);

}  // namespace splitsim
