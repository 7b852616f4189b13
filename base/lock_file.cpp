#include "base/lock_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

#include "base/error.hpp"
#include "base/report.hpp"
#include "base/stopwatch.hpp"

namespace splitsim {

namespace {

[[noreturn]] void fail(const std::string& what, const std::string& path, int reason) {
  throw InputError(fmt::format("cannot {} '{}': {}", what, path, std::strerror(reason)));
}

std::string lock_text(std::string_view mark) {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  return fmt::format("{}process {} on {}\n", mark, getpid(), host);
}

std::string owner_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string mark, owner;
  std::getline(file, mark);
  std::getline(file, owner);
  return owner.empty() ? "another process" : owner;
}

}  // namespace

void LockFile::take(const std::string& path, std::string_view mark, const std::string& holds) {
  for (int attempt = 0;; ++attempt) {
    const int created = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    made_ = created >= 0;
    fd_ = made_ ? created : ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd_ < 0 && errno == ENOENT && attempt < 100) continue;  // removed in between
    if (fd_ < 0) fail("open", path, errno);
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      const int reason = errno;
      made_ = false;
      if (reason == EWOULDBLOCK) {
        throw InputError(fmt::format("{} is in use by {}", holds, owner_in(path)));
      }
      if (reason == EINTR) continue;
      warn(fmt::format("'{}' cannot be locked ({}): nothing keeps a second run out of this folder", path,
                       std::strerror(reason)));
    }
    // The file may have been removed by its last owner before we locked it; a lock on it then keeps nobody out.
    struct stat ours {
    }, there{};
    if (::fstat(fd_, &ours) == 0 && ::stat(path.c_str(), &there) == 0 && ours.st_ino == there.st_ino &&
        ours.st_dev == there.st_dev) {
      break;
    }
    ::close(fd_);
  }
  const std::string text = lock_text(mark);
  // Over the old text before it is cut: on a full disk the mark must stay.
  for (std::size_t written = 0; written < text.size();) {
    const ssize_t done = ::pwrite(fd_, text.data() + written, text.size() - written, static_cast<off_t>(written));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail("write", path, errno);
    written += static_cast<std::size_t>(done);
  }
  if (::ftruncate(fd_, static_cast<off_t>(text.size())) != 0) fail("write", path, errno);
}

void wait_until_unlocked(const std::string& path, double seconds) {
  const auto begin = std::chrono::steady_clock::now();
  do {
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    const bool held = ::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    ::close(fd);
    if (!held) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  } while (seconds_since(begin) < seconds);
}

void LockFile::release() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace splitsim
