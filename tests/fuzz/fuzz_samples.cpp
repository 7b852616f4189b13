// Files of samples that are not pixels, and of pictures, by the first byte: CSV, .npz, .npy as windows, rows, tokens and
// float images, UCI HAR's text files, a folder of pictures. Parts: see cut().
#include <cmath>
#include <cstring>
#include <filesystem>

#include "runtime/data/dataset.hpp"
#include "runtime/data/image_file.hpp"
#include "tests/fuzz/targets.hpp"

namespace splitsim::fuzz {

namespace {

void check_part(const Dataset& set, const std::vector<std::uint8_t>& features, const std::vector<std::int32_t>& labels) {
  require(set.sample_bytes() > 0, "samples have values");
  require(features.size() == labels.size() * static_cast<std::size_t>(set.sample_bytes()), "as many labels as samples");
  for (const std::int32_t label : labels) require(label >= 0 && label < set.classes, "labels are classes");
  if (set.type != FeatureType::kFloat32) return;
  for (std::size_t i = 0; i < features.size(); i += sizeof(float)) {
    float value = 0.0f;
    std::memcpy(&value, features.data() + i, sizeof value);
    require(!std::isnan(value), "values are numbers");
    if (set.kind != SampleKind::kTokens) continue;
    require(value >= 0.0f && value < static_cast<float>(set.vocabulary) && value == std::rint(value), "tokens are ids");
  }
}

void check_set(DataSettings settings, const std::string& folder) {
  settings.dir = scratch_folder() + "/" + folder;
  const Dataset set = load_dataset(settings, 1);
  check_part(set, set.train_features, set.train_labels);
  check_part(set, set.test_features, set.test_labels);
  require(set.train_clients.empty() || set.train_clients.size() == set.train_labels.size(), "a client for each sample");
  for (const std::int32_t client : set.train_clients) {
    require(client >= 0 && client < set.natural_clients, "clients are numbered");
  }
}

void write(const std::string& folder, const std::vector<const char*>& names, std::string_view bytes) {
  const std::vector<std::string_view> files = cut(bytes, names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string name = folder + "/" + names[i];
    std::filesystem::create_directories(std::filesystem::path(scratch_folder() + "/" + name).parent_path());
    scratch_file(name, files[i]);
  }
}

}  // namespace

void fuzz_samples(std::string_view bytes) {
  if (bytes.empty()) return;
  const int what = static_cast<unsigned char>(bytes[0]) % 9;
  bytes.remove_prefix(1);
  DataSettings settings;
  if (what < 2) {
    settings.name = "csv";
    settings.client_column = what == 0 ? "" : "site";
    write("csv", {"train.csv", "test.csv"}, bytes);
    check_set(settings, "csv");
  } else if (what == 2) {
    settings.name = "npz";
    write("npz", {"data.npz"}, bytes);
    check_set(settings, "npz");
  } else if (what < 7) {
    constexpr ReadAs kinds[] = {ReadAs::kWindows, ReadAs::kRows, ReadAs::kTokens, ReadAs::kFloatImages};
    settings.name = "npy";
    settings.read_as = kinds[what - 3];
    write("arrays", {"x.npy", "y.npy", "client.npy", "x_test.npy", "y_test.npy"}, bytes);
    check_set(settings, "arrays");
  } else if (what == 7) {
    settings.name = "har";
    settings.read_as = ReadAs::kRows;
    write("har", {"train/X_train.txt", "train/y_train.txt", "train/subject_train.txt", "test/X_test.txt",
                  "test/y_test.txt"},
          bytes);
    check_set(settings, "har");
  } else {
    const ImageFile file(scratch_file("picture", bytes));
    const std::int32_t channels = file.has_colour() ? 3 : 1;
    std::vector<std::uint8_t> image(static_cast<std::size_t>(channels) * static_cast<std::size_t>(file.height()) *
                                    static_cast<std::size_t>(file.width()));
    file.decode(channels, image.data());
  }
}

}  // namespace splitsim::fuzz
