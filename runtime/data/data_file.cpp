#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/hash.hpp"
#include "base/report.hpp"
#include "runtime/data/loaders.hpp"

namespace splitsim {

void fail_missing(const std::string& dir, const PublishedFile& file, const std::string& page) {
  std::error_code ignored;
  const bool have_dir = std::filesystem::is_directory(dir, ignored);
  const std::string md5 = file.md5.empty() ? "" : fmt::format(" (md5 {})", file.md5);
  throw InputError(fmt::format("data.dir = '{}': {}'{}' is missing; get it from {}{}", dir,
                               have_dir ? "" : "no such folder, so ", file.name, page, md5));
}

void warn_unless_published(const std::string& path, const PublishedFile& file) {
  std::error_code ignored;
  if (file.md5.empty() || !std::filesystem::is_regular_file(path, ignored)) return;  // reading says what is wrong
  const std::string bytes = read_text_file(path);
  const std::string md5 = md5_hex(bytes.data(), bytes.size());
  if (md5 == file.md5) return;
  warn(fmt::format("'{}' is not the published {} (md5 {}, not {}): results will not compare with those on the "
                   "published data",
                   path, file.name, md5, file.md5));
}

std::vector<std::uint8_t> read_data_file(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) throw InputError(fmt::format("'{}' is not a file", path));
  const gzFile file = gzopen(path.c_str(), "rb");  // reads plain files as they are
  if (file == nullptr) throw InputError(fmt::format("cannot read '{}': {}", path, std::strerror(errno)));
  gzbuffer(file, 1u << 18);

  std::vector<std::uint8_t> bytes;
  constexpr std::size_t kFirstChunk = std::size_t{1} << 16, kLargestChunk = std::size_t{1} << 22;
  int got = 0;
  do {  // to the end of the file and beyond: only there does zlib check the stream's length and CRC
    const std::size_t size = bytes.size();
    const std::size_t chunk = std::clamp(size, kFirstChunk, kLargestChunk);
    bytes.resize(size + chunk);
    got = gzread(file, bytes.data() + size, static_cast<unsigned>(chunk));
    bytes.resize(size + static_cast<std::size_t>(got > 0 ? got : 0));
  } while (got > 0);
  int code = Z_OK;
  std::string reason = gzerror(file, &code);
  if (code == Z_ERRNO) reason = std::strerror(errno);
  if (code == Z_BUF_ERROR) reason = "it ends early (truncated gzip file)";
  const int closed = gzclose_r(file);
  if (got < 0 || code != Z_OK || closed != Z_OK) {
    throw InputError(fmt::format("'{}' is damaged: {}", path, reason.empty() ? "unreadable gzip data" : reason));
  }
  return bytes;
}

}  // namespace splitsim
