#include "runtime/plan/data_cache.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/hash.hpp"

namespace splitsim {

namespace fs = std::filesystem;

namespace {

constexpr const char* kMark = "splitsim-data-1";
constexpr std::size_t kMostSets = 16;  // shared at once, for they are large

// A line of names and extents; what comes behind it lies as it does in memory.
std::string head_of(const Dataset& set) {
  return fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {} {} {}\n", kMark, set.name, static_cast<int>(set.kind),
                     static_cast<int>(set.type), set.channels, set.height, set.width, set.classes, set.vocabulary,
                     set.natural_clients, set.train_clients.size(), set.mean.size(), set.train_size(), set.test_size(),
                     set.validation_size());
}

template <class T>
void put(std::ofstream& file, const std::vector<T>& values) {
  file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
}

template <class T>
void get(std::ifstream& file, std::vector<T>& values, std::int64_t count) {
  values.resize(static_cast<std::size_t>(count));
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
}

void keep(const std::string& folder, const std::string& key, const Dataset& set) {
  std::error_code ignored;
  fs::create_directories(folder, ignored);
  const fs::path path = fs::path(folder) / key, fresh = fs::path(folder) / fmt::format("{}.{}", key, ::getpid());
  std::ofstream file(fresh, std::ios::binary);
  file << head_of(set);
  put(file, set.train_features);
  put(file, set.train_labels);
  put(file, set.test_features);
  put(file, set.test_labels);
  put(file, set.validation_features);
  put(file, set.validation_labels);
  put(file, set.train_clients);
  put(file, set.mean);
  put(file, set.std);
  file.close();
  if (file) fs::rename(fresh, path, ignored);
  fs::remove(fresh, ignored);
}

}  // namespace

std::string cache_key(const DataSettings& settings, std::uint64_t seed) {
  if (settings.name == "npy") return "";
  const std::vector<DatasetInfo>& all = dataset_infos();
  const auto info = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == settings.name; });
  if (info == all.end()) return "";
  const bool seeded = !info->has_files || settings.validation > 0.0;
  Sha256 hash;
  hash.add(fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", settings.split, name_of(settings.read_as),
                       settings.label_column, settings.client_column, settings.crop_pad, settings.flip,
                       settings.validation, seeded ? fmt::to_string(seed) : "", settings.dir));
  return settings.name + "-" + hash.hex().substr(0, 16);
}

std::optional<Dataset> cached_dataset(const std::string& folder, const std::string& key) {
  const fs::path path = fs::path(folder) / key;
  std::ifstream file(path, std::ios::binary);
  std::string line, mark;
  if (!file || !std::getline(file, line)) return {};
  Dataset set;
  int kind = 0, type = 0;
  std::int64_t clients = 0, means = 0, train = 0, test = 0, held_out = 0;
  std::istringstream words(line);
  if (!(words >> mark >> set.name >> kind >> type >> set.channels >> set.height >> set.width >> set.classes >>
        set.vocabulary >> set.natural_clients >> clients >> means >> train >> test >> held_out) ||
      mark != kMark) {
    return {};
  }
  set.kind = static_cast<SampleKind>(kind);
  set.type = static_cast<FeatureType>(type);
  std::error_code error;
  const auto bytes = static_cast<std::int64_t>(fs::file_size(path, error));
  constexpr std::int64_t kWord = 4;  // of labels, clients, means
  static_assert(sizeof(std::int32_t) == kWord && sizeof(float) == kWord);
  const std::int64_t whole = (train + test + held_out) * (set.sample_bytes() + kWord) + (clients + 2 * means) * kWord;
  if (error || bytes - static_cast<std::int64_t>(line.size()) - 1 != whole) return {};
  get(file, set.train_features, train * set.sample_bytes());
  get(file, set.train_labels, train);
  get(file, set.test_features, test * set.sample_bytes());
  get(file, set.test_labels, test);
  get(file, set.validation_features, held_out * set.sample_bytes());
  get(file, set.validation_labels, held_out);
  get(file, set.train_clients, clients);
  get(file, set.mean, means);
  get(file, set.std, means);
  if (!file) return {};
  return set;
}

Dataset load_dataset_once(const DataSettings& settings, std::uint64_t seed, const std::string& folder) {
  const std::string key = cache_key(settings, seed);
  if (key.empty()) return load_dataset(settings, seed);
  if (std::optional<Dataset> kept = cached_dataset(folder, key)) return *std::move(kept);
  Dataset set = load_dataset(settings, seed);
  keep(folder, key, set);
  return set;
}

SharedData::SharedData(std::string folder, const std::vector<std::string>& keys) : folder_(std::move(folder)) {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
  for (const std::string& key : keys) ++left_[key];
  std::size_t sets = 0;
  std::erase_if(left_, [&](const auto& of) { return of.first.empty() || of.second < 2 || ++sets > kMostSets; });
}

SharedData::~SharedData() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void SharedData::ended(const std::string& key) {
  const auto at = left_.find(key);
  if (at == left_.end() || --at->second > 0) return;
  std::error_code ignored;
  fs::remove(fs::path(folder_) / key, ignored);
  left_.erase(at);
}

}  // namespace splitsim
