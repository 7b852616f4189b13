// Data sets of arrays: .npy files, or one .npz archive.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>

#include "base/error.hpp"
#include "base/npy.hpp"
#include "runtime/data/zip_file.hpp"
#include "runtime/data/array_features.hpp"
#include "runtime/data/loaders.hpp"

namespace splitsim {
namespace {

/// Opens an array by its name.
using Open = std::function<NpyFile(const std::string& name)>;

std::vector<std::int32_t> read_labels(NpyFile file, std::int64_t samples, const std::string& of) {
  if (!is_list_of(samples, file.shape())) {
    throw InputError(
        fmt::format("'{}' has the shape {}; allowed: ({},) or ({}, 1), one label for each of the {} samples of '{}'",
                    file.path(), file.shape_text(), samples, samples, samples, of));
  }
  return file.integers<std::int32_t>({0, kMaxClasses - 1, "labels"});
}

/// x, y, x_test and y_test, and whom the training samples come from if `client` is there. Classes are 1 + the largest
/// label. Labels: [N] or [N, 1], integers of any type; clients likewise, any numbers.
Dataset load(const DataSettings& settings, const Open& open, bool has_clients) {
  Dataset set;
  set.name = settings.name;
  ArrayFeatures features(set, settings.read_as);
  const auto part = [&](const char* x, const char* y, std::vector<std::uint8_t>& values,
                        std::vector<std::int32_t>& labels) {
    NpyFile file = open(x);
    values = features.read(file);
    labels = read_labels(open(y), file.shape()[0], file.path());
  };
  part("x", "y", set.train_features, set.train_labels);
  part("x_test", "y_test", set.test_features, set.test_labels);
  set.classes = 1 + std::max(*std::max_element(set.train_labels.begin(), set.train_labels.end()),
                             *std::max_element(set.test_labels.begin(), set.test_labels.end()));
  if (!has_clients) return set;
  NpyFile clients = open("client");
  if (!is_list_of(set.train_size(), clients.shape())) {
    throw InputError(fmt::format("'{}' has the shape {}; allowed: ({},), a client for each of the training samples",
                                 clients.path(), clients.shape_text(), set.train_size()));
  }
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  set_natural_clients(set, clients.integers<std::int64_t>({-kMost, kMost, "clients"}));
  return set;
}

Dataset load_npy(const DataSettings& settings, std::uint64_t) {
  const std::filesystem::path dir(settings.dir);
  std::error_code ignored;
  for (const char* name : {"x.npy", "y.npy", "x_test.npy", "y_test.npy"}) {
    if (!std::filesystem::exists(dir / name, ignored)) {
      throw InputError(fmt::format(
          "data.dir = '{}': {}'{}' is missing; data.name = 'npy' needs x.npy, y.npy, x_test.npy and y_test.npy",
          settings.dir, std::filesystem::is_directory(dir, ignored) ? "" : "no such folder, so ", name));
    }
  }
  const auto open = [&](const std::string& name) { return NpyFile((dir / (name + ".npy")).string()); };
  return load(settings, open, std::filesystem::exists(dir / "client.npy", ignored));
}

Dataset load_npz(const DataSettings& settings, std::uint64_t) {
  const std::string path = (std::filesystem::path(settings.dir) / "data.npz").string();
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    throw InputError(
        fmt::format("data.dir = '{}': {}'data.npz' is missing; data.name = 'npz' needs it, with arrays x, y, x_test "
                    "and y_test",
                    settings.dir, std::filesystem::is_directory(settings.dir, ignored) ? "" : "no such folder, so "));
  }
  const ZipFile archive(path);
  for (const char* name : {"x", "y", "x_test", "y_test"}) {
    if (!archive.has(fmt::format("{}.npy", name))) {
      throw InputError(fmt::format("'{}' has no array {}; allowed: x, y, x_test and y_test", path, name));
    }
  }
  const auto open = [&](const std::string& name) {
    return NpyFile(fmt::format("{}: {}", path, name), archive.read(name + ".npy"));
  };
  return load(settings, open, archive.has("client.npy"));
}

}  // namespace

namespace datasets {

DatasetInfo npy() {
  return {"npy",
          "x.npy, y.npy [N], x_test.npy, y_test.npy and perhaps client.npy [N] in data.dir; integers or floats, "
          "data.read_as says of what",
          load_npy};
}

DatasetInfo npz() {
  return {"npz", "the same arrays x, y, x_test, y_test and perhaps client in data.npz in data.dir", load_npz};
}

}  // namespace datasets

}  // namespace splitsim
