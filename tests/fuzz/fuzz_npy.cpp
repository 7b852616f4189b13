// An array in .npy format by itself, and the four of a data set (cut()), by the first byte.
#include <cstring>
#include <filesystem>

#include "base/error.hpp"
#include "base/npy.hpp"
#include "runtime/data/dataset.hpp"
#include "tests/fuzz/targets.hpp"

namespace splitsim::fuzz {

namespace {

template <class T>
void check_array(const std::string& path) {
  const NpyArray<T> array = read_npy<T>(path);
  const std::string copy = scratch_folder() + "/copy.npy";
  write_npy(copy, array);
  const NpyArray<T> again = read_npy<T>(copy);
  require(again.shape == array.shape, "what is written has the shape that was read");
  require(again.values.size() == array.values.size() &&
              (array.values.empty() ||
               std::memcmp(again.values.data(), array.values.data(), array.values.size() * sizeof(T)) == 0),
          "what is written has the values that were read");
}

void check_set(std::string_view bytes) {
  std::filesystem::create_directories(scratch_folder() + "/npy");
  const std::vector<std::string_view> files = cut(bytes, 4);
  std::size_t i = 0;
  for (const char* name : {"x.npy", "y.npy", "x_test.npy", "y_test.npy"}) {
    scratch_file(std::string("npy/") + name, files[i++]);
  }
  DataSettings settings;
  settings.name = "npy";
  settings.dir = scratch_folder() + "/npy";
  const Dataset set = load_dataset(settings, 1);
  const auto size = static_cast<std::size_t>(set.sample_size());
  require(size > 0 && set.train_features.size() == set.train_labels.size() * size, "as many labels as images");
  require(set.test_features.size() == set.test_labels.size() * size, "as many test labels as images");
  for (const auto* labels : {&set.train_labels, &set.test_labels}) {
    for (const std::int32_t label : *labels) require(label >= 0 && label < set.classes, "labels are classes");
  }
}

}  // namespace

void fuzz_npy(std::string_view bytes) {
  if (bytes.empty()) return;
  const int what = static_cast<unsigned char>(bytes[0]) % 6;
  bytes.remove_prefix(1);
  if (what == 5) {
    check_set(bytes);
    return;
  }
  const std::string path = scratch_file("array.npy", bytes);
  if (what == 0) check_array<std::uint8_t>(path);
  if (what == 1) check_array<std::int32_t>(path);
  if (what == 2) check_array<std::int64_t>(path);
  if (what == 3) check_array<float>(path);
  if (what == 4) check_array<double>(path);
}

}  // namespace splitsim::fuzz
