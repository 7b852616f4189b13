#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <utility>

#include "base/error.hpp"
#include "runtime/data/loaders.hpp"

namespace splitsim {
namespace {

constexpr std::uint32_t kImagesMagic = 0x00000803, kLabelsMagic = 0x00000801;
constexpr std::uint32_t kMaxSide = 4096;  // pixels; keeps every product inside 64 bits

struct IdxSet {
  std::string page;
  std::array<PublishedFile, 4> files;  // train images, train labels, test images, test labels
  std::string subfolder = "";          // where the archive has them, if that is in a folder
  std::int32_t classes = 10, first_label = 0;
  bool by_columns = false;  // images are stored column by column
};

const IdxSet kMnist = {"https://github.com/cvdfoundation/mnist",
                       {{{"train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"},
                         {"train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"},
                         {"t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"},
                         {"t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"}}}};
const IdxSet kFashionMnist = {"https://github.com/zalandoresearch/fashion-mnist",
                              {{{"train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
                                {"train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"},
                                {"t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"},
                                {"t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"}}}};

IdxSet emnist_set(const EmnistSplit& split) {
  // The page publishes no checksums; this one of the archive is the one that torchvision checks.
  IdxSet set = {
      "https://www.nist.gov/itl/products-and-services/emnist-dataset (archive gzip.zip, md5 "
      "58c8d27c78d21e728a6bc7b3cc06412e)",
      {},
      "gzip",
      split.classes,
      split.first_label,
      true};
  std::size_t i = 0;
  for (const char* part : {"train-images-idx3", "train-labels-idx1", "test-images-idx3", "test-labels-idx1"}) {
    set.files[i++] = {fmt::format("emnist-{}-{}-ubyte.gz", split.name, part), ""};
  }
  return set;
}

/// The file under any of its usual names: plain or .gz, "-idx3" or ".idx3".
std::string find_file(const std::string& dir, const PublishedFile& file, const IdxSet& source) {
  const std::string plain = file.name.substr(0, file.name.size() - 3);
  std::string dotted = plain;
  dotted[dotted.find("-idx")] = '.';
  for (const std::filesystem::path& folder :
       {std::filesystem::path(dir), std::filesystem::path(dir) / source.subfolder}) {
    for (const std::string& name : {plain, file.name, dotted, dotted + ".gz"}) {
      std::string path = (folder / name).string();
      std::error_code ignored;
      if (!std::filesystem::exists(path, ignored)) continue;
      if (path.ends_with(".gz")) warn_unless_published(path, file);
      return path;
    }
  }
  fail_missing(dir, file, source.page);
}

std::uint32_t big_endian(const std::vector<std::uint8_t>& bytes, std::size_t at) {
  return (std::uint32_t{bytes[at]} << 24) | (std::uint32_t{bytes[at + 1]} << 16) | (std::uint32_t{bytes[at + 2]} << 8) |
         bytes[at + 3];
}

/// Reads a file, checks its magic number and cuts the header of `words` big-endian words off into `header`.
std::vector<std::uint8_t> read_idx(const std::string& path, std::uint32_t magic, std::size_t words,
                                   std::array<std::uint32_t, 4>& header) {
  std::vector<std::uint8_t> bytes = read_data_file(path);
  if (bytes.size() < 4 * words) {
    throw InputError(
        fmt::format("'{}' has {} bytes, too few for the {} of an IDX header", path, bytes.size(), 4 * words));
  }
  for (std::size_t i = 0; i < words; ++i) header[i] = big_endian(bytes, 4 * i);
  if (header[0] != magic) {
    throw InputError(fmt::format("'{}' starts with the magic number 0x{:08x}; an IDX file of {} starts with 0x{:08x}",
                                 path, header[0], words == 4 ? "images" : "labels", magic));
  }
  if (header[1] == 0 || header[1] > 0x7fffffffu) {
    throw InputError(fmt::format("'{}' declares {} entries; allowed: 1 to 2147483647", path, header[1]));
  }
  std::uint64_t entry = 1;
  for (std::size_t i = 2; i < words; ++i) {
    if (header[i] == 0 || header[i] > kMaxSide) {
      throw InputError(fmt::format("'{}' declares images of {} x {} pixels; allowed: 1 to {} each way", path, header[2],
                                   header[3], kMaxSide));
    }
    entry *= header[i];
  }
  const std::uint64_t payload = bytes.size() - 4 * words, expected = header[1] * entry;
  if (payload != expected) {
    throw InputError(fmt::format("'{}' has {} bytes after its header, but its {} entries of {} bytes need {}", path,
                                 payload, header[1], entry, expected));
  }
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(4 * words));
  return bytes;
}

/// Swaps the rows and columns of every image of `rows` x `columns` pixels.
std::vector<std::uint8_t> transposed(const std::vector<std::uint8_t>& images, std::size_t rows, std::size_t columns) {
  std::vector<std::uint8_t> turned(images.size());
  const std::size_t plane = rows * columns;
#pragma omp parallel for schedule(static)
  for (std::size_t at = 0; at < images.size(); at += plane) {
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < columns; ++c) turned[at + c * rows + r] = images[at + r * columns + c];
    }
  }
  return turned;
}

