#include "runtime/data/zip_file.hpp"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/error.hpp"

namespace splitsim {

ZipFile::ZipFile(const std::string& path) : path_(path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) throw InputError(fmt::format("'{}' is not a file", path));
  int code = 0;
  archive_ = zip_open(path.c_str(), ZIP_RDONLY, &code);
  if (archive_ != nullptr) return;
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  throw InputError(fmt::format("'{}' cannot be read as a ZIP archive: {}", path, reason));
}

ZipFile::~ZipFile() { zip_discard(archive_); }

bool ZipFile::has(const std::string& member) const { return zip_name_locate(archive_, member.c_str(), 0) >= 0; }

std::string ZipFile::read(const std::string& member) const {
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip_fopen(archive_, member.c_str(), 0), zip_fclose);
  if (file == nullptr) throw InputError(fmt::format("'{}': {}: {}", path_, member, zip_strerror(archive_)));
  std::string bytes;
  constexpr std::size_t kFirstChunk = std::size_t{1} << 16, kLargestChunk = std::size_t{1} << 24;
  std::int64_t got = 0;
  do {  // not what the archive says of its length: only what comes takes memory; the CRC is checked at the end
    const std::size_t size = bytes.size();
    bytes.resize(size + std::clamp(size, kFirstChunk, kLargestChunk));
    got = zip_fread(file.get(), bytes.data() + size, bytes.size() - size);
    bytes.resize(size + static_cast<std::size_t>(std::max<std::int64_t>(got, 0)));
  } while (got > 0);
  if (got < 0) {
    throw InputError(fmt::format("'{}': {} is damaged: {}", path_, member, zip_file_strerror(file.get())));
  }
  return bytes;
}

}  // namespace splitsim
