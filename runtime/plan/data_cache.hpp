// Data sets as load_dataset() has made them, kept in a folder while several runs need the same one: what one run has read
// and decompressed, or drawn, the others read as it lies in memory. Determinism: exact.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/data/dataset.hpp"

namespace splitsim {

/// What load_dataset() depends on, as a file name: settings, and the seed where data are drawn or a part is held out; not
/// the content of files, which must stay while the folder is used. Empty: the set is read as fast without a cache.
std::string cache_key(const DataSettings& settings, std::uint64_t seed);

/// load_dataset(), or what that gave another run with this key. Errors: as load_dataset(), for the first that asks; a
/// folder that cannot be written is none: then nothing is kept.
Dataset load_dataset_once(const DataSettings& settings, std::uint64_t seed, const std::string& folder);

/// The set that is kept under this name; nothing where there is none, or a damaged one.
std::optional<Dataset> cached_dataset(const std::string& folder, const std::string& key);

/// Which runs share sets in a folder, and when a set may go.
class SharedData {
 public:
  /// keys: cache_key() of each run that will read its set. What the folder holds goes: of runs that were killed, whose
  /// files may have changed since.
  SharedData(std::string folder, const std::vector<std::string>& keys);
  ~SharedData();
  SharedData(const SharedData&) = delete;
  SharedData& operator=(const SharedData&) = delete;

  /// Where a run finds and leaves this set; empty: it loads it for itself, since no other run reads it.
  std::string folder_of(const std::string& key) const { return left_.count(key) == 0 ? "" : folder_; }
  /// A run with this key has ended; with the last one the set goes.
  void ended(const std::string& key);

 private:
  std::string folder_;
  std::map<std::string, int> left_;  // key -> runs that have not ended
};

}  // namespace splitsim
