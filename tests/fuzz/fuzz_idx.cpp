// The four files of a data set in IDX format, MNIST's or EMNIST's letters by the first byte: see cut().
#include <filesystem>

#include "runtime/data/dataset.hpp"
#include "tests/fuzz/targets.hpp"

namespace splitsim::fuzz {

namespace {

void check_half(const Dataset& set, const std::vector<std::uint8_t>& images, const std::vector<std::int32_t>& labels) {
  require(images.size() == labels.size() * static_cast<std::size_t>(set.sample_size()), "as many labels as images");
  for (const std::int32_t label : labels) require(label >= 0 && label < set.classes, "labels are classes");
}

}  // namespace

void fuzz_idx(std::string_view bytes) {
  const bool zipped = !bytes.empty() && (bytes[0] & 1) != 0, letters = !bytes.empty() && (bytes[0] & 2) != 0;
  const std::string dir = scratch_folder() + "/idx";
  std::filesystem::create_directories(dir);
  const std::vector<std::string_view> files = cut(bytes.substr(bytes.empty() ? 0 : 1), 4);
  std::size_t i = 0;
  const std::string test = letters ? "test" : "t10k";
  for (const std::string& part : {std::string("train-images-idx3-ubyte"), std::string("train-labels-idx1-ubyte"),
                                  test + "-images-idx3-ubyte", test + "-labels-idx1-ubyte"}) {
    const std::string name = (letters ? "emnist-letters-" : "") + part;
    std::filesystem::remove(dir + "/" + name + (zipped ? "" : ".gz"));
    scratch_file("idx/" + name + (zipped ? ".gz" : ""), files[i++]);
  }
  DataSettings settings;
  settings.name = letters ? "emnist" : "mnist";
  settings.split = "letters";
  settings.dir = dir;
  const Dataset set = load_dataset(settings, 1);
  check_half(set, set.train_features, set.train_labels);
  check_half(set, set.test_features, set.test_labels);
}

}  // namespace splitsim::fuzz
