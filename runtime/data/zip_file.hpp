// Members of a ZIP archive, as .npz files are (libzip). Determinism: exact.
// Errors: InputError naming the file and what is wrong with it.
#pragma once

#include <string>

struct zip;

namespace splitsim {

class ZipFile {
 public:
  /// Errors: a file that is missing or is no ZIP archive.
  explicit ZipFile(const std::string& path);
  ~ZipFile();
  ZipFile(const ZipFile&) = delete;
  ZipFile& operator=(const ZipFile&) = delete;

  bool has(const std::string& member) const;
  /// Errors: a member that is not there, is damaged (CRC) or encrypted.
  std::string read(const std::string& member) const;

 private:
  std::string path_;
  zip* archive_ = nullptr;
};

}  // namespace splitsim
