// A data set in CIFAR's binary version: 10 or 100 classes by the first byte, then its training and its test file
// (cut()).
#include <filesystem>

#include "runtime/data/dataset.hpp"
#include "tests/fuzz/targets.hpp"

namespace splitsim::fuzz {

void fuzz_cifar(std::string_view bytes) {
  const bool ten = bytes.empty() || (bytes[0] & 1) == 0;
  std::filesystem::create_directories(scratch_folder() + "/cifar");
  const std::vector<std::string_view> files = cut(bytes.substr(bytes.empty() ? 0 : 1), 2);
  scratch_file(ten ? "cifar/data_batch_1.bin" : "cifar/train.bin", files[0]);
  scratch_file(ten ? "cifar/test_batch.bin" : "cifar/test.bin", files[1]);
  DataSettings settings;
  settings.name = ten ? "cifar10" : "cifar100";
  settings.dir = scratch_folder() + "/cifar";
  const Dataset set = load_dataset(settings, 1);
  require(set.classes == (ten ? 10 : 100), "classes as published");
  for (const auto* labels : {&set.train_labels, &set.test_labels}) {
    require(!labels->empty(), "no half is empty");
    for (const std::int32_t label : *labels) require(label >= 0 && label < set.classes, "labels are classes");
  }
  require(set.train_features.size() == set.train_labels.size() * 3072, "as many labels as images");
}

}  // namespace splitsim::fuzz
