// Real file systems that say no: a disk that is full, one that cannot be written, data that are gone. One line, exit
// code 2, and what was there stays; with room again the run goes on to the same bytes. Needs root for the mounts.
#include <sys/mount.h>

#include "tests/faults/fault_run.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;

class Storage : public test::FaultyProcess {
 protected:
  void TearDown() override {
    if (mounted_) umount2(disk().c_str(), MNT_DETACH);
    FaultyProcess::TearDown();
  }
  std::string disk() const { return in_folder("disk"); }
  /// A file system in memory of so many bytes; again: another size. False: this user or container may not mount.
  bool mount_disk(const std::string& size, unsigned long flags = 0) {
    fs::create_directories(disk());
    const std::string options = "size=" + size;
    if (mount("none", disk().c_str(), "tmpfs", flags | (mounted_ ? MS_REMOUNT : 0), options.c_str()) != 0) return false;
    mounted_ = true;
    return true;
  }
  std::vector<std::string> run_arguments(const std::vector<std::string>& more) {
    return tiny({"train.epochs=2", "train.mode=sflv1"}, more);
  }
  void expect_refused(const Result& result, const std::string& part) {
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_EQ(result.error_lines(), 1) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
  }

 private:
  bool mounted_ = false;
};

TEST_F(Storage, AFullDiskCostsNothingThatWasThere) {
  if (!mount_disk("64k")) GTEST_SKIP() << "cannot mount: " << std::strerror(errno);
  const std::string wanted = in_folder("wanted"), dir = disk() + "/run";
  ASSERT_EQ(execute("splitsim-run", run_arguments({"--out", wanted})).exit_code, 0);
  expect_refused(execute("splitsim-run", run_arguments({"--out", dir})), "No space left on device");
  // Room for the first epoch only, then for all.
  ASSERT_TRUE(mount_disk("900k"));
  const auto resume = [&] { return execute("splitsim-run", {"--device", "cpu", "--resume", dir}); };
  Result last = resume();
  if (last.exit_code != 0) expect_refused(last, "No space left on device");
  ASSERT_TRUE(mount_disk("64m"));
  last = resume();
  EXPECT_EQ(last.exit_code, 0) << last.err;
  test::expect_same(test::contents_of(dir), test::contents_of(wanted), "with room again");
}

TEST_F(Storage, AReadOnlyDiskIsOneLine) {
  if (!mount_disk("64m")) GTEST_SKIP() << "cannot mount: " << std::strerror(errno);
  const std::string dir = disk() + "/run";
  ASSERT_EQ(execute("splitsim-run", run_arguments({"--out", dir, "--set", "seed=2"})).exit_code, 0);
  const test::Contents before = test::contents_of(dir);
  ASSERT_TRUE(mount_disk("64m", MS_RDONLY));
  expect_refused(execute("splitsim-run", run_arguments({"--out", dir, "--force"})), "Read-only file system");
  expect_refused(execute("splitsim-run", run_arguments({"--out", disk() + "/new"})), "Read-only file system");
  expect_refused(execute("splitsim-sample", tiny({}, {"--samplers", "ugs", "--out", dir})), "Read-only file system");
  test::expect_same(test::contents_of(dir), before, "on a read-only disk");
}

TEST_F(Storage, DataThatAreGoneOrShorterStopAResumeBeforeItWrites) {
  const std::string dir = in_folder("run");
  test::Fault killer{.under = dir, .action = "kill", .at = 30};
  ASSERT_EQ(execute_under(killer, "splitsim-run", run_arguments({"--out", dir})).exit_code, 128 + SIGKILL);
  const test::Contents before = test::contents_of(dir);
  const std::string images = tiny_data() + "/x.npy", kept = in_folder("x.npy");
  fs::copy_file(images, kept);
  const auto resume = [&] { return execute("splitsim-run", {"--device", "cpu", "--resume", dir}); };
  fs::resize_file(images, 1000);
  expect_refused(resume(), images);
  fs::remove(images);
  expect_refused(resume(), "x.npy");
  test::expect_same(test::contents_of(dir), before, "without its data");
  fs::copy_file(kept, images);
  EXPECT_EQ(resume().exit_code, 0);
}

}  // namespace
}  // namespace splitsim
