#include <fmt/format.h>

#include <array>
#include <filesystem>

#include "base/error.hpp"
#include "runtime/data/loaders.hpp"

namespace splitsim {
namespace {

constexpr std::uint32_t kImagesMagic = 0x00000803, kLabelsMagic = 0x00000801;
constexpr std::int32_t kClasses = 10;
constexpr std::uint32_t kMaxSide = 4096;  // pixels; keeps every product inside 64 bits

struct IdxSet {
  std::string page;
  std::array<PublishedFile, 4> files;  // train images, train labels, test images, test labels
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

/// The file under any of its usual names: plain or .gz, "-idx3" or ".idx3".
std::string find_file(const std::string& dir, const PublishedFile& file, const std::string& page) {
  const std::string plain = file.name.substr(0, file.name.size() - 3);
  std::string dotted = plain;
  dotted[dotted.find("-idx")] = '.';
  for (const std::string& name : {plain, file.name, dotted, dotted + ".gz"}) {
    std::string path = (std::filesystem::path(dir) / name).string();
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) continue;
    if (path.ends_with(".gz")) warn_unless_published(path, file);
    return path;
  }
  fail_missing(dir, file, page);
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

void load_half(const std::string& image_path, const std::string& label_path, Dataset& set,
               std::vector<std::uint8_t>& images, std::vector<std::int32_t>& labels) {
  std::array<std::uint32_t, 4> header{};
  images = read_idx(image_path, kImagesMagic, 4, header);
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
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] >= kClasses) {
      throw InputError(fmt::format("'{}': label {} of entry {} is out of range; allowed: 0 to {}", label_path, raw[i],
                                   i, kClasses - 1));
    }
  }
  labels.assign(raw.begin(), raw.end());
}

}  // namespace

Dataset load_idx(const DataSettings& settings) {
  const IdxSet& source = settings.name == "mnist" ? kMnist : kFashionMnist;
  std::array<std::string, 4> paths;
  for (std::size_t i = 0; i < 4; ++i) paths[i] = find_file(settings.dir, source.files[i], source.page);
  Dataset set;
  set.name = settings.name;
  set.channels = 1;
  set.classes = kClasses;
  load_half(paths[0], paths[1], set, set.train_images, set.train_labels);
  load_half(paths[2], paths[3], set, set.test_images, set.test_labels);
  return set;
}

}  // namespace splitsim
