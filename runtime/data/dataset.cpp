#include "runtime/data/dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/report.hpp"
#include "kernels/device/profile_range.hpp"
#include "runtime/data/loaders.hpp"
#include "runtime/data/validation.hpp"

namespace splitsim {

std::string Dataset::images_sha256() const {
  Sha256 hash;
  const auto add = [&](std::int64_t count, const std::vector<std::uint8_t>& images) {
    const std::int64_t shape[] = {count, channels, height, width};
    hash.add(shape, sizeof shape);
    hash.add(images);
  };
  add(train_size(), train_images);
  add(test_size(), test_images);
  if (validation_size() > 0) add(validation_size(), validation_images);
  return hash.hex();
}

std::string Dataset::labels_sha256() const {
  Sha256 hash;
  for (const std::vector<std::int32_t>* labels : {&train_labels, &test_labels, &validation_labels}) {
    if (labels == &validation_labels && labels->empty()) continue;
    const auto count = static_cast<std::int64_t>(labels->size());
    hash.add(&count, sizeof count);
    hash.add(*labels);
  }
  return hash.hex();
}

namespace datasets {
DatasetInfo glyphs(), fashion_mnist(), mnist(), emnist(), cifar10(), cifar100(), npy();
}

const std::vector<DatasetInfo>& dataset_infos() {
  using namespace datasets;
  static const std::vector<DatasetInfo> infos = {glyphs(),  fashion_mnist(), mnist(), emnist(),
                                                 cifar10(), cifar100(),      npy()};
  return infos;
}

void set_mean_and_std(Dataset& set) {
  const std::int64_t plane = std::int64_t{set.height} * set.width, images = set.train_size();
  for (std::int32_t c = 0; c < set.channels; ++c) {
    std::uint64_t sum = 0, squares = 0;  // exact: at most 2^16 per pixel
#pragma omp parallel for schedule(static) reduction(+ : sum, squares)
    for (std::int64_t i = 0; i < images; ++i) {
      const std::uint8_t* pixels = set.train_images.data() + (i * set.channels + c) * plane;
      for (std::int64_t j = 0; j < plane; ++j) {
        sum += pixels[j];
        squares += std::uint64_t{pixels[j]} * pixels[j];
      }
    }
    const double n = static_cast<double>(images) * static_cast<double>(plane);
    // n * squares - sum^2 needs more than 64 bits, and in doubles would lose what is left of a small spread.
    __extension__ using Wide = unsigned __int128;
    const Wide spread =
        static_cast<Wide>(static_cast<std::uint64_t>(images * plane)) * squares - static_cast<Wide>(sum) * sum;
    const auto k = static_cast<std::size_t>(c);
    set.mean[k] = static_cast<float>(static_cast<double>(sum) / (255.0 * n));
    set.std[k] = spread == 0 ? 1.0f : static_cast<float>(std::sqrt(static_cast<double>(spread)) / (255.0 * n));
  }
}

namespace {

/// Labels that count from 1, or a part of the data that lost a class, train without an error to a model of a class too
/// many.
void warn_of_missing_classes(const Dataset& set, const DataSettings& settings) {
  std::vector<std::int64_t> count(static_cast<std::size_t>(set.classes), 0);
  for (const std::int32_t label : set.train_labels) ++count[static_cast<std::size_t>(label)];
  const auto missing = std::count(count.begin(), count.end(), 0);
  if (missing == 0) return;
  const auto first = std::find(count.begin(), count.end(), 0) - count.begin();
  warn(fmt::format("data.dir = '{}': {} of {} classes never occur{} in the training labels: {}{}", settings.dir,
                   missing, set.classes, missing == 1 ? "s" : "", missing == 1 ? "class " : "the first is class ",
                   first == 0 ? "0 (labels count from 0; do these count from 1?)" : fmt::to_string(first)));
}

}  // namespace

Dataset load_dataset(const DataSettings& settings, std::uint64_t seed) {
  const Range range("load data");
  const DatasetInfo* found = nullptr;
  std::string names;
  for (const DatasetInfo& info : dataset_infos()) {
    if (info.name == settings.name) found = &info;
    names += (names.empty() ? "" : ", ") + info.name;
  }
  if (found == nullptr) {
    throw InputError(fmt::format("data.name = '{}' is unknown; allowed: {}", settings.name, names));
  }
  if (found->has_files && settings.dir.empty()) {
    throw InputError(
        fmt::format("data.dir = '' must name the folder with the files of data.name = '{}'", settings.name));
  }
  Dataset set = found->load(settings, seed);
  if (found->has_files) warn_of_missing_classes(set, settings);
  split_validation(set, settings.validation, seed);
  set_mean_and_std(set);
  return set;
}

}  // namespace splitsim
