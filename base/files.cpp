#include "base/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/error.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const char* what, const std::string& path) {
  const int reason = errno;
  throw InputError(fmt::format("cannot {} '{}': {}", what, path, std::strerror(reason)));
}

/// A descriptor that closes itself.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags, const char* what = "open")
      : path_(path), fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {
    if (fd_ < 0) fail(what, path);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  void write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t done = ::write(fd_, text.data(), text.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) fail("write", path_);
      text.remove_prefix(static_cast<std::size_t>(done));
    }
  }
  std::string read() {
    std::string text;
    while (true) {
      const std::size_t size = text.size();
      text.resize(size + std::max<std::size_t>(size, 1 << 16));
      const ssize_t done = ::read(fd_, text.data() + size, text.size() - size);
      text.resize(size + static_cast<std::size_t>(std::max<ssize_t>(done, 0)));
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) fail("read", path_);
      if (done == 0) return text;
    }
  }
  void sync() {
    // Some file systems (pipes, special mounts) cannot sync; there is nothing to lose then.
    if (::fsync(fd_) != 0 && errno != EINVAL && errno != EROFS) fail("write", path_);
  }

 private:
  std::string path_;
  int fd_;
};

/// Makes a rename in `path`'s folder durable.
void sync_folder_of(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  Descriptor(folder.empty() ? "." : folder.string(), O_RDONLY | O_DIRECTORY).sync();
}

}  // namespace

void write_file_atomically(const std::string& path, const std::vector<std::string_view>& parts) {
  const std::string beside = path + ".part";
  try {
    {
      Descriptor file(beside, O_WRONLY | O_CREAT | O_TRUNC);
      for (const std::string_view part : parts) file.write(part);
      file.sync();
    }
    if (std::rename(beside.c_str(), path.c_str()) != 0) fail("write", path);
  } catch (...) {
    ::unlink(beside.c_str());
    throw;
  }
  sync_folder_of(path);
}

void write_file_atomically(const std::string& path, std::string_view text) {
  write_file_atomically(path, std::vector<std::string_view>{text});
}

void append_to_file(const std::string& path, std::string_view text) {
  Descriptor file(path, O_WRONLY | O_CREAT | O_APPEND);
  file.write(text);
  file.sync();
}

std::string read_text_file(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) throw InputError(fmt::format("cannot read '{}': it is a folder", path));
  return Descriptor(path, O_RDONLY, "read").read();
}

}  // namespace splitsim
