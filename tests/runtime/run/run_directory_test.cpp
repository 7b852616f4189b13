// Whose a folder is: what is refused, what is removed, and who holds it.
#include "runtime/run/run_directory.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "runtime/record/records.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;
using test::expect_input_error;
using test::names_in;
using test::slurp;
using test::spill;
using test::TempDir;
using enum RunDirectoryUse;

// Every file of a run, as it would be there after one.
void leave_a_run(const std::string& dir) {
  RunDirectory(dir, kNew).begin("seed = 1\n");
  fs::create_directory(fs::path(dir) / "checkpoint");
  for (const std::string& name : run_directory_files()) spill((fs::path(dir) / name).string(), "old");
}

TEST(RunDirectory, NewIsMadeWithItsParentsAndRefusedUnlessEmpty) {
  TempDir dir;
  RunDirectory(dir / "a/b/c", kNew).begin("seed = 1\n");
  EXPECT_EQ(slurp(dir / "a/b/c/config.toml"), "seed = 1\n");
  expect_input_error([&] { RunDirectory(dir / "a/b/c", kNew); }, dir / "a/b/c", "not empty", "--resume", "--force");

  fs::create_directory(dir / "empty");
  RunDirectory(dir / "empty", kNew).begin("");
  fs::create_directory(dir / "users");
  spill(dir / "users/anything", "");
  expect_input_error([&] { RunDirectory(dir / "users", kNew); }, "not empty");
  EXPECT_EQ(names_in(dir / "users"), std::vector<std::string>{"anything"});

  spill(dir / "file", "x");
  expect_input_error([&] { RunDirectory(dir / "file", kNew); }, dir / "file", "not a folder");
  expect_input_error([&] { RunDirectory(dir / "file", kForce); }, dir / "file", "not a folder");
  expect_input_error([&] { RunDirectory(dir / "file/run", kNew); }, dir / "file/run");
  expect_input_error([] { RunDirectory("", kNew); }, "name");
}

TEST(RunDirectory, ARunThatNeverBeganLeavesNothing) {
  TempDir dir;
  { RunDirectory held(dir / "a/b/c", kNew); }
  EXPECT_FALSE(fs::exists(dir / "a"));
  fs::create_directories(dir / "a/b");
  { RunDirectory held(dir / "a/b/d/", kForce); }
  EXPECT_TRUE(fs::is_directory(dir / "a/b"));
  EXPECT_FALSE(fs::exists(dir / "a/b/d"));
  { RunDirectory held(dir / "a/b", kNew); }
  EXPECT_TRUE(fs::is_directory(dir / "a/b"));
  EXPECT_TRUE(names_in(dir.path()).empty());
  expect_input_error([&] { RunDirectory(dir / "a/none", kResume); }, "no such folder");
  EXPECT_FALSE(fs::exists(dir / "a/none"));

  // Not so a killed one: its lock and its unfinished files count as nothing.
  const pid_t child = fork();
  if (child == 0) {
    RunDirectory held(dir / "killed", kNew);
    spill(dir / "killed/config.toml.part", "sam");
    raise(SIGKILL);
  }
  waitpid(child, nullptr, 0);
  ASSERT_EQ(names_in(dir / "killed"), (std::vector<std::string>{"config.toml.part", "run.lock"}));
  RunDirectory(dir / "killed", kNew).begin("");
}

TEST(RunDirectory, ResumeNeedsARun) {
  TempDir dir;
  expect_input_error([&] { RunDirectory(dir.path(), kResume); }, dir.path(), "no config.toml");
  for (const char* name : {"config.toml", "steps.csv", "steps.csv.part", "notes.txt.part"}) spill(dir / name, "x");
  RunDirectory(dir.path(), kResume).begin("other");
  EXPECT_EQ(names_in(dir.path()), (std::vector<std::string>{"config.toml", "notes.txt.part", "run.lock", "steps.csv"}))
      << "only a run's own unfinished files go";
  EXPECT_EQ(slurp(dir / "config.toml"), "x");
}

