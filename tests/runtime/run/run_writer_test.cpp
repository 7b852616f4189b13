// Atomic writing, also under kill -9.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;
using test::expect_input_error;
using test::names_in;
using test::slurp;
using test::spill;
using test::TempDir;

TEST(AtomicWrite, ReplacesAndLeavesNothingBeside) {
  TempDir dir;
  write_file_atomically(dir / "a", "one");
  write_file_atomically(dir / "a", {"tw", "", "o\n"});
  EXPECT_EQ(slurp(dir / "a"), "two\n");
  write_file_atomically(dir / "empty", "");
  EXPECT_EQ(slurp(dir / "empty"), "");
  EXPECT_EQ(names_in(dir.path()), (std::vector<std::string>{"a", "empty"}));
}

TEST(AtomicWrite, FailuresNameThePathAndLeaveNothing) {
  TempDir dir;
  expect_input_error([&] { write_file_atomically(dir / "no/file", "x"); }, dir / "no/file",
                     "No such file or directory");
  fs::create_directory(dir / "taken");
  expect_input_error([&] { write_file_atomically(dir / "taken", "x"); }, dir / "taken", "Is a directory");
  EXPECT_TRUE(names_in(dir.path()).empty());
  expect_input_error([&] { append_to_file(dir / "no/file", "x"); }, dir / "no/file", "No such file or directory");
  expect_input_error([&] { read_text_file(dir / "none"); }, dir / "none", "No such file or directory");
  expect_input_error([&] { read_text_file(dir.path()); }, dir.path(), "folder");
  if (fs::exists("/dev/full")) {  // every write to it fails as on a full disk
    expect_input_error([&] { append_to_file("/dev/full", "x"); }, "'/dev/full'", "No space left on device");
  }
}

TEST(AtomicWrite, KilledAtAnyMomentTheFileIsOldOrNew) {
  TempDir dir;
  const std::string path = dir / "file";
  constexpr std::size_t kBytes = 1 << 20;
  write_file_atomically(path, std::string(kBytes, 'a'));
  for (int kill_after_us = 500; kill_after_us < 20000; kill_after_us += 1500) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const std::string a(kBytes, 'a'), b(kBytes, 'b');
      for (;;) {
        write_file_atomically(path, b);
        write_file_atomically(path, a);
      }
    }
    usleep(static_cast<useconds_t>(kill_after_us));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    const std::string text = slurp(path);
    ASSERT_EQ(text.size(), kBytes);
    ASSERT_EQ(static_cast<std::size_t>(std::count(text.begin(), text.end(), text[0])), kBytes);
  }
}

TEST(AppendToFile, CreatesAndAppends) {
  TempDir dir;
  append_to_file(dir / "log", "a\n");
  append_to_file(dir / "log", "b\n");
  EXPECT_EQ(slurp(dir / "log"), "a\nb\n");
}

}  // namespace
}  // namespace splitsim