void load_half(const std::string& image_path, const std::string& label_path, const IdxSet& source, Dataset& set,
               std::vector<std::uint8_t>& images, std::vector<std::int32_t>& labels) {
  std::array<std::uint32_t, 4> header{};
  images = read_idx(image_path, kImagesMagic, 4, header);
  if (source.by_columns) {
    images = transposed(images, header[2], header[3]);
    std::swap(header[2], header[3]);
  }
  const auto height = static_cast<std::int32_t>(header[2]), width = static_cast<std::int32_t>(header[3]);
  const std::uint32_t count = header[1];
  if (set.height != 0 && (height != set.height || width != set.width)) {
    throw InputError(fmt::format("'{}' has images of {} x {} pixels, the training images have {} x {}", image_path,
                                 height, width, set.height, set.width));
  }
  set.height = height;
  set.width = width;
  const std::vector<std::uint8_t> raw = read_idx(label_path, kLabelsMagic, 2, header);
  if (header[1] != count) {
    throw InputError(
        fmt::format("'{}' has {} labels, but '{}' has {} images", label_path, header[1], image_path, count));
  }
  const std::int32_t first = source.first_label, last = first + source.classes - 1;
  labels.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] < first || raw[i] > last) {
      throw InputError(fmt::format("'{}': label {} of entry {} is out of range; allowed: {} to {}", label_path, raw[i],
                                   i, first, last));
    }
    labels.push_back(raw[i] - first);
  }
}

Dataset load_files(const DataSettings& settings, const IdxSet& source) {
  std::array<std::string, 4> paths;
  for (std::size_t i = 0; i < 4; ++i) paths[i] = find_file(settings.dir, source.files[i], source);
  Dataset set;
  set.name = settings.name;
  set.channels = 1;
  set.classes = source.classes;
  load_half(paths[0], paths[1], source, set, set.train_features, set.train_labels);
  load_half(paths[2], paths[3], source, set, set.test_features, set.test_labels);
  return set;
}

}  // namespace

const std::vector<EmnistSplit>& emnist_splits() {
  static const std::vector<EmnistSplit> splits = {
      {"balanced", "digits and letters, equally many of 47 classes", 47, 0},
      {"byclass", "all digits, capital and small letters: 62 classes", 62, 0},
      {"bymerge", "all, alike capital and small letters as one: 47 classes", 47, 0},
      {"digits", "10 classes", 10, 0},
      {"letters", "26 classes, capital and small letters as one", 26, 1},
      {"mnist", "digits, as many as MNIST's", 10, 0},
  };
  return splits;
}

namespace datasets {

// MNIST and those in its form: four IDX files, plain or .gz, '-' or '.' before "idx" in their names. Big-endian header
// (magic, counts, height, width), then bytes. Format: the MNIST page.

DatasetInfo mnist() {
  return {"mnist", "MNIST: four IDX files, plain or .gz, in data.dir",
          [](const DataSettings& settings, std::uint64_t) { return load_files(settings, kMnist); }};
}

DatasetInfo fashion_mnist() {
  return {"fashion_mnist", "Fashion-MNIST: four IDX files, plain or .gz, in data.dir",
          [](const DataSettings& settings, std::uint64_t) { return load_files(settings, kFashionMnist); }};
}

// A split (data.split): four IDX files named as in the archive, in the folder or its folder gzip/. Their images are
// stored column by column; they are turned to stand upright, as MNIST's. The letters' labels 1..26 become the classes
// 0..25.
DatasetInfo emnist() {
  return {"emnist", "EMNIST, data.split: four IDX files, plain or .gz, in data.dir or its folder gzip/",
          [](const DataSettings& settings, std::uint64_t) {
            std::string names;
            for (const EmnistSplit& split : emnist_splits()) {
              if (split.name == settings.split) return load_files(settings, emnist_set(split));
              names += (names.empty() ? "" : ", ") + split.name;
            }
            throw InputError(fmt::format("data.split = '{}' is unknown; allowed: {}", settings.split, names));
          }};
}

}  // namespace datasets

}  // namespace splitsim
