#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/report.hpp"
#include "runtime/data/loaders.hpp"

namespace splitsim {
namespace {

constexpr std::int64_t kTrainWindows = 7352, kTestWindows = 2947;  // as published
constexpr std::int32_t kActivities = 6, kReadings = 128, kFeatures = 561, kMostSubjects = 1000;
constexpr const char* kSensors[] = {"body_acc_x",  "body_acc_y",  "body_acc_z",  "body_gyro_x", "body_gyro_y",
                                    "body_gyro_z", "total_acc_x", "total_acc_y", "total_acc_z"};
constexpr std::int32_t kSensorCount = static_cast<std::int32_t>(std::size(kSensors));

const std::string kPage =
    "https://archive.ics.uci.edu/dataset/240/human+activity+recognition+using+smartphones (UCI HAR Dataset.zip)";

/// Lines of `columns` numbers between blanks.
std::vector<float> read_numbers(const std::string& path, std::int64_t columns) {
  const std::vector<std::uint8_t> bytes = read_data_file(path);
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::vector<float> numbers;
  for (std::int64_t line = 1; !text.empty(); ++line) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    std::string_view rest = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    std::int64_t count = 0;
    while (true) {
      rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r"), rest.size()));
      if (rest.empty()) break;
      const std::string_view word = rest.substr(0, rest.find_first_of(" \t\r"));
      double value = 0.0;
      const auto [stop, status] = std::from_chars(word.data(), word.data() + word.size(), value);
      const auto number = static_cast<float>(value);
      if (status != std::errc() || stop != word.data() + word.size() || !std::isfinite(number)) {
        throw InputError(fmt::format("'{}', line {}: column {} is not a finite number", path, line, count + 1));
      }
      numbers.push_back(number);
      rest.remove_prefix(word.size());
      ++count;
    }
    if (count == 0 && text.empty()) break;
    if (count != columns) {
      throw InputError(fmt::format("'{}', line {}: {} numbers; allowed: {}", path, line, count, columns));
    }
  }
  if (numbers.empty()) throw InputError(fmt::format("'{}' is empty; allowed: a line per window", path));
  return numbers;
}

std::vector<std::int32_t> read_ids(const std::string& path, std::int64_t count, std::int32_t most) {
  const std::vector<float> numbers = read_numbers(path, 1);
  if (static_cast<std::int64_t>(numbers.size()) != count) {
    throw InputError(fmt::format("'{}' has {} lines, the windows are {}", path, numbers.size(), count));
  }
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const float id = numbers[i];
    if (!(id >= 1.0f && id <= static_cast<float>(most)) || id != std::rint(id)) {
      throw InputError(fmt::format("'{}', line {}: {}; allowed: a whole number from 1 to {}", path, i + 1, id, most));
    }
    ids.push_back(static_cast<std::int32_t>(id));
  }
  return ids;
}

/// A part, "train" or "test", of its text files. Activities count from 1.
void load_part(const std::filesystem::path& dir, const std::string& part, Dataset& set,
               std::vector<std::uint8_t>& features, std::vector<std::int32_t>& labels) {
  const auto path = [&](const std::string& name) {
    const std::filesystem::path file = std::filesystem::path(part) / (name + "_" + part + ".txt");
    std::error_code ignored;
    if (!std::filesystem::exists(dir / file, ignored)) fail_missing(dir.string(), {file.string(), ""}, kPage);
    return (dir / file).string();
  };
  std::vector<float> values;
  if (set.kind == SampleKind::kRows) {
    values = read_numbers(path("X"), kFeatures);
  } else {
    for (std::int32_t s = 0; s < kSensorCount; ++s) {
      const std::string file = path(fmt::format("Inertial Signals/{}", kSensors[s]));
      const std::vector<float> sensor = read_numbers(file, kReadings);
      if (s == 0) values.resize(sensor.size() * kSensorCount);
      if (sensor.size() * kSensorCount != values.size()) {
        throw InputError(fmt::format("'{}' has {} lines, {} has {}", file, sensor.size() / kReadings, kSensors[0],
                                     values.size() / (kSensorCount * kReadings)));
      }
      for (std::size_t i = 0; i < sensor.size(); ++i) {
        const std::size_t window = i / kReadings, reading = i % kReadings;
        values[(window * kSensorCount + static_cast<std::size_t>(s)) * kReadings + reading] = sensor[i];
      }
    }
  }
  const std::int64_t count = static_cast<std::int64_t>(values.size()) / set.sample_size();
  labels = read_ids(path("y"), count, kActivities);
  for (std::int32_t& label : labels) --label;
  if (part == "train") set_natural_clients(set, read_ids(path("subject"), count, kMostSubjects));
  features = bytes_of(values);
}

Dataset load(const DataSettings& settings, std::uint64_t) {
  const bool rows = settings.read_as == ReadAs::kRows;
  if (!rows && settings.read_as != ReadAs::kAuto && settings.read_as != ReadAs::kWindows) {
    throw InputError(fmt::format("data.read_as = \"{}\": allowed with data.name = \"har\": auto, windows, rows",
                                 name_of(settings.read_as)));
  }
  Dataset set;
  set.name = settings.name;
  set.kind = rows ? SampleKind::kRows : SampleKind::kWindows;
  set.type = FeatureType::kFloat32;
  set.channels = rows ? kFeatures : kSensorCount;
  set.height = 1;
  set.width = rows ? 1 : kReadings;
  set.classes = kActivities;
  load_part(settings.dir, "train", set, set.train_features, set.train_labels);
  load_part(settings.dir, "test", set, set.test_features, set.test_labels);
  if (set.train_size() != kTrainWindows || set.test_size() != kTestWindows) {
    warn(fmt::format("data.dir = '{}': {} training and {} test windows, published are {} and {}: results will not compare "
                     "with those on the published data",
                     settings.dir, set.train_size(), set.test_size(), kTrainWindows, kTestWindows));
  }
  return set;
}

}  // namespace

namespace datasets {

DatasetInfo har() {
  return {"har",
          "UCI HAR, 6 activities of 30 people: windows of 9 signals x 128 readings, or rows of 561 features "
          "(data.read_as); folders train and test in data.dir",
          load};
}

}  // namespace datasets

}  // namespace splitsim
