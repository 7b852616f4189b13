// Data sets of picture files, a folder for each class.
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "runtime/data/image_file.hpp"
#include "runtime/data/loaders.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;

/// What is in a folder, in the order of its names; hidden files are left out.
std::vector<fs::path> entries(const fs::path& dir) {
  std::vector<fs::path> all;
  std::error_code error;
  for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
    if (!it->path().filename().string().starts_with('.')) all.push_back(it->path());
  }
  if (error) throw InputError(fmt::format("'{}': {}", dir.string(), error.message()));
  std::sort(all.begin(), all.end());
  return all;
}

bool is_picture(const fs::path& path) {
  std::string end = path.extension().string();
  for (char& c : end) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return end == ".png" || end == ".jpg" || end == ".jpeg";
}

struct Part {
  std::vector<std::string> paths;
  std::vector<std::int32_t> labels;
};

/// classes: those of the training part, found if there are none yet.
Part list(const fs::path& dir, std::vector<std::string>& classes) {
  std::error_code ignored;
  const bool training = classes.empty();
  Part part;
  for (const fs::path& folder : entries(dir)) {
    const std::string name = folder.filename().string();
    if (!fs::is_directory(folder, ignored)) {
      throw InputError(fmt::format("'{}' is not a folder; allowed: a folder for each class", folder.string()));
    }
    if (training) classes.push_back(name);
    const auto at = std::find(classes.begin(), classes.end(), name);
    if (at == classes.end()) {
      throw InputError(fmt::format("'{}' is a class that the training part lacks", folder.string()));
    }
    for (const fs::path& file : entries(folder)) {
      if (!is_picture(file)) {
        throw InputError(fmt::format("'{}': allowed: files .png, .jpg and .jpeg", file.string()));
      }
      part.paths.push_back(file.string());
      part.labels.push_back(static_cast<std::int32_t>(at - classes.begin()));
    }
  }
  if (part.paths.empty()) {
    throw InputError(fmt::format("'{}' has no pictures; allowed: CLASS/*.png, .jpg, .jpeg", dir.string()));
  }
  return part;
}

/// Each call for one i; the first that fails, in order, is what is said.
template <class F>
void for_each_file(const std::vector<std::string>& paths, const F& visit) {
  std::vector<std::exception_ptr> failures(paths.size());
#pragma omp parallel for schedule(dynamic, 16)
  for (std::size_t i = 0; i < paths.size(); ++i) {
    try {
      visit(i);
    } catch (...) {
      failures[i] = std::current_exception();
    }
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

struct Header {
  std::int32_t height = 0, width = 0;
  bool colour = false;
};

/// All of one size: scaling is a choice that tools for pictures make better. The set is grey if every picture is.
void look_through(const std::vector<const Part*>& parts, Dataset& set) {
  set.channels = 1;
  std::string first;
  for (const Part* part : parts) {
    std::vector<Header> headers(part->paths.size());
    for_each_file(part->paths, [&](std::size_t i) {
      const ImageFile file(part->paths[i]);
      headers[i] = {file.height(), file.width(), file.has_colour()};
    });
    for (std::size_t i = 0; i < headers.size(); ++i) {
      if (first.empty()) {
        first = part->paths[i];
        set.height = headers[i].height;
        set.width = headers[i].width;
      }
      if (headers[i].colour) set.channels = 3;
      if (headers[i].height == set.height && headers[i].width == set.width) continue;
      throw InputError(fmt::format("'{}' is {} x {} pixels, '{}' is {} x {}; allowed: all of one size",
                                   part->paths[i], headers[i].height, headers[i].width, first, set.height, set.width));
    }
  }
}

/// train/CLASS/* and test/CLASS/*: classes in the order of the folders' names, pictures in that of the files'.
Dataset load(const DataSettings& settings, std::uint64_t) {
  const fs::path dir(settings.dir);
  std::error_code ignored;
  for (const char* name : {"train", "test"}) {
    if (!fs::is_directory(dir / name, ignored)) {
      throw InputError(
          fmt::format("data.dir = '{}': {}folder '{}' is missing; data.name = 'folder' needs train/CLASS/* and "
                      "test/CLASS/* (.png, .jpg)",
                      settings.dir, fs::is_directory(dir, ignored) ? "" : "no such folder, so ", name));
    }
  }
  Dataset set;
  set.name = settings.name;
  std::vector<std::string> classes;
  const Part train = list(dir / "train", classes), test = list(dir / "test", classes);
  if (static_cast<std::int64_t>(classes.size()) > kMaxClasses) {
    throw InputError(fmt::format("'{}' has more than {} classes", (dir / "train").string(), kMaxClasses));
  }
  look_through({&train, &test}, set);
  set.classes = static_cast<std::int32_t>(classes.size());
  const auto size = static_cast<std::size_t>(set.sample_size());
  const auto decode = [&](const Part& part, std::vector<std::uint8_t>& features, std::vector<std::int32_t>& labels) {
    features.resize(part.paths.size() * size);
    labels = part.labels;
    for_each_file(part.paths, [&](std::size_t i) {
      const ImageFile file(part.paths[i]);
      if (file.height() != set.height || file.width() != set.width) {
        throw InputError(fmt::format("'{}' has changed while it was read", part.paths[i]));
      }
      file.decode(set.channels, features.data() + i * size);
    });
  };
  decode(train, set.train_features, set.train_labels);
  decode(test, set.test_features, set.test_labels);
  return set;
}

}  // namespace

namespace datasets {

DatasetInfo folder() {
  return {"folder", "pictures, all of one size: train/CLASS/* and test/CLASS/* in data.dir (.png, .jpg, .jpeg)", load};
}

}  // namespace datasets

}  // namespace splitsim