TEST(RunDirectory, ForceReplacesARunAndNothingElse) {
  TempDir dir, elsewhere;
  leave_a_run(dir.path());
  spill(elsewhere / "kept", "x");
  fs::remove(dir / "partition.npy");
  fs::create_symlink(elsewhere / "kept", dir / "partition.npy");
  for (const char* name : {"my notes", "report.html", "schedule.npy", "checkpoint/precious.bin"}) spill(dir / name, "x");
  { RunDirectory held(dir.path(), kForce); }
  EXPECT_EQ(slurp(dir / "steps.csv"), "old") << "nothing goes before the run begins";
  RunDirectory(dir.path(), kForce).begin("seed = 2\n");
  EXPECT_EQ(names_in(dir.path()), (std::vector<std::string>{"checkpoint/precious.bin", "config.toml", "my notes",
                                                            "report.html", "run.lock", "schedule.npy"}));
  EXPECT_EQ(slurp(dir / "config.toml"), "seed = 2\n");
  EXPECT_TRUE(fs::exists(elsewhere / "kept")) << "a link was followed";
}

TEST(RunDirectory, ForceLeavesFoldersAloneThatAreNoRun) {
  for (const std::vector<std::string>& files :
       {std::vector<std::string>{"config.toml"}, {"config.toml", "checkpoint/precious.bin", "report.html"},
        {"run.lock"}, {"summary.json", "config.toml"}, {"anything"}}) {
    TempDir dir;
    fs::create_directory(dir / "checkpoint");
    for (const std::string& name : files) spill(dir / name, "mine");
    const std::vector<std::string> before = names_in(dir.path());
    expect_input_error([&] { RunDirectory(dir.path(), kForce); }, dir.path(), "no run of splitsim");
    EXPECT_EQ(names_in(dir.path()), before);
    for (const std::string& name : files) EXPECT_EQ(slurp(dir / name), "mine");
  }
  // A run of a time before run.lock is known by its summary.
  TempDir old;
  spill(old / "summary.json", to_json(Summary{}));
  spill(old / "config.toml", "seed = 1\n");
  RunDirectory(old.path(), kForce).begin("seed = 2\n");
  EXPECT_FALSE(fs::exists(old / "summary.json"));
}

TEST(RunDirectory, ForceNeverReplacesWhatTheRunReads) {
  TempDir dir, links;
  leave_a_run(dir.path());
  fs::create_symlink(dir / "partition.npy", links / "link.npy");
  for (const std::string& input : {dir / "config.toml", links / "link.npy", dir / "./checkpoint/state.safetensors"}) {
    expect_input_error([&] { RunDirectory(dir.path(), kForce, {"", "none", input}); }, "which this run reads");
  }
  RunDirectory(dir.path(), kForce, {dir.path(), dir / "notes"}).begin("");
}

TEST(RunDirectory, OneProcessHoldsIt) {
  TempDir dir;
  std::optional<RunDirectory> first(std::in_place, dir / "run", kNew);
  first->begin("seed = 1\n");
  for (const RunDirectoryUse use : {kResume, kForce}) {
    expect_input_error([&] { RunDirectory(dir / "run", use); }, "is in use by process " + std::to_string(getpid()));
  }
  EXPECT_EQ(slurp(dir / "run/config.toml"), "seed = 1\n");
  first.reset();
  RunDirectory(dir / "run", kResume).begin("");

  // The lock ends with its owner, however that ends.
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    RunDirectory held(dir / "run", kResume);
    if (write(ready[1], "x", 1) == 1) pause();
    _exit(1);
  }
  char x = 0;
  ASSERT_EQ(read(ready[0], &x, 1), 1);
  expect_input_error([&] { RunDirectory(dir / "run", kForce); }, "is in use by process " + std::to_string(child));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  RunDirectory(dir / "run", kForce).begin("");
}

TEST(RunDirectory, LinksThatLeadNowhereStay) {
  TempDir dir;
  fs::create_directory_symlink(dir / "nowhere", dir / "link");
  for (const std::string& name : {dir / "link", dir / "link/run"}) {
    expect_input_error([&] { RunDirectory(name, kNew); }, name, dir / "link' is a link that leads nowhere");
    EXPECT_TRUE(fs::is_symlink(dir / "link"));
  }
}

TEST(RunDirectory, NotWritable) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  TempDir dir;
  fs::permissions(dir.path(), fs::perms::owner_read | fs::perms::owner_exec);
  expect_input_error([&] { RunDirectory(dir.path(), kNew); }, dir.path(), "Permission denied");
  expect_input_error([&] { RunDirectory(dir / "run", kNew); }, dir / "run", "Permission denied");
  fs::permissions(dir.path(), fs::perms::owner_all);
}

}  // namespace
}  // namespace splitsim
