// The folder of one run: who may write there, what may be removed from it. One process at a time holds it, by a lock
// on run.lock that ends with its owner; that file also says that the folder is a run's.
// Errors: InputError naming the folder.
#pragma once

#include <string>
#include <vector>

#include "base/lock_file.hpp"

namespace splitsim {

/// What to do with a run directory that is there already.
enum class RunDirectoryUse {
  kNew,     ///< refused unless empty
  kResume,  ///< must hold a run (a config.toml)
  kForce,   ///< must be empty or a run's; begin() removes the files of that run, and nothing else
};

/// Names, relative to the folder, of every file that a run may leave there.
const std::vector<std::string>& run_directory_files();

/// Unfinished files and what a run that never began has left count as nothing.
class RunDirectory {
 public:
  /// Makes the folder if it is not there (kNew, kForce), locks it, and changes nothing else. `inputs`: files that the
  /// run reads; with kForce none of them may be one that begin() removes or the run replaces. Errors: a path that is no
  /// folder or cannot be made or written, a folder that another process holds, kNew on a folder with anything in it,
  /// kResume without a run, kForce on a folder that holds files but no run.
  RunDirectory(const std::string& dir, RunDirectoryUse use, const std::vector<std::string>& inputs = {});
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;
  /// Gives the lock back. Without begin(), what the constructor has made is removed.
  ~RunDirectory();

  /// The run starts: half-written files go, with kForce also the earlier run's. `config_toml` is stored first, so that
  /// a full disk costs nothing that was there.
  void begin(const std::string& config_toml);

 private:
  void make();
  void refuse_unless_fit() const;
  void undo() noexcept;

  std::string dir_;
  RunDirectoryUse use_;
  std::string made_;  // the topmost folder that the constructor made; empty: none
  LockFile lock_;
  bool begun_ = false;
};

}  // namespace splitsim
