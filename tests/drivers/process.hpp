// Runs a built executable the way a user does and keeps what it said.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/paths.hpp"

namespace splitsim::test {

inline std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// A new folder for each test, gone with it.
class CommandLine : public ::testing::Test {
 protected:
  void SetUp() override {
    // Runs sync every file they write: in memory that takes no time.
    const bool in_memory = std::getenv("TMPDIR") == nullptr && access("/dev/shm", W_OK) == 0;
    const std::filesystem::path parent = in_memory ? "/dev/shm" : std::filesystem::temp_directory_path();
    std::string pattern = (parent / "splitsim-cli-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string in_folder(const std::string& name) const { return (folder_ / name).string(); }

  struct Result {
    int exit_code = -1;  ///< 128 + signal for a killed process
    std::string out, err;

    std::ptrdiff_t error_lines() const { return std::count(err.begin(), err.end(), '\n'); }
  };

  /// Starts bin/<program> without waiting, in working_dir_ if that is set; stdout goes to `out_path`, stderr to the
  /// folder's file "err".
  pid_t start(const std::string& program, const std::vector<std::string>& arguments,
              const std::string& out_path) const {
    const std::string path = std::string(kBinDir) + "/" + program;
    std::vector<char*> argv = {const_cast<char*>(path.c_str())};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, out_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    posix_spawn_file_actions_addopen(&files, 2, in_folder("err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (!working_dir_.empty()) posix_spawn_file_actions_addchdir_np(&files, working_dir_.c_str());
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    if (own_group_) posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    pid_t pid = -1;
    const int failed = posix_spawn(&pid, path.c_str(), &files, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    EXPECT_EQ(failed, 0) << "cannot start " << path;
    return pid;
  }

  Result finish(pid_t pid) const {
    int status = 0;
    waitpid(pid, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), slurp(in_folder("out")),
            slurp(in_folder("err"))};
  }

  Result execute(const std::string& program, const std::vector<std::string>& arguments) const {
    return finish(start(program, arguments, in_folder("out")));
  }

  std::filesystem::path folder_;
  std::string working_dir_;
  bool own_group_ = false;  // processes that are started lead a group of their own
};

}  // namespace splitsim::test
