// The one process that holds a folder: an exclusive lock on a file in it, which ends with its owner, however that ends.
// The file's first line says what the folder is, the second who has it.
#pragma once

#include <string>
#include <string_view>

namespace splitsim {

class LockFile {
 public:
  LockFile() = default;
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;
  ~LockFile() { release(); }

  /// Makes the file if it is not there, locks it and writes `mark` (with its line end) and the owner into it. holds:
  /// what it stands for, "run directory 'runs/a'". Where the file system knows no locks it warns. Errors: InputError:
  /// "<holds> is in use by process P on HOST"; a file that cannot be opened or written.
  void take(const std::string& path, std::string_view mark, const std::string& holds);
  /// Whether take() made the file.
  bool made() const { return made_; }
  void release() noexcept;

 private:
  int fd_ = -1;
  bool made_ = false;
};

/// Waits until no process holds the lock on a file, or there is no such file, for `seconds` at most: an owner that was
/// killed gives it back when it is gone, a moment later.
void wait_until_unlocked(const std::string& path, double seconds);

}  // namespace splitsim
