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

std::string Dataset::features_sha256() const {
  Sha256 hash;
  if (type != FeatureType::kUint8) hash.add(&type, sizeof type);
  const auto add = [&](std::int64_t count, const std::vector<std::uint8_t>& features) {
    const std::int64_t shape[] = {count, channels, height, width};
    hash.add(shape, sizeof shape);
    hash.add(features);
  };
  add(train_size(), train_features);
  add(test_size(), test_features);
  if (validation_size() > 0) add(validation_size(), validation_features);
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
DatasetInfo glyphs(), gestures(), assays(), phrases(), fashion_mnist(), mnist(), emnist(), cifar10(), cifar100(), npy(),
    npz(), csv(), har(), folder();
}

const std::vector<DatasetInfo>& dataset_infos() {
  using namespace datasets;
  static const std::vector<DatasetInfo> infos = {glyphs(), gestures(), assays(),   phrases(), fashion_mnist(), mnist(),
                                                 emnist(), cifar10(),  cifar100(), npy(),     npz(),
                                                 csv(),    har(),      folder()};
  return infos;
}

namespace {

void set_mean_and_std_of_pixels(Dataset& set) {
  const std::int64_t plane = std::int64_t{set.height} * set.width, images = set.train_size();
  for (std::int32_t c = 0; c < set.channels; ++c) {
    std::uint64_t sum = 0, squares = 0;  // exact: at most 2^16 per pixel
#pragma omp parallel for schedule(static) reduction(+ : sum, squares)
    for (std::int64_t i = 0; i < images; ++i) {
      const std::uint8_t* pixels = set.train_features.data() + (i * set.channels + c) * plane;
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

/// Of a channel's values, and those values without them: sums of doubles, sample by sample.
void normalise_channel(Dataset& set, std::int32_t channel) {
  const std::int64_t plane = std::int64_t{set.height} * set.width, n = set.train_size() * plane;
  const auto k = static_cast<std::size_t>(channel);
  const auto each = [&](std::vector<std::uint8_t>& features, std::int64_t samples, const auto& visit) {
    for (std::int64_t i = 0; i < samples; ++i) {
      float* values = floats_of(features) + (i * set.channels + channel) * plane;
      for (std::int64_t j = 0; j < plane; ++j) visit(values[j]);
    }
  };
  double sum = 0.0, squares = 0.0;
  each(set.train_features, set.train_size(), [&](float v) { sum += static_cast<double>(v); });
  const double mean = sum / static_cast<double>(n);
  each(set.train_features, set.train_size(), [&](float v) {
    const double off = static_cast<double>(v) - mean;
    squares += off * off;
  });
  const double std = std::sqrt(squares / static_cast<double>(n));
  set.mean[k] = static_cast<float>(mean);
  set.std[k] = static_cast<float>(std) > 0.0f ? static_cast<float>(std) : 1.0f;
  const double scale = static_cast<double>(set.std[k]), shift = static_cast<double>(set.mean[k]);
  const auto normalise = [&](float& v) { v = static_cast<float>((static_cast<double>(v) - shift) / scale); };
  each(set.train_features, set.train_size(), normalise);
  each(set.test_features, set.test_size(), normalise);
  each(set.validation_features, set.validation_size(), normalise);
}

}  // namespace

void normalise(Dataset& set) {
  set.mean.assign(static_cast<std::size_t>(set.channels), 0.0f);
  set.std.assign(static_cast<std::size_t>(set.channels), 1.0f);
  if (set.type == FeatureType::kUint8) {
    set_mean_and_std_of_pixels(set);
  } else if (set.kind != SampleKind::kTokens) {
#pragma omp parallel for schedule(static)
    for (std::int32_t c = 0; c < set.channels; ++c) normalise_channel(set, c);
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

/// Windows, rows and sentences are not pictures.
void check_augmentation(const Dataset& set, const DataSettings& settings) {
  if (set.kind == SampleKind::kImages || (settings.crop_pad == 0 && !settings.flip)) return;
  const std::string key = settings.crop_pad > 0 ? fmt::format("crop_pad = {}", settings.crop_pad) : "flip = true";
  throw InputError(fmt::format("data.augment.{}: the samples of data.name = '{}' are {}; allowed: {}", key, set.name,
                               name_of(set.kind), settings.crop_pad > 0 ? "0" : "false"));
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
  check_augmentation(set, settings);
  if (found->has_files) warn_of_missing_classes(set, settings);
  split_validation(set, settings.validation, seed);
  normalise(set);
  return set;
}

}  // namespace splitsim
